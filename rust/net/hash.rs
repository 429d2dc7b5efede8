// SPDX-License-Identifier: GPL-2.0

//! A hash table with a lock per bucket, keyed so that nobody outside can make keys collide.
//!
//! The number of buckets is settled when the table is made: the host's memory bounds how many
//! entries there can be, as with TCP's table of connections.
//!
//! Keys come from the network: connection ids, addresses. The hash is SipHash over all of their
//! bytes with a secret of the table.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use kernel::{
    alloc::{
        flags::{
            GFP_ATOMIC,
            __GFP_NOWARN, //
        },
        KVVec, //
    },
    page::PAGE_SIZE,
    prelude::*,
    static_lock_class, //
};

use crate::linux::{
    bindings,
    rand,
    sync::SpinLockBh, //
};

/// Bytes of the host's memory for each bucket of a table that grows with it. A connection takes
/// some 20 KiB and has up to eight ids, so that chains stay at a few entries even when connections
/// fill the memory. The buckets themselves are an eight-thousandth of it.
const MEMORY_PER_BUCKET: usize = 128 << 10;

/// Bounds of the number of buckets that memory decides.
const MIN_BUCKETS: usize = 1 << 10;
const MAX_BUCKETS: usize = 1 << 19;

/// How many entries a table is made for.
#[derive(Clone, Copy)]
pub enum Size {
    /// Up to some thousand, which something else bounds.
    Small,
    /// As many as sockets in the host's memory, or several for each of its connections.
    Memory,
}

impl Size {
    /// Buckets of a table, a power of two.
    fn buckets(self) -> usize {
        match self {
            Self::Small => MIN_BUCKETS,
            Self::Memory => {
                // SAFETY: no precondition. CAST: a count of pages fits.
                let pages = unsafe { bindings::free_buffer_pages() } as usize;
                let buckets = pages / (MEMORY_PER_BUCKET / PAGE_SIZE);
                buckets
                    .checked_next_power_of_two()
                    .unwrap_or(MAX_BUCKETS)
                    .clamp(MIN_BUCKETS, MAX_BUCKETS)
            }
        }
    }
}

/// What can be looked up.
pub trait Key: Eq + Copy + Send {
    /// Feeds all bytes that tell keys apart to `hash`, as one slice.
    fn with_bytes<R>(&self, hash: impl FnOnce(&[u8]) -> R) -> R;
}

/// A keyed hash, for tables that need another shape than [`Table`].
pub struct Hasher(bindings::siphash_key_t);

impl Hasher {
    /// A hash with a new random secret.
    pub fn new() -> Self {
        Self(bindings::siphash_key_t {
            key: [rand::u64(), rand::u64()],
        })
    }

    /// Hashes `bytes`.
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        // SAFETY: `bytes` is valid for its length, the key is a valid one.
        unsafe { bindings::siphash(bytes.as_ptr().cast(), bytes.len(), &self.0) }
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// An entry of a bucket's chain.
struct Node<K, V> {
    key: K,
    value: V,
    next: Chain<K, V>,
}

type Chain<K, V> = Option<KBox<Node<K, V>>>;

type Bucket<K, V> = SpinLockBh<Chain<K, V>>;

/// A hash table. A key may have several values. Any context but hard interrupt.
///
/// # Invariants
///
/// `buckets` is as long as when it was made, so that the locks never move.
pub struct Table<K: Key, V: Send> {
    hasher: Hasher,
    buckets: KVVec<Bucket<K, V>>,
}

impl<K: Key, V: Send> Table<K, V> {
    /// An empty table. Process context.
    pub fn new(size: Size) -> Result<Self> {
        let count = size.buckets();
        let mut buckets: KVVec<Bucket<K, V>> = KVVec::with_capacity(count, GFP_KERNEL)?;
        for place in buckets.spare_capacity_mut().iter_mut().take(count) {
            let bucket = SpinLockBh::new(None, c"hash_bucket", static_lock_class!());
            // SAFETY: writable, and it stays where it is: see the invariant.
            unsafe { pin_init::raw_init(place.as_mut_ptr(), bucket) };
        }
        let (ptr, _, capacity) = buckets.into_raw_parts();
        // SAFETY: those of the vector just taken apart; so many are initialised.
        let buckets = unsafe { KVVec::from_raw_parts(ptr, count, capacity) };
        Ok(Self {
            hasher: Hasher::new(),
            buckets,
        })
    }

