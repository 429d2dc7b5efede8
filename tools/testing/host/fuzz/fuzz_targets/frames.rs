// SPDX-License-Identifier: GPL-2.0

//! Fuzzes `quic_decoders::frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quic_decoders::frames(data));
