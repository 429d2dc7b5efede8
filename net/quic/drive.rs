// SPDX-License-Identifier: GPL-2.0

//! The one place where the core's output is carried out.
//!
//! Whoever has called the core calls [`drive`] before the socket lock is given up. It keeps the
//! lookup tables in step, sends what there is to send, settles the memory accounts, publishes the
//! state, arms the timer and wakes those who wait, in this order.

#![forbid(unsafe_code)]

use crate::{
    attached::Attached,
    buf::Datagram,
    close,
    conn::{
        Ecn,
        PathAddr,
        State as ConnState, //
    },
    input,
    linux::{
        net::{
            frag::PacketPages,
            inet,
            skb::{
                SkBuff,
                UdpMeta, //
            },
            sock::{
                Held,
                Owned,
                Sock, //
            }, //
        },
        window::Payload, //
    },
    options::Close,
    output,
    poll,
    quotes::{
        self,
        Deferred, //
    },
    settings,
    socket::{
        Quic,
        Role,
        State,
        DEFER_TIMER, //
    },
    tables, //
};

/// Hands a received datagram, or a batch of them from the same peer, to the connection. The caller
/// drives it afterwards.
pub(crate) fn receive(at: &mut Attached, skb: SkBuff, meta: &UdpMeta) {
    let size = skb.gso_size();
    let Ok(mut payload) = Payload::new(skb, at.core.streams().pinned()) else {
        at.stats.pkt_rcv_drop = at.stats.pkt_rcv_drop.wrapping_add(1);
        return;
    };
    let path = PathAddr {
        local: meta.local,
        remote: meta.remote,
    };
    let ecn = Ecn::from_bits(meta.ecn);
    let size = size.unwrap_or(payload.remaining()).max(1);
    at.dirty = true;
    while payload.remaining() > 0 {
        let mut datagram = Datagram::new(payload.cut(size));
        at.call(|core, cx| core.handle_datagram(cx, path, ecn, &mut datagram));
    }
}

/// Carries out what came of calls to the core.
pub(crate) fn drive(sk: &mut Held<'_, Quic>) {
    let Role::Connection(at) = &mut sk.role else {
        return;
    };
    at.dirty = false;
    let sock = sk.sk();
    let Role::Connection(at) = &mut sk.role else {
        return;
    };
    at.limit_pacing(settings::pacing_limit(sock.raw()));
    tables::sync(sock, at);
    if output::transmit(sock, at) {
        tables::sync(sock, at);
        // Messages are about what was sent, so once does.
        sock.shared().globals.tables.quotes.sync(sock, at);
    }
    settle(sk);
}

/// Carries out what came of reading data: most often nothing but that memory came free.
pub(crate) fn after_read(sk: &mut Held<'_, Quic>) {
    let Role::Connection(at) = &mut sk.role else {
        return;
    };
    let is_more = at.dirty
        || at.core.events().has_wake()
        || at.core.streams().has_room()
        || at.call(|core, cx| core.wants_transmit(cx));
    if is_more {
        drive(sk);
        return;
    }
    let (received, objects) = (at.core.recv_truesize(), at.core.object_truesize());
    sk.settle_rmem(received);
    sk.settle_objects(objects);
    poll::publish(sk);
}

/// Everything but sending.
fn settle(sk: &mut Held<'_, Quic>) {
    let sock = sk.sk();
    let Role::Connection(at) = &mut sk.role else {
        return;
    };
    let (sent, received) = (at.core.send_truesize(), at.core.recv_truesize());
    let objects = at.core.object_truesize();
    let has_room = at.core.streams_mut().take_room();
    let (wake, timeout) = (at.core.events().take_wake(), at.core.next_timeout());
    let state = at.core.state();
    let path = at.core.path();
    sock.shared().counters.take_in(&mut at.stats, &mut at.total);
    let wanted = wanted_sndbuf(sock, at, sent);
    sk.settle_wmem(sent);
    sk.settle_rmem(received);
    sk.settle_objects(objects);
    if wake.state || sock.raw().state() != shown(state) {
        show_state(sk, state, path);
    }
    if let Some(bytes) = wanted {
        sk.set_sndbuf(bytes);
    }
    match timeout {
        Some(at) => sk.arm_timer(at.as_nanos()),
        None => sk.stop_timer(),
    }
    let streams = wake.streams || has_room;
    poll::publish(sk);
    if wake.readable {
        sock.raw().wake_readers();
    }
    if wake.writable || streams {
        sock.raw().wake_writers();
    }
    if wake.state {
        sock.raw().wake_all();
    }
}

