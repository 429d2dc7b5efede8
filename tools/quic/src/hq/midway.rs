// SPDX-License-Identifier: GPL-2.0
//! What `quic get` does to its connection while files arrive: key updates, a migration.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        PoisonError, //
    }, //
};

use quic::Connection;

use crate::{
    cli::MidwayArgs,
    failure::{
        Failure,
        Result, //
    },
};

/// What is still to be done. The kernel may refuse for the moment, while the handshake or the last
/// key update is not confirmed: then the next bytes that arrive are the next occasion.
pub struct Midway(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    received: u64,
    /// Bytes from one key update to the next, and the count of bytes at which one is due.
    update: Option<(u64, u64)>,
    updates: u64,
    migrate: Option<SocketAddr>,
    refusal: Option<Failure>,
}

impl Midway {
    pub fn new(args: &MidwayArgs) -> Midway {
        Midway(Mutex::new(Plan {
            update: args.key_update.map(|every| (every, every)),
            migrate: args.migrate,
            ..Plan::default()
        }))
    }

    /// Bytes arrived: does what is due.
    pub fn on_received(&self, conn: &Connection, bytes: u64) {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plan.received = plan.received.saturating_add(bytes);
        if let Some(addr) = plan.migrate {
            match conn.migrate(addr) {
                Ok(()) => plan.migrate = None,
                Err(err) => plan.refusal = Some(err.into()),
            }
        }
        if plan.is_update_due() {
            match conn.update_keys() {
                Ok(()) => plan.on_updated(),
                Err(err) => plan.refusal = Some(err.into()),
            }
        }
    }

    /// All has arrived. Fails if what was asked for was never possible.
    pub fn finish(self) -> Result<()> {
        let plan = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let missing = match (plan.migrate, plan.is_update_due() && plan.updates == 0) {
            (Some(addr), _) => format!("moving to {addr}"),
            (None, true) => "changing keys".into(),
            (None, false) => return Ok(()),
        };
        let refusal = plan
            .refusal
            .unwrap_or_else(|| Failure::new("nothing arrived that was an occasion for it"));
        Err(refusal.during(missing))
    }
}

impl Plan {
    fn is_update_due(&self) -> bool {
        self.update.is_some_and(|(_, due)| self.received >= due)
    }

    fn on_updated(&mut self) {
        self.updates = self.updates.saturating_add(1);
        if let Some((every, due)) = &mut self.update {
            *due = self.received.saturating_add(*every);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_update_is_due_each_time_the_bytes_have_arrived() {
        let mut plan = Plan {
            update: Some((100, 100)),
            ..Plan::default()
        };
        let mut at = Vec::new();
        for received in (0..=400).step_by(40) {
            plan.received = received;
            if plan.is_update_due() {
                plan.on_updated();
                at.push(received);
            }
        }
        assert_eq!(at, [120, 240, 360]);
    }

    #[test]
    fn what_was_never_possible_is_a_failure() {
        let args = MidwayArgs {
            key_update: Some(10),
            migrate: None,
        };
        assert!(Midway::new(&args).finish().is_ok());
        let midway = Midway::new(&args);
        midway.0.lock().unwrap().received = 10;
        let failure = midway.finish().unwrap_err();
        assert!(failure.to_string().contains("changing keys"), "{failure}");
        let args = MidwayArgs {
            key_update: None,
            migrate: Some(([192, 0, 2, 1], 9).into()),
        };
        let failure = Midway::new(&args).finish().unwrap_err();
        assert!(failure.to_string().contains("192.0.2.1:9"), "{failure}");
    }
}