    fn bucket(&self, key: &K) -> Option<&Bucket<K, V>> {
        let hash = key.with_bytes(|b| self.hasher.hash(b));
        let mask = self.buckets.len().wrapping_sub(1);
        // CAST: only the low bits are of use.
        self.buckets.get(hash as usize & mask)
    }

    /// Adds an entry, unless `conflict` finds that one of the same key and the new one cannot be
    /// there together: then `EADDRINUSE`. `ENOMEM` without memory.
    pub fn insert(&self, key: K, value: V, conflict: impl Fn(&V, &V) -> bool) -> Result {
        match self.offer(key, value, conflict)? {
            None => Ok(()),
            Some(_) => Err(EADDRINUSE),
        }
    }

    /// As [`Self::insert`], but hands a value back that cannot be there together with another one.
    pub fn offer(&self, key: K, value: V, conflict: impl Fn(&V, &V) -> bool) -> Result<Option<V>> {
        let node = Node {
            key,
            value,
            next: None,
        };
        let mut node = KBox::new(node, GFP_ATOMIC | __GFP_NOWARN)?;
        let mut head = self.bucket(&key).ok_or(EINVAL)?.lock();
        if iter(&head).any(|n| n.key == key && conflict(&n.value, &node.value)) {
            drop(head);
            return Ok(Some(KBox::into_inner(node).value));
        }
        node.next = head.take();
        *head = Some(node);
        Ok(None)
    }

    /// The first result of `pick` on the values of `key`. `pick` runs under a spin lock.
    pub fn find<R>(&self, key: &K, mut pick: impl FnMut(&V) -> Option<R>) -> Option<R> {
        let head = self.bucket(key)?.lock();
        let found = iter(&head)
            .filter(|n| n.key == *key)
            .find_map(|n| pick(&n.value));
        found
    }

    /// Shows all values of `key` to `show`, under a spin lock.
    pub fn for_each(&self, key: &K, mut show: impl FnMut(&V)) {
        self.find(key, |v| {
            show(v);
            None::<()>
        });
    }

    /// Shows all entries to `show`, bucket by bucket, each under its spin lock.
    pub fn for_all(&self, mut show: impl FnMut(&K, &V)) {
        for bucket in self.buckets.iter() {
            for node in iter(&bucket.lock()) {
                show(&node.key, &node.value);
            }
        }
    }

    /// Takes one entry of `key` out whose value `matches`. The caller drops it, after the lock: that
    /// may free what it refers to.
    pub fn remove_if(&self, key: &K, matches: impl Fn(&V) -> bool) -> Option<V> {
        unlink(&mut self.bucket(key)?.lock(), |n| {
            n.key == *key && matches(&n.value)
        })
    }
}

fn iter<K, V>(head: &Chain<K, V>) -> impl Iterator<Item = &Node<K, V>> {
    let mut next = head.as_deref();
    core::iter::from_fn(move || {
        let node = next?;
        next = node.next.as_deref();
        Some(node)
    })
}

/// Takes the first node out for which `is_it` holds.
fn unlink<K, V>(head: &mut Chain<K, V>, is_it: impl Fn(&Node<K, V>) -> bool) -> Option<V> {
    let mut link = head;
    while link.as_deref().is_some_and(|n| !is_it(n)) {
        link = &mut link.as_mut()?.next;
    }
    let node = KBox::into_inner(link.take()?);
    *link = node.next;
    Some(node.value)
}
