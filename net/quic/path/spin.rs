// SPDX-License-Identifier: GPL-2.0

//! The latency spin bit of a path (RFC 9000 17.4).
//!
//! An observer sees the bit change once per round trip: the server shows what the client has shown
//! last, the client the opposite of what the server has. It is off on one path of sixteen, by
//! lot, so that those who switch it off do not stand out; then it is random in every packet.

#![forbid(unsafe_code)]

use crate::common::{
    id::Side,
    rng::Rng, //
};

/// One path in so many has the bit off.
// RFC 9000 17.4 #4
const OFF_ONE_IN: u64 = 16;

/// What the bit does on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// Nothing was sent yet.
    #[default]
    Undecided,
    On,
    Off,
}

/// The bit of one path.
#[derive(Debug, Default)]
pub struct Spin {
    mode: Mode,
    value: bool,
    /// Largest number of a packet that has arrived on the path.
    newest: Option<u64>,
}

impl Spin {
    /// The bit for the next packet. `allowed` is what the owner of the connection chose.
    // RFC 9000 17.4 #2
    // RFC 9000 17.4 #3
    pub fn next(&mut self, allowed: bool, rng: &mut dyn Rng) -> bool {
        if self.mode == Mode::Undecided {
            let is_drawn = rng.u64().checked_rem(OFF_ONE_IN) == Some(0);
            self.mode = if is_drawn { Mode::Off } else { Mode::On };
        }
        if allowed && self.mode == Mode::On {
            self.value
        } else {
            // RFC 9000 17.4 #6
            rng.u64() & 1 == 1
        }
    }

    /// An authentic 1-RTT packet with number `pn` and the bit `value` arrived at `side`.
    // RFC 9000 17.4 #5
    pub fn on_received(&mut self, side: Side, pn: u64, value: bool) {
        if self.newest.is_none_or(|newest| pn > newest) {
            self.newest = Some(pn);
            self.value = value != side.is_client();
        }
    }

    /// Packets of the path go to another connection id from now on.
    pub fn on_id_changed(&mut self) {
        self.value = false;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::recovery::tests::Lcg;

    fn spinning(rng: &mut Lcg) -> Spin {
        loop {
            let mut spin = Spin::default();
            spin.next(true, rng);
            if spin.mode == Mode::On {
                return spin;
            }
        }
    }

    // RFC 9000 17.4 #4 test
    #[test]
    fn one_path_in_sixteen_is_off() {
        let mut rng = Lcg(1);
        let off = (0..16_000)
            .filter(|_| {
                let mut spin = Spin::default();
                spin.next(true, &mut rng);
                spin.mode == Mode::Off
            })
            .count();
        assert!((900..=1_100).contains(&off), "{off} of 16000");
    }

    // RFC 9000 17.4 #2 test, RFC 9000 17.4 #3 test, RFC 9000 17.4 #5 test, RFC 9000 17.4 #6 test
    #[test]
    fn a_bit_that_is_off_is_random_whatever_arrives() {
        for allowed in [false, true] {
            let mut rng = Lcg(2);
            let mut spin = Spin {
                mode: if allowed { Mode::Off } else { Mode::On },
                ..Spin::default()
            };
            let set = (0..1_000)
                .filter(|pn| {
                    spin.on_received(Side::Server, *pn, true);
                    spin.next(allowed, &mut rng)
                })
                .count();
            assert!((400..=600).contains(&set), "{set} of 1000");
        }
    }

    #[test]
    fn the_server_reflects_and_the_client_inverts_the_newest_packet() {
        let mut rng = Lcg(3);
        let (mut client, mut server) = (spinning(&mut rng), spinning(&mut rng));
        assert!(!client.next(true, &mut rng) && !server.next(true, &mut rng));
        let mut bit = false;
        for round in 1..10 {
            server.on_received(Side::Server, 10 * round, bit);
            assert_eq!(server.next(true, &mut rng), bit);
            // An older packet that comes late says nothing.
            server.on_received(Side::Server, 10 * round - 5, !bit);
            assert_eq!(server.next(true, &mut rng), bit);
            client.on_received(Side::Client, round, bit);
            bit = !bit;
            assert_eq!(client.next(true, &mut rng), bit);
        }
        assert!(bit);
        client.on_id_changed();
        assert!(!client.next(true, &mut rng));
    }
}
