// SPDX-License-Identifier: GPL-2.0

//! Socket buffers behind the `buf` facade: what is kept of a datagram, and what it is charged with.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use super::{
    expect,
    repeat, //
};
use crate::{
    buf::{
        Datagram,
        Pinned,
        RxSlice, //
    },
    linux::{
        net::skb::SkBuff,
        window::Payload, //
    },
};

/// Datagrams of a batch, and the length of each in bytes.
const COUNT: u16 = 32;
const SIZE: u16 = 1000;
/// Bytes that a batch holds at least.
const BATCH: usize = COUNT as usize * SIZE as usize;

/// A buffer of many datagrams.
fn batch(owner: &Pinned) -> Result<Payload> {
    let mut skb = SkBuff::alloc(0, BATCH)?;
    let room = skb.tailroom_mut(BATCH).ok_or(EINVAL)?;
    room.fill(b'a');
    skb.grow(BATCH);
    skb.set_gso(SIZE, COUNT);
    Ok(Payload::new(skb, owner)?)
}

/// Keeps `len` bytes of the next datagram.
fn keep(payload: &mut Payload, len: usize) -> Result<RxSlice> {
    let datagram = Datagram::new(payload.cut(usize::from(SIZE)));
    Ok(datagram.retain(0, len)?)
}

/// Retained parts of a datagram do not change when the rest is written.
pub(super) fn retained_bytes_keep_their_value() -> Result {
    let bytes = repeat(2000, b'x')?;
    let mut datagram = Datagram::try_from_slice(&bytes)?;
    datagram.bytes_mut().fill(b'a');
    let mut large = datagram.retain(100, 1500)?;
    let small = datagram.retain(1990, 99)?;
    datagram.bytes_mut().fill(b'b');
    let after = datagram.retain(0, 2000)?;
    drop(datagram);
    large.advance(10);
    large.truncate(1000);
    expect(large.len() == 1000 && small.len() == 10)?;
    expect(small.truesize() < large.truesize())?;
    expect(large.with_bytes(|bytes| bytes.iter().all(|byte| *byte == b'a')))?;
    expect(small.with_bytes(|bytes| bytes == b"aaaaaaaaaa"))?;
    let mut out = [0; 8];
    expect(after.copy_to(1995, &mut out) == 5)?;
    expect(out == *b"bbbbb\0\0\0")
}

/// However little of a batch is kept, all of its memory is charged, once, until the last part goes.
pub(super) fn a_batch_is_charged_while_a_part_is_kept() -> Result {
    let owner = Pinned::try_new()?;
    let mut payload = batch(&owner)?;
    let small = keep(&mut payload, 20)?;
    expect(owner.bytes() == 0 && small.truesize() > 0)?;
    let one = keep(&mut payload, 400)?;
    let held = owner.bytes();
    expect(held >= BATCH)?;
    let other = keep(&mut payload, 400)?;
    drop(payload);
    expect(owner.bytes() == held)?;
    expect(one.truesize() == 0 && one.memory_share() >= usize::from(SIZE))?;
    drop(one);
    expect(owner.bytes() == held)?;
    expect(other.with_bytes(|bytes| bytes.len() == 400 && bytes.iter().all(|byte| *byte == b'a')))?;
    drop(other);
    expect(owner.bytes() == 0)?;
    // A batch of which nothing was kept counts at no time.
    drop(batch(&owner)?);
    expect(owner.bytes() == 0)
}

/// Beyond the owner's limit a batch is let go: what is kept of it is a copy.
pub(super) fn beyond_the_limit_parts_are_copied() -> Result {
    let owner = Pinned::try_new()?;
    owner.set_limit(BATCH);
    let mut payload = batch(&owner)?;
    let first = keep(&mut payload, 400)?;
    let held = owner.bytes();
    let second = keep(&mut payload, 400)?;
    expect(second.truesize() == 0)?;
    let mut next = batch(&owner)?;
    let third = keep(&mut next, 400)?;
    expect(owner.bytes() == held && third.truesize() >= 400)?;
    expect(third.with_bytes(|bytes| bytes == [b'a'; 400]))?;
    // There is room for it again.
    drop((payload, first, second));
    let fourth = keep(&mut next, 400)?;
    expect(owner.bytes() == held && fourth.truesize() == 0)
}
