// SPDX-License-Identifier: GPL-2.0
//! Numbers as people write and read them.

use std::time::Duration;

/// Reads `100`, `64K`, `16M`, `2G`, with an optional `iB` or `B`; the letters are powers of 1024.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = text.get(digits.len()..).unwrap_or_default();
    let shift = match suffix.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("{suffix:?} is not one of K, M, G")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{digits:?} is not a number"))?;
    match number.checked_mul(1 << shift) {
        Some(0) => Err("zero bytes are too few".into()),
        Some(bytes) => Ok(bytes),
        None => Err("that is too much".into()),
    }
}

/// Reads the size of a message for the latency, at most 1 MiB.
pub fn parse_message(text: &str) -> Result<u32, String> {
    match u32::try_from(parse_bytes(text)?) {
        Ok(size @ ..=0x10_0000) => Ok(size),
        _ => Err("at most 1M".into()),
    }
}

/// `1.50 MiB`, `17 bytes`.
pub fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} byte{}", if count == 1 { "" } else { "s" });
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = units[0];
    for next in &units[1..] {
        // What would round to 1024.00 belongs to the next unit.
        if value < 1023.995 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.2} {unit}")
}

/// `12.3 ms`, `1.50 s`, `850 µs`.
pub fn duration(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.2} ms", micros as f64 / 1e3),
        10_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// Megabits per second; 0 for no time.
pub fn mbit_s(bytes: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 {
        bytes as f64 * 8.0 / 1e6 / seconds
    } else {
        0.0
    }
}

/// `94.3 Mbit/s (11.2 MiB/s)`.
pub fn rate(count: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let per_second = if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    };
    format!(
        "{:.1} Mbit/s ({}/s)",
        mbit_s(count, time),
        bytes(per_second as u64)
    )
}

/// A count with its noun: `1 file`, `2 files`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_table() {
        for (text, value) in [
            ("1", 1),
            ("100B", 100),
            ("64K", 65536),
            ("64kib", 65536),
            ("16M", 16 << 20),
            ("2G", 2 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(value), "{text}");
        }
        for text in [
            "",
            "0",
            "K",
            "-1",
            "1.5M",
            "1T",
            "1 M",
            "99999999999G",
            "0x10",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_by_table() {
        for (value, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            ((1 << 20) - 1, "1.00 MiB"),
            (16 << 20, "16.00 MiB"),
            (u64::MAX, "16.00 EiB"),
        ] {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn times_are_written_by_table() {
        for (micros, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1000, "1.00 ms"),
            (41_234, "41.2 ms"),
            (1_500_000, "1.50 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn no_time_gives_no_rate() {
        assert_eq!(rate(100, Duration::ZERO), "0.0 Mbit/s (0 bytes/s)");
        assert_eq!(
            rate(1 << 20, Duration::from_secs(1)),
            "8.4 Mbit/s (1.00 MiB/s)"
        );
    }
}
