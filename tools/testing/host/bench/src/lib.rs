// SPDX-License-Identifier: GPL-2.0

//! What the benchmarks of the protocol core's hot paths run on.
//!
//! `cargo bench -p quic-bench --features criterion` prints the time of one element of each;
//! `cargo test -p quic-bench` checks that the beds do what the benchmarks say. These figures compare one version
//! of the core with another on the same machine. What counts in the end is the number of
//! instructions in the guest, which `make bench` measures.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use quic_core::{
    common::{
        Instant,
        RangeSet,
        Reader,
        Rng,
        Side,
        Space,
        Token,
        Tokens,
        Writer, //
    },
    cong::Algorithm,
    frame::{
        encode_ack,
        Frame, //
    },
    recovery::{
        AckSummary,
        Config,
        Recovery,
        SentPacket, //
    },
};

/// Bytes of a datagram.
pub const MTU: u16 = 1_452;

/// A generator with a fixed seed (the numbers of Knuth's MMIX).
pub struct Lcg(u64);

impl Lcg {
    /// Starts at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Rng for Lcg {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6364136223846793005);
            self.0 = self.0.wrapping_add(1442695040888963407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

/// Recovery with packets in flight.
pub struct Flight {
    recovery: Recovery,
    rng: Lcg,
    now: Instant,
    /// Numbers of the packets sent, in order.
    pub sent: Vec<u64>,
}

impl Flight {
    /// `packets` packets in flight, 10 microseconds apart.
    pub fn new(algorithm: Algorithm, packets: usize) -> Self {
        let mut recovery = Recovery::new(Config {
            side: Side::Server,
            initial_rtt: quic_core::recovery::rtt::INITIAL_RTT,
            mtu: MTU,
            algorithm,
            ecn: false,
        });
        recovery.on_handshake_confirmed();
        let mut flight = Self {
            recovery,
            rng: Lcg::new(1),
            now: Instant::from_nanos(1_000_000_000),
            sent: Vec::new(),
        };
        for _ in 0..packets {
            flight.send();
        }
        flight
    }

    /// Sends one packet with stream data.
    pub fn send(&mut self) -> u64 {
        let pn = self
            .recovery
            .next_packet_number(Space::Data, &mut self.rng)
            .expect("memory and numbers are plenty");
        let mut tokens = Tokens::new();
        let _ = tokens.try_push(Token::MaxData { max: pn });
        let packet = SentPacket {
            time: self.now,
            size: MTU,
            ack_eliciting: true,
            in_flight: true,
            ecn: false,
            mtu_probe: false,
            path: 0,
            tokens,
            snapshot: Default::default(),
            episode: 0,
        };
        self.recovery.on_sent(Space::Data, pn, packet);
        self.now = Instant::from_nanos(self.now.as_nanos() + 10_000);
        self.sent.push(pn);
        pn
    }

    /// Feeds the bytes of an ACK frame.
    pub fn ack(&mut self, bytes: &[u8]) -> AckSummary {
        let Ok(Frame::Ack(frame)) = Frame::parse(&mut Reader::new(bytes)) else {
            panic!("not an ACK frame");
        };
        let at = (self.now, self.now);
        self.recovery
            .on_ack(at, Space::Data, &frame, &mut |_, _, _, _| {})
            .expect("only what was sent is acknowledged")
    }
}

/// An ACK frame of these packet numbers.
pub fn ack_of(pns: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut set = RangeSet::new();
    for pn in pns {
        set.insert(pn).expect("memory is plenty");
    }
    let mut buf = vec![0; 64 + 16 * set.len()];
    let mut writer = Writer::new(&mut buf);
    encode_ack(set.as_slice(), 10, None, &mut writer).expect("there is room");
    let len = writer.position();
    buf.truncate(len);
    buf
}

/// The payload of a full packet as bulk transfer has it: an ACK, a credit update, stream data.
pub fn payload() -> Vec<u8> {
    let mut buf = ack_of((0..40).chain(42..60));
    buf.extend_from_slice(&[0x10, 0x80, 0x01, 0x00, 0x00]);
    // STREAM with offset and length, stream 4.
    buf.extend_from_slice(&[0x0e, 0x04, 0x80, 0x01, 0x00, 0x00, 0x45, 0x00]);
    buf.resize(buf.len() + 0x500, 0xab);
    buf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beds_do_what_the_benchmarks_say() {
        let mut flight = Flight::new(Algorithm::Cubic, 1_000);
        let pairs: Vec<_> = flight.sent.chunks(2).map(<[u64]>::to_vec).collect();
        for pair in pairs {
            let summary = flight.ack(&ack_of(pair));
            assert_eq!((summary.acked, summary.lost), (2, 0));
        }
        let mut flight = Flight::new(Algorithm::NewReno, 1_000);
        let odd: Vec<_> = flight.sent.iter().copied().step_by(2).collect();
        assert_eq!(flight.ack(&ack_of(odd.clone())).acked, 500);
        assert_eq!(flight.ack(&ack_of(odd)).acked, 0);
    }

    #[test]
    fn the_payload_is_three_frames() {
        let payload = payload();
        let mut reader = Reader::new(&payload);
        let mut kinds = Vec::new();
        while !reader.is_empty() {
            kinds.push(Frame::parse(&mut reader).expect("well formed").frame_type());
        }
        assert_eq!(kinds.len(), 3);
    }
}
