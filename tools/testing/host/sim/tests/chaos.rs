// SPDX-License-Identifier: GPL-2.0

//! Whole connections at the mercy of scripts: those that the fuzzer has found worth keeping, and
//! random ones.

use std::fs;
use std::path::Path;

use quic_sim::chaos;
use quic_sim::pair::seeds;
use quic_sim::rng::SeedRng;

fn random(seed: u64, len: u64) -> Vec<u8> {
    let mut rng = SeedRng::new(seed, 99);
    (0..len).map(|_| rng.draw() as u8).collect()
}

#[test]
fn random_scripts_break_nothing() {
    seeds(1_000, |seed| {
        let len = 20 + 50 * (seed % 40);
        chaos::run(&random(seed, len));
    });
}

#[test]
fn what_the_fuzzer_has_found_breaks_nothing_whole_and_cut() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in chaos::TARGETS {
        let folder = corpus.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut inputs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(inputs.len() >= 5, "{name} has {} inputs", inputs.len());
        for path in inputs {
            println!("{}", path.display());
            let input = fs::read(&path).unwrap();
            for cut in [input.len(), input.len() / 2, input.len() / 4] {
                target(&input[..cut]);
            }
        }
    }
}
