// SPDX-License-Identifier: GPL-2.0

//! Replays what the fuzzer has found worth keeping, cut at every length, on any toolchain.

#![forbid(unsafe_code)]

use quic_decoders::TARGETS;
use std::{
    fs,
    path::Path, //
};

#[test]
fn every_input_of_the_corpus_passes_whole_and_cut() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut inputs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(inputs.len() >= 5, "{name} has {} inputs", inputs.len());
        for path in inputs {
            let bytes = fs::read(&path).unwrap();
            println!("{}", path.display());
            target(&bytes);
            // A truncated input is another one.
            let step = (bytes.len() / 64).max(1);
            for cut in (0..bytes.len()).step_by(step) {
                target(&bytes[..cut]);
            }
        }
    }
}
