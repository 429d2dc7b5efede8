// SPDX-License-Identifier: GPL-2.0

//! Fuzzes `quic_decoders::packet`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quic_decoders::packet(data));
