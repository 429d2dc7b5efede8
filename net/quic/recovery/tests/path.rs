// SPDX-License-Identifier: GPL-2.0

//! Migration, MTU and the end of a space.

use super::*;

// RFC 9000 17.2.3 #2 test
#[test]
fn numbers_go_on_after_everything_was_given_up() {
    let mut bed = Bed::new(config(Side::Client));
    let last = bed.send_many(5)[4];
    let now = bed.now;
    bed.recovery.abandon(Space::Data, now, &mut |_, _, _, _| {});
    assert!(bed.send(Space::Data) > last);
}

#[test]
fn a_new_path_starts_anew_and_old_packets_do_not_touch_it() {
    // RFC 9000 9.4 #1 test, RFC 9000 9.4 #2 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(40));
    let old = bed.send_many(6);
    bed.recovery.reset_for_path(1, SIZE, None);
    assert_eq!(bed.recovery.rtt().first_sample(), None);
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
    let window = bed.recovery.congestion().window();
    assert_eq!(window, 10 * u64::from(SIZE));
    bed.advance(ms(500));
    let new = bed.send_packet(
        Space::Data,
        SentPacket {
            path: 1,
            ..bed.packet()
        },
    );
    let summary = bed.ack_each(&old[5..]);
    assert_eq!(summary.lost, 5, "losses of the old path are repaired");
    assert!(
        !summary.is_congested,
        "but are no sign of congestion on the new one"
    );
    assert_eq!(
        bed.recovery.rtt().first_sample(),
        None,
        "nor do they give an RTT"
    );
    assert_eq!(bed.recovery.bytes_in_flight(), u64::from(SIZE));
    bed.advance(ms(30));
    bed.ack_each(&[new]);
    assert_eq!(bed.recovery.rtt().latest(), ms(30));
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
}

#[test]
fn packets_probing_a_path_count_once_it_becomes_the_active_one() {
    let mut bed = Bed::confirmed();
    let probe = bed.send_packet(
        Space::Data,
        SentPacket {
            path: 7,
            ..bed.packet()
        },
    );
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
    bed.recovery.reset_for_path(7, SIZE, Some(ms(60)));
    assert_eq!(bed.recovery.bytes_in_flight(), u64::from(SIZE));
    // RFC 9002 6.2.2 #3 test
    assert_eq!(bed.recovery.rtt().smoothed(), ms(60));
    assert_eq!(bed.recovery.rtt().first_sample(), None);
    bed.ack_each(&[probe]);
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
}

#[test]
fn the_initial_window_follows_the_mtu() {
    // RFC 9002 7.2 #1 test, RFC 9002 7.2 #2 test, RFC 9002 7.2 #3 test, RFC 9002 7.2 #4 test
    for (mtu, initial) in [
        (1200, 12_000),
        (1472, 14_720),
        (1500, 14_720),
        (9000, 18_000),
    ] {
        let mut bed = Bed::confirmed();
        bed.recovery.on_mtu_changed(mtu);
        assert_eq!(bed.recovery.congestion().window(), initial, "{mtu}");
        // A smaller size that completes the handshake gives the window of that size.
        bed.recovery.on_mtu_changed(1250);
        assert_eq!(bed.recovery.congestion().window(), 12_500, "{mtu}");
        bed.recovery.on_mtu_changed(mtu);
        assert_eq!(
            crate::cong::minimum_window(u64::from(mtu)),
            2 * u64::from(mtu)
        );
        bed.sample(ms(10));
        let grown = bed.recovery.congestion().window();
        bed.recovery.on_mtu_changed(1200);
        assert_eq!(
            bed.recovery.congestion().window(),
            grown,
            "no longer the initial window"
        );
    }
}

#[test]
fn an_abandoned_space_gives_everything_back_without_congestion() {
    let mut bed = Bed::new(config(Side::Client));
    let pns: std::vec::Vec<_> = (0..4).map(|_| bed.send(Space::Initial)).collect();
    let window = bed.recovery.congestion().window();
    let mut lost = std::vec::Vec::new();
    bed.recovery
        .abandon(Space::Initial, bed.now, &mut |fate, _, pn, packet| {
            assert_eq!((fate, packet.tokens.iter().count()), (Fate::Lost, 1));
            lost.push(pn);
        });
    assert_eq!(lost, pns);
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
    assert_eq!(bed.recovery.congestion().window(), window);
    assert_eq!(bed.send(Space::Initial), 4, "numbers go on after a Retry");
}

// RFC 9002 6.4 #1 test
// RFC 9002 6.4 #2 test
#[test]
fn rejected_early_data_is_given_up_and_what_was_sent_behind_it_is_not() {
    let mut bed = Bed::confirmed();
    let pns = bed.send_many(6);
    let window = bed.recovery.congestion().window();
    let now = bed.now;
    let mut given_up = std::vec::Vec::new();
    bed.recovery
        .abandon_below(Space::Data, pns[4], now, &mut |_, _, pn, _| {
            given_up.push(pn);
        });
    assert_eq!(given_up, pns[..4]);
    assert_eq!(bed.recovery.bytes_in_flight(), 2 * u64::from(SIZE));
    assert!(bed.recovery.has_eliciting(Space::Data));
    // The packets that were given up are not missed when the others arrive.
    bed.advance(ms(50));
    bed.ack_each(&pns[5..]);
    assert_eq!(bed.recovery.counters().lost, 0);
    assert!(bed.recovery.congestion().window() >= window);
    // Nothing at all below the first number.
    bed.recovery
        .abandon_below(Space::Data, 0, now, &mut |_, _, pn, _| panic!("{pn}"));
}
