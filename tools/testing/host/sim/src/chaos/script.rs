// SPDX-License-Identifier: GPL-2.0

//! The bytes that decide what happens: those of the fuzzer, or random ones of a seed.

use quic_core::common::id::{
    Dir,
    Level,
    Side, //
};
use quic_core::common::time::Duration;

use crate::forge::varint;

/// Decisions that are left. Behind the end everything is zero.
#[derive(Debug)]
pub struct Script<'a>(&'a [u8]);

/// Numbers near which something changes: encodings, packet sizes, limits, the largest ones.
const EDGES: [u64; 16] = [
    0,
    1,
    63,
    64,
    1_199,
    1_200,
    (1 << 14) - 1,
    1 << 14,
    65_535,
    (1 << 30) - 1,
    1 << 30,
    1 << 32,
    1 << 60,
    (1 << 60) + 1,
    (1 << 62) - 2,
    (1 << 62) - 1,
];

/// Every frame type with the shape of its fields; see [`Script::frame`].
const FRAMES: [(u64, &str); 32] = [
    (0x00, ""),
    (0x01, ""),
    (0x02, "vvzv"),
    (0x02, "vv1vvv"),
    (0x03, "vvzvvvv"),
    (0x04, "ivv"),
    (0x05, "iv"),
    (0x06, "vb"),
    (0x07, "b"),
    (0x08, "iB"),
    (0x0a, "ib"),
    (0x0d, "ivB"),
    (0x0e, "ivb"),
    (0x0f, "ivb"),
    (0x10, "v"),
    (0x11, "iv"),
    (0x12, "v"),
    (0x13, "v"),
    (0x14, "v"),
    (0x15, "iv"),
    (0x16, "v"),
    (0x17, "v"),
    (0x18, "vvct"),
    (0x19, "v"),
    (0x1a, "8"),
    (0x1b, "8"),
    (0x1c, "vvb"),
    (0x1d, "vb"),
    (0x1e, ""),
    (0x24, "ivvv"),
    (0x31, "b"),
    (0xaf, "vvvv"),
];

impl<'a> Script<'a> {
    /// A script.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything is decided.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A choice between `count` things.
    pub fn below(&mut self, count: usize) -> usize {
        let wide = count > 256;
        let high = if wide { self.byte() } else { 0 };
        let drawn = (usize::from(high) << 8) | usize::from(self.byte());
        drawn % count.max(1)
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number, most often small or near an edge.
    pub fn number(&mut self) -> u64 {
        let byte = self.byte();
        match byte {
            0..=127 => u64::from(byte % 64),
            128..=191 => u64::from(self.byte()) << (byte % 8),
            192..=239 => EDGES[usize::from(byte) % EDGES.len()],
            240..=247 => (0..4).fold(0, |sum, _| (sum << 8) | u64::from(self.byte())),
            _ => (0..8).fold(0, |sum, _| (sum << 8) | u64::from(self.byte())),
        }
    }

    /// At most `max` bytes.
    pub fn bytes(&mut self, max: usize) -> Vec<u8> {
        let len = (self.number() as usize).min(max).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }

    /// A client or a server.
    pub fn side(&mut self) -> Side {
        [Side::Client, Side::Server][self.below(2)]
    }

    /// An encryption level.
    pub fn level(&mut self) -> Level {
        let levels = [Level::App, Level::Handshake, Level::Initial, Level::Early];
        // Most of what can be said is said in 1-RTT packets.
        levels[usize::from(self.byte()).saturating_sub(200) % 4]
    }

    /// A direction of streams.
    pub fn dir(&mut self) -> Dir {
        [Dir::Bidi, Dir::Uni][self.below(2)]
    }

    /// From a microsecond to some hours.
    pub fn span(&mut self) -> Duration {
        let shift = u32::from(self.byte()) % 34;
        Duration::from_micros(1 << shift)
    }

    /// A frame of any type; most are well-formed.
    pub fn frame(&mut self) -> Vec<u8> {
        let choice = self.byte();
        if choice >= 250 {
            return self.bytes(64);
        }
        let (kind, fields) = FRAMES[usize::from(choice) % FRAMES.len()];
        let mut out = varint(kind);
        for field in fields.chars() {
            self.field(field, &mut out);
        }
        if choice >= 240 {
            out.pop();
        }
        out
    }

    fn field(&mut self, kind: char, out: &mut Vec<u8>) {
        match kind {
            'z' => out.push(0),
            '1' => out.push(1),
            // A stream: few ids, so that frames meet.
            'i' => {
                let id = match self.byte() {
                    byte @ 0..=239 => u64::from(byte % 12),
                    _ => self.number() & EDGES[15],
                };
                out.extend(varint(id));
            }
            'b' => {
                let bytes = self.bytes(300);
                out.extend(varint(bytes.len() as u64));
                out.extend(bytes);
            }
            // To the end of the packet.
            'B' => out.extend(self.bytes(300)),
            'c' => {
                let len = [8, 8, 8, 20, 1, 0, 21][self.below(7)];
                out.push(len);
                let byte = self.byte();
                out.extend((0..len).map(|at| byte.wrapping_add(at)));
            }
            't' => out.extend([self.byte(); 16]),
            '8' => out.extend([self.byte(); 8]),
            _ => out.extend(varint(self.number() & EDGES[15])),
        }
    }
}
