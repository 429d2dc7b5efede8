// SPDX-License-Identifier: GPL-2.0

//! The hot paths of the core, one element at a time.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

use criterion::{
    criterion_group,
    criterion_main,
    BatchSize,
    Criterion,
    Throughput, //
};
use quic_bench::{
    ack_of,
    payload,
    Flight,
    MTU, //
};
use quic_core::{
    aead::{
        PacketKey,
        Suite, //
    },
    common::{
        Duration,
        Instant,
        OrdMap,
        RangeSet,
        Reader,
        Space, //
    },
    cong::Algorithm,
    frame::Frame,
    recovery::{
        ack::AckTracker,
        Ecn, //
    },
};
use std::hint::black_box;

const PACKETS: usize = 4_096;

/// ACK processing; the time is for each packet sent.
fn recovery(c: &mut Criterion) {
    let mut group = c.benchmark_group("recovery");
    group.throughput(Throughput::Elements(PACKETS as u64));
    group.bench_function("send", |b| {
        b.iter(|| Flight::new(Algorithm::Cubic, PACKETS));
    });
    let sent = Flight::new(Algorithm::Cubic, PACKETS).sent;
    for (name, per_frame) in [("ack of 2", 2), ("ack of 32", 32)] {
        let frames: Vec<_> = sent.chunks(per_frame).map(|c| ack_of(c.to_vec())).collect();
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || Flight::new(Algorithm::Cubic, PACKETS),
                |flight| frames.iter().map(|f| flight.ack(f).acked).sum::<u32>(),
                BatchSize::LargeInput,
            );
        });
    }
    // Frames that repeat everything from the first packet on, as after the loss of many ACKs.
    let frames: Vec<_> = (1..=PACKETS / 32)
        .map(|n| ack_of(sent[..n * 32].to_vec()))
        .collect();
    group.bench_function("ack of everything so far", |b| {
        b.iter_batched_ref(
            || Flight::new(Algorithm::Cubic, PACKETS),
            |flight| frames.iter().map(|f| flight.ack(f).acked).sum::<u32>(),
            BatchSize::LargeInput,
        );
    });
    // The worst a peer can send: hundreds of ranges that acknowledge nothing new.
    let every_other: Vec<_> = sent.iter().copied().step_by(2).collect();
    let frame = ack_of(every_other[every_other.len() - 600..].to_vec());
    group.throughput(Throughput::Elements(600));
    group.bench_function("600 stale ranges", |b| {
        let mut flight = Flight::new(Algorithm::Cubic, PACKETS);
        flight.ack(&frame);
        b.iter(|| flight.ack(&frame));
    });
    group.finish();
}

/// The receive side's bookkeeping; the time is for each packet.
fn tracker(c: &mut Criterion) {
    let mut group = c.benchmark_group("tracker");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for (name, step) in [("in order", 1), ("every other missing", 2)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut tracker = AckTracker::new(Space::Data, Duration::from_millis(25));
                for pn in (0..PACKETS as u64).map(|n| n * step) {
                    let now = Instant::from_nanos(pn);
                    black_box(tracker.on_received(pn, Ecn::Ect0, true, now));
                    if tracker.is_due(now) {
                        tracker.on_ack_sent();
                    }
                }
                tracker.ranges().len()
            });
        });
    }
    group.finish();
}

/// Containers; the time is for each entry.
fn containers(c: &mut Criterion) {
    let mut group = c.benchmark_group("containers");
    group.throughput(Throughput::Elements(PACKETS as u64));
    // A fixed permutation: multiplication by an odd number modulo a power of two.
    let shuffled: Vec<u64> = (0..PACKETS as u64)
        .map(|n| n * 2_731 % PACKETS as u64)
        .collect();
    group.bench_function("ordmap append, find, pop", |b| {
        b.iter(|| {
            let mut map = OrdMap::new();
            for key in 0..PACKETS as u64 {
                let _ = map.insert(key, [key; 4]);
            }
            let found = shuffled.iter().filter(|k| map.get(k).is_some()).count();
            while map.pop_first().is_some() {}
            found
        });
    });
    group.bench_function("ordmap insert, remove shuffled", |b| {
        b.iter(|| {
            let mut map = OrdMap::new();
            for key in &shuffled {
                let _ = map.insert(*key, [*key; 4]);
            }
            shuffled.iter().filter(|k| map.remove(k).is_some()).count()
        });
    });
    group.bench_function("ranges shuffled", |b| {
        b.iter(|| {
            let mut set = RangeSet::new();
            for value in &shuffled {
                let _ = set.insert(*value);
            }
            set.len()
        });
    });
    group.finish();
}

/// Frames and packet protection of a full packet; bytes are payload.
fn packets(c: &mut Criterion) {
    let mut group = c.benchmark_group("packet");
    let payload = payload();
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("parse frames", |b| {
        b.iter(|| {
            let mut reader = Reader::new(black_box(&payload));
            let mut count = 0;
            while !reader.is_empty() {
                count += usize::from(Frame::parse(&mut reader).is_ok());
            }
            count
        });
    });
    for (name, suite) in [
        ("aes-128-gcm", Suite::Aes128Gcm),
        ("chacha20-poly1305", Suite::ChaCha20Poly1305),
    ] {
        let secret = vec![7; suite.key_len()];
        let mut key = PacketKey::new(suite, &secret, &[9; 12]).expect("the suite is known");
        let header = 20;
        let end = usize::from(MTU) - 16;
        group.throughput(Throughput::Bytes((end - header) as u64));
        let mut packet = vec![0u8; usize::from(MTU)];
        group.bench_function(format!("seal {name}"), |b| {
            b.iter(|| {
                key.seal(1, black_box(&mut packet), header, end, &[])
                    .expect("it fits")
            });
        });
        let len = key.seal(1, &mut packet, header, end, &[]).expect("it fits");
        assert_eq!(len, packet.len());
        group.bench_function(format!("open {name}"), |b| {
            b.iter_batched_ref(
                || packet.clone(),
                |packet| key.open(1, packet, header).expect("it is authentic"),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = hot;
    // A few seconds in all: enough to see a change of some per cent on a quiet machine.
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = recovery, tracker, containers, packets
}
criterion_main!(hot);
