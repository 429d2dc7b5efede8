// SPDX-License-Identifier: GPL-2.0

//! Acknowledgements that are withheld, come late, or name many ranges.

use super::*;

#[test]
fn packets_with_every_second_number_cost_bounded_memory() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    let region = Region::new(HEAP);
    for _ in 0..100_000 {
        lab.skip_number();
        lab.inject(Side::Client, &[1]);
        lab.drive(Side::Server);
    }
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < BOUND, "{}", grown(&region));
}

#[test]
fn a_client_that_acknowledges_at_last_is_followed_again() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    lab.drive(Side::Server);
    let mut numbers: Vec<u64> = vec![];
    let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
    for port in 2_000..2_300 {
        lab.inject_from(at(port), &[1, 0, 0, 0, 0, 0, 0, 0]);
        for packet in lab.drive(Side::Server) {
            let known = numbers.last().copied().unwrap_or(0);
            numbers.push(lab.number(Side::Server, &packet.bytes, known + 1));
        }
    }
    assert_ne!(lab.remote(Side::Server), at(2_299));
    lab.inject(Side::Client, &ack_of(&numbers));
    lab.inject_from(at(9_000), &[1, 0, 0, 0, 0, 0, 0, 0]);
    lab.drive(Side::Server);
    assert_eq!(lab.error(Side::Server), None);
    assert_eq!(lab.remote(Side::Server), at(9_000));
}

#[test]
fn probes_do_not_make_room_for_more_answers_in_flight() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    lab.drive(Side::Server);
    let mut answers = 0;
    for number in 0..500u64 {
        lab.inject(Side::Client, &with_data(0x1a, &number.to_be_bytes()));
        let packets = lab.drive(Side::Server);
        answers += count_frames(&lab, &packets, 0x1b);
        if number > 100 {
            lab.expire_soon(Side::Server);
        }
    }
    assert_eq!((lab.error(Side::Server), answers), (None, 64));
}

/// An ACK frame of exactly these numbers, which ascend.
fn ack_of(numbers: &[u64]) -> Vec<u8> {
    let mut ranges: Vec<(u64, u64)> = vec![];
    for number in numbers.iter().rev() {
        match ranges.last_mut() {
            Some((first, _)) if *first == number + 1 => *first = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let (first, largest) = ranges[0];
    let mut ack = frame(&[0x02, largest, 0, ranges.len() as u64 - 1, largest - first]);
    let mut below = first;
    for (first, last) in &ranges[1..] {
        ack.extend(frame(&[below - last - 2, last - first]));
        below = *first;
    }
    ack
}

#[test]
fn acknowledgements_of_hundreds_of_ranges_are_cheap() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    let mut numbers: Vec<u64> = vec![];
    while numbers.len() < 1_000 {
        lab.write(Side::Server, 100_000);
        for packet in lab.drive(Side::Server) {
            let known = numbers.last().copied().unwrap_or(0);
            numbers.push(lab.number(Side::Server, &packet.bytes, known + 1));
        }
        let newest = numbers.len().saturating_sub(100);
        lab.inject(Side::Client, &ack_of(&numbers[newest..]));
        lab.inject(Side::Client, &frame(&[0x11, 1, 1 << 40, 0x10, 1 << 40]));
        lab.expire_soon(Side::Server);
        assert_eq!(lab.error(Side::Server), None);
    }
    let region = Region::new(HEAP);
    let scattered: Vec<u64> = numbers.iter().step_by(2).copied().collect();
    let ack = ack_of(&scattered[scattered.len() - 400..]);
    // Four million ranges.
    for _ in 0..10_000 {
        lab.inject(Side::Client, &ack);
    }
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < BOUND, "{}", grown(&region));
}