/// A larger send buffer, if the present one is too small for the congestion window and the user
/// did not set it, up to the maximum of `net.quic.quic_wmem`. Looked at only when it is in use.
fn wanted_sndbuf(sk: &Sock<Quic>, at: &Attached, used: usize) -> Option<usize> {
    let present = sk.raw().sndbuf();
    if used <= present / 2 || sk.sndbuf_locked() {
        return None;
    }
    let window = usize::try_from(at.core.info().cwnd).unwrap_or(usize::MAX);
    let wanted = window.saturating_mul(4).min(sk.raw().max_sndbuf());
    (wanted > present && !sk.raw().under_memory_pressure()).then_some(wanted)
}

fn shown(state: ConnState) -> u8 {
    match state {
        ConnState::Establishing => inet::SYN_RECV,
        ConnState::Established => inet::ESTABLISHED,
        _ => inet::CLOSE,
    }
}

/// Shows the connection's state and addresses on the socket.
fn show_state(sk: &mut Held<'_, Quic>, state: ConnState, path: PathAddr) {
    let sock = sk.sk();
    let raw = sock.raw();
    let (old, new) = (raw.state(), shown(state));
    if old != new {
        let counters = &sock.shared().counters;
        counters.on_state(sk.is_server(), old, new);
        raw.set_state(new);
    }
    if !state.is_open() {
        remember_cause(sk);
        if state == ConnState::Closed && raw.is_dead() {
            sock.queue_work(&sock.shared().globals.queue);
        }
        return;
    }
    if sk.local != Some(path.local) {
        raw.set_local(&path.local);
        sk.local = Some(path.local);
        sk.choose_tunnel();
    }
    if sk.remote != Some(path.remote) {
        raw.set_remote(&path.remote);
        sk.remote = Some(path.remote);
    }
}

/// Keeps why the connection ended for CONNECTION_CLOSE.
fn remember_cause(sk: &mut Held<'_, Quic>) {
    let Role::Connection(at) = &sk.role else {
        return;
    };
    if let Some(close) = at.core.close_info().map(Close::of) {
        sk.options.close = close;
    }
}

/// A packet that waited while a process owned the socket.
pub(crate) fn backlog(sk: &mut Held<'_, Quic>, skb: SkBuff) {
    if let Some((owner, skb)) = input::handle(sk, skb, true) {
        input::deliver(&owner, skb);
    }
}

/// A process gives up the lock.
pub(crate) fn release(sk: &mut Held<'_, Quic>, deferred: &mut Deferred) {
    if let Some(message) = deferred.too_big.take() {
        quotes::take(sk, &message);
    }
    let bits = sk.sk().shared().take_deferred();
    if bits & DEFER_TIMER != 0 {
        sk.run_timer();
        return;
    }
    let sndbuf = sk.sk().raw().sndbuf();
    match &sk.role {
        Role::Connection(at) if at.dirty => drive(sk),
        // SO_SNDBUF is set behind our back: there may be room now.
        Role::Connection(at) if at.published_sndbuf != sndbuf => poll::publish(sk),
        _ => {}
    }
}

/// The timer expired.
pub(crate) fn timer(sk: &mut Held<'_, Quic>) {
    if let Role::Connection(at) = &mut sk.role {
        at.call(|core, cx| core.handle_timeout(cx));
        drive(sk);
        sk.give_up_pages();
        sk.reclaim();
    }
}

impl State {
    /// Gives up the memory for packets to come of a connection that has become idle.
    fn give_up_pages(&mut self) {
        if let Some(at) = self.attached().filter(|at| at.core.is_resting()) {
            at.pages = PacketPages::default();
        }
    }
}

/// Work in process context: the end of a socket without descriptor.
pub(crate) fn work(sk: &mut Owned<'_, Quic>) {
    let is_over = match &sk.role {
        Role::Connection(at) => at.core.state() == ConnState::Closed,
        _ => true,
    };
    if is_over && sk.sk().raw().is_dead() {
        close::tear_down(sk);
    }
}
