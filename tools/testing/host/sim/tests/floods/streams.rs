// SPDX-License-Identifier: GPL-2.0

//! Streams, their fragments, and datagrams.

use super::*;

/// Where the fragment of a number lies.
type Offset = Box<dyn Fn(u64) -> u64>;

#[test]
fn streams_that_come_and_go_leave_nothing() {
    let _alone = alone();
    let cases: Vec<(&str, Make)> = vec![
        ("reset", Box::new(|n| frame(&[0x04, 4 * n + 2, 7, 0]))),
        ("FIN only", Box::new(|n| frame(&[0x0b, 4 * n + 2, 0]))),
        (
            "one byte and FIN",
            Box::new(|n| with_data(0x0b, &[&frame(&[4 * n + 2, 1])[..], b"x"].concat())),
        ),
        (
            "reset of a bidirectional one",
            Box::new(|n| frame(&[0x04, 4 * n + 4, 7, 0, 0x05, 4 * n + 4, 7])),
        ),
    ];
    for (what, make) in cases {
        let outcome = flood(Side::Client, 100_000, false, &make);
        // Nobody reads, or nobody acknowledges: the limit of streams is the bound.
        let code = ErrorCode::STREAM_LIMIT_ERROR.0;
        assert_eq!(outcome.error, Some(code), "{what} {outcome:?}");
        // A packet with MAX_STREAMS that is not acknowledged keeps a block of the store of sent
        // packets for itself, when the others of the block held nothing but ACK frames.
        assert!(outcome.held < 2 * BOUND, "{what} {outcome:?}");
    }
}

#[test]
fn the_highest_stream_opens_all_below_for_little_memory() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    lab.inject(Side::Client, &[1]);
    lab.drive(Side::Server);
    let region = Region::new(HEAP);
    // The 100th of each type.
    for id in [4 * 99, 4 * 99 + 2] {
        lab.inject(
            Side::Client,
            &with_data(0x0a, &[&frame(&[id, 1])[..], b"x"].concat()),
        );
        lab.drive(Side::Server);
    }
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < 20_000, "{}", grown(&region));
}

// RFC 9000 21.7 #1 test
#[test]
fn fragments_of_one_byte_are_bounded_in_any_order() {
    let _alone = alone();
    let far = 200_000;
    let cases: Vec<(&str, Offset)> = vec![
        ("every second, upwards", Box::new(|n| 2 * n + 1)),
        ("every second, downwards", Box::new(move |n| 2 * (far - n))),
        ("scattered", Box::new(move |n| (n * 7_919) % far)),
    ];
    for (what, offset) in cases {
        for id in [4, 6] {
            let outcome = flood(Side::Client, far / 2, true, |n| {
                let header = frame(&[0x0e, id, offset(n), 1]);
                [&header[..], b"x"].concat()
            });
            assert!(outcome.held < 3 << 20, "{what} {outcome:?}");
        }
    }
}

#[test]
fn empty_and_tiny_datagrams_cost_nothing() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    let before = lab.opened(Side::Server);
    let region = Region::new(HEAP);
    for number in 0..200_000u32 {
        let bytes = vec![number as u8 | 0x40; number as usize % 3];
        lab.deliver(Side::Server, bytes);
        assert!(lab.drive(Side::Server).is_empty());
    }
    assert_eq!(lab.opened(Side::Server), before);
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < 10_000);
}
