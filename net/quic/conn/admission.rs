// SPDX-License-Identifier: GPL-2.0

//! Whether a listener keeps what a client sent before it is accepted.
//!
//! Two things are bounded: how many clients wait, by the backlog, and the memory of their packets.
//! Clients whose address is not proven, which anybody may forge, get half of either; a Retry tells
//! the others how to prove it, and keeps the other half for those who did.

#![forbid(unsafe_code)]

/// Memory for each client that the backlog lets wait, bytes: three datagrams as they come from a
/// device, with what the kernel keeps beside them.
const EACH: usize = 8 << 10;

/// What a listener may keep of clients that wait.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    clients: usize,
    bytes: usize,
}

/// What clients that wait take up already.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many they are.
    pub clients: usize,
    /// Memory of their packets, bytes.
    pub bytes: usize,
}

/// What becomes of a client's first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is kept.
    Welcome,
    /// The client has to prove its address first.
    Retry,
    /// There is no room for anybody.
    Refuse,
}

impl Room {
    /// For `backlog` clients. A receive buffer of `rcvbuf` bytes may hold more packets than are
    /// needed; it never makes the backlog smaller.
    pub fn new(backlog: usize, rcvbuf: usize) -> Self {
        Self {
            clients: backlog,
            bytes: rcvbuf.max(backlog.saturating_mul(EACH)),
        }
    }

    /// Decides on a new client whose first packet takes `more` bytes.
    // RFC 9000 8.1.2 #1
    pub fn admit(&self, load: Load, more: usize, is_proven: bool) -> Admission {
        let is_busy = load.clients > self.clients / 2 || !self.takes(load, more, false);
        if !is_proven && is_busy {
            return Admission::Retry;
        }
        if load.clients >= self.clients || !self.takes(load, more, is_proven) {
            return Admission::Refuse;
        }
        Admission::Welcome
    }

    /// Whether `more` bytes of a client may be kept.
    pub fn takes(&self, load: Load, more: usize, is_proven: bool) -> bool {
        let limit = if is_proven {
            self.bytes
        } else {
            self.bytes / 2
        };
        load.bytes.saturating_add(more) <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Admission::{
            self,
            *, //
        },
        *,
    };

    /// (backlog, rcvbuf, clients, bytes, more, unproven, proven)
    type Row = (usize, usize, usize, usize, usize, Admission, Admission);

    const DATAGRAM: usize = 2304;
    const BATCH: usize = 64 << 10;

    const ROWS: [Row; 14] = [
        // By number: the first half is for anybody, one more than half as listen(2) rounds.
        (16, 0, 0, 0, DATAGRAM, Welcome, Welcome),
        (16, 0, 8, 0, DATAGRAM, Welcome, Welcome),
        (16, 0, 9, 0, DATAGRAM, Retry, Welcome),
        (16, 0, 15, 0, DATAGRAM, Retry, Welcome),
        (16, 0, 16, 0, DATAGRAM, Retry, Refuse),
        // The smallest backlog and buffer take a client.
        (1, 0, 0, 0, DATAGRAM, Welcome, Welcome),
        (1, 0, 1, DATAGRAM, DATAGRAM, Retry, Refuse),
        // By memory: half for anybody, wherever it comes from.
        (
            16,
            0,
            1,
            16 * EACH / 2 - DATAGRAM,
            DATAGRAM,
            Welcome,
            Welcome,
        ),
        (
            16,
            0,
            1,
            16 * EACH / 2 - DATAGRAM + 1,
            DATAGRAM,
            Retry,
            Welcome,
        ),
        (16, 0, 1, 16 * EACH - DATAGRAM, DATAGRAM, Retry, Welcome),
        (16, 0, 1, 16 * EACH - DATAGRAM + 1, DATAGRAM, Retry, Refuse),
        // A large receive buffer gives more.
        (1, 2 * BATCH, 0, 0, BATCH, Welcome, Welcome),
        (1, 2 * BATCH - 1, 0, 0, BATCH, Retry, Welcome),
        // Nothing overflows.
        (usize::MAX, 0, 0, usize::MAX, 1, Retry, Welcome),
    ];

    // RFC 9000 8.1.2 #1 test
    #[test]
    fn half_is_for_anybody_and_half_for_proven_addresses() {
        for row in ROWS {
            let (backlog, rcvbuf, clients, bytes, more, unproven, proven) = row;
            let room = Room::new(backlog, rcvbuf);
            let load = Load { clients, bytes };
            assert_eq!(room.admit(load, more, false), unproven, "{row:?}");
            assert_eq!(room.admit(load, more, true), proven, "{row:?}");
        }
    }

    #[test]
    fn a_flood_of_batches_leaves_half_of_the_memory_to_proven_clients() {
        let room = Room::new(4096, 0);
        let mut load = Load {
            clients: 0,
            bytes: 0,
        };
        while room.admit(load, BATCH, false) == Welcome {
            load.clients += 1;
            load.bytes += BATCH;
        }
        // Further packets of those that were let in do not take the rest.
        assert!(!room.takes(load, BATCH, false));
        assert_eq!(load.bytes, 4096 * EACH / 2);
        let before = load.clients;
        while room.admit(load, DATAGRAM, true) == Welcome {
            load.clients += 1;
            load.bytes += DATAGRAM;
        }
        assert_eq!(load.clients, 4096);
        assert!(before < 4096 / 2);
    }

    #[test]
    fn ordinary_clients_fill_the_backlog_before_the_memory() {
        // With less than four only the receive buffer has room for a second one.
        for backlog in [4, 16, 128, 4096] {
            let room = Room::new(backlog, 0);
            for clients in 0..backlog {
                let load = Load {
                    clients,
                    bytes: clients * 3 * DATAGRAM,
                };
                let expected = if clients > backlog / 2 {
                    Retry
                } else {
                    Welcome
                };
                assert_eq!(room.admit(load, DATAGRAM, false), expected);
                assert_eq!(room.admit(load, DATAGRAM, true), Welcome);
            }
        }
    }
}
