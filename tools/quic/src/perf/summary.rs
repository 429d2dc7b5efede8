// SPDX-License-Identifier: GPL-2.0
//! Many times in a few numbers.

use std::time::Duration;

use serde::Serialize;

use crate::human;

/// Distribution of measured times, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub count: usize,
    pub min_us: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

impl Summary {
    /// `None` if nothing was measured.
    pub fn of(mut micros: Vec<u64>) -> Option<Summary> {
        micros.sort_unstable();
        let sum: u128 = micros.iter().map(|time| u128::from(*time)).sum();
        Some(Summary {
            count: micros.len(),
            min_us: *micros.first()?,
            mean_us: sum as f64 / micros.len() as f64,
            p50_us: percentile(&micros, 50)?,
            p90_us: percentile(&micros, 90)?,
            p99_us: percentile(&micros, 99)?,
            max_us: *micros.last()?,
        })
    }

    /// `min 1.00 ms, median 1.20 ms, 90 % 2.00 ms, 99 % 5.00 ms, max 9.00 ms`.
    pub fn line(&self) -> String {
        let text = |micros| human::duration(Duration::from_micros(micros));
        format!(
            "min {}, median {}, 90 % {}, 99 % {}, max {}",
            text(self.min_us),
            text(self.p50_us),
            text(self.p90_us),
            text(self.p99_us),
            text(self.max_us)
        )
    }
}

/// The smallest of the sorted values that at least `percent` of 100 do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_summed_up() {
        let got = Summary::of((1..=200).rev().collect()).unwrap();
        assert_eq!(
            got,
            Summary {
                count: 200,
                min_us: 1,
                mean_us: 100.5,
                p50_us: 100,
                p90_us: 180,
                p99_us: 198,
                max_us: 200,
            }
        );
    }

    #[test]
    fn few_values_are_enough_and_none_are_too_few() {
        assert_eq!(Summary::of(vec![]), None);
        let one = Summary::of(vec![7]).unwrap();
        assert_eq!(
            (one.min_us, one.p50_us, one.p99_us, one.max_us),
            (7, 7, 7, 7)
        );
    }
}
