// SPDX-License-Identifier: GPL-2.0

//! Fuzzes `quic_sim::chaos::ticket`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quic_sim::chaos::ticket(data));
