// SPDX-License-Identifier: GPL-2.0

//! A client and a server on one network: what most scenarios begin with.

use std::{
    cell::RefCell,
    env,
    net::SocketAddr,
    panic::{
        catch_unwind,
        resume_unwind,
        AssertUnwindSafe, //
    },
    rc::Rc,
    thread, //
};

use quic_core::common::time::Duration;
use quic_core::conn::State;

use crate::net::{
    Link,
    Net, //
};
use crate::node::{
    Client,
    Server,
    Setup, //
};
use crate::world::World;

/// A world with one client and one server.
pub struct Pair {
    /// Time and network.
    pub world: World,
    /// The client.
    pub client: Rc<RefCell<Client>>,
    /// The server.
    pub server: Rc<RefCell<Server>>,
}

/// The client's address.
pub fn client_addr() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1111))
}

/// The server's address.
pub fn server_addr() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 443))
}

impl Pair {
    /// Both ends over the same link each way.
    pub fn new(seed: u64, link: Link, client: &Setup, server: Setup) -> Self {
        Self::over(seed, link.clone(), link, client, server)
    }

    /// Both ends over links of their own.
    pub fn over(seed: u64, up: Link, down: Link, client: &Setup, server: Setup) -> Self {
        let mut net = Net::new(seed, up, down);
        net.add_server(server_addr());
        let mut world = World::new(net);
        let server = Rc::new(RefCell::new(Server::new(seed, server_addr(), server)));
        let client = Client::new(world.now, seed, client_addr(), server_addr(), client);
        let client = Rc::new(RefCell::new(client.expect("a client's connection")));
        world.add(server.clone());
        world.add(client.clone());
        Self {
            world,
            client,
            server,
        }
    }

    /// Runs until both ends have what they were to get: `up` streams at the server, `down` at the
    /// client. Says whether that happened within `secs` virtual seconds.
    pub fn transfer(&mut self, secs: u64, up: usize, down: usize) -> bool {
        let (client, server) = (self.client.clone(), self.server.clone());
        self.world.run(Duration::from_secs(secs), move || {
            let client = client.borrow();
            let server = server.borrow();
            let Some(peer) = server.peers.first() else {
                return false;
            };
            peer.app.complete() >= up && client.peer.app.complete() >= down
        })
    }

    /// Runs until both ends are established and the client knows it.
    pub fn connect(&mut self, secs: u64) -> bool {
        let (client, server) = (self.client.clone(), self.server.clone());
        self.world.run(Duration::from_secs(secs), move || {
            let is_open = |state| state == State::Established;
            let server = server.borrow();
            client.borrow().peer.connection.is_confirmed()
                && server.peers.first().is_some_and(|p| is_open(p.state()))
        })
    }

    /// Adds another client, at the address `192.0.2.1:port`, whose connection begins now.
    pub fn add_client(&mut self, seed: u64, port: u16, setup: &Setup) -> Rc<RefCell<Client>> {
        let addr = SocketAddr::from(([192, 0, 2, 1], port));
        let client = Client::new(self.world.now, seed, addr, server_addr(), setup);
        let client = Rc::new(RefCell::new(client.expect("a client's connection")));
        self.world.add(client.clone());
        client
    }

    /// What both ends know of themselves, for a failing scenario.
    pub fn describe(&self) -> String {
        let client = self.client.borrow();
        let server = self.server.borrow();
        let peers = server.peers.iter().chain([&client.peer]);
        let lines = peers.map(|peer| {
            format!(
                "{:?}\n{:?}\n{:?}\n{:?}",
                peer.connection.info(),
                peer.connection.close_info(),
                peer.app,
                peer.stats
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Lets this much time pass.
    pub fn wait(&mut self, span: Duration) {
        self.world.run(span, || false);
    }
}

/// Runs a scenario for `count` seeds, for as many as `SIM_SEEDS` says, or for the one in `SIM_SEED`.
/// For a seed that fails the command is printed that runs it alone.
pub fn seeds(count: u64, scenario: impl Fn(u64)) {
    let number = |name| env::var(name).ok().and_then(|value| value.parse().ok());
    let range = match (number("SIM_SEED"), number("SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, wanted) => 0..wanted.unwrap_or(count),
    };
    for seed in range {
        let result = catch_unwind(AssertUnwindSafe(|| scenario(seed)));
        if let Err(panic) = result {
            eprintln!("\nseed {seed} fails; in tools/testing/host, run:");
            eprintln!("    SIM_SEED={seed} {}", command());
            resume_unwind(panic);
        }
    }
}

/// The command that runs the present test alone.
fn command() -> String {
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
    let program = env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy();
    // Cargo adds a hash to the program's name.
    let (target, _) = program.rsplit_once('-').unwrap_or((&program, ""));
    let thread = thread::current();
    let test = thread.name().filter(|name| *name != "main");
    format!(
        "cargo test --release -p {package} --test {target} -- {} --exact",
        test.unwrap_or_default()
    )
}
