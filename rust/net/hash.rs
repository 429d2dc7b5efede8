// SPDX-License-Identifier: GPL-2.0

//! A hash table with a lock per bucket, keyed so that nobody outside can make keys collide.
//!
//! Keys come from the network: connection ids, addresses. The hash is SipHash over all of their
//! bytes with a secret of the table.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use kernel::{
    alloc::flags::{
        GFP_ATOMIC,
        __GFP_NOWARN, //
    },
    prelude::*,
    static_lock_class, //
};

use crate::linux::{
    bindings,
    rand,
    sync::SpinLockBh, //
};

/// Buckets of a table. Chains stay short up to some ten thousand entries.
const BUCKETS: usize = 4096;

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

/// A hash table. A key may have several values. Any context but hard interrupt.
#[pin_data]
pub struct Table<K: Key, V: Send> {
    hasher: Hasher,
    #[pin]
    buckets: [SpinLockBh<KVec<(K, V)>>; BUCKETS],
}

impl<K: Key, V: Send> Table<K, V> {
    /// An empty table.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            hasher: Hasher::new(),
            buckets <- pin_init::pin_init_array_from_fn(|_| {
                SpinLockBh::new(KVec::new(), c"hash_bucket", static_lock_class!())
            }),
        })
    }

    fn bucket(&self, key: &K) -> Option<&SpinLockBh<KVec<(K, V)>>> {
        let hash = key.with_bytes(|b| self.hasher.hash(b));
        // CAST: reduced modulo a small number.
        self.buckets.get((hash % BUCKETS as u64) as usize)
    }

    /// Adds an entry, unless `conflict` finds fault with one of the same key: then `EADDRINUSE`.
    /// `ENOMEM` without memory.
    pub fn insert(&self, key: K, value: V, conflict: impl Fn(&V) -> bool) -> Result {
        let mut bucket = self.bucket(&key).ok_or(EINVAL)?.lock();
        if bucket.iter().any(|(k, v)| *k == key && conflict(v)) {
            return Err(EADDRINUSE);
        }
        bucket.push((key, value), GFP_ATOMIC | __GFP_NOWARN)?;
        Ok(())
    }

    /// The first result of `pick` on the values of `key`. `pick` runs under a spin lock.
    pub fn find<R>(&self, key: &K, pick: impl FnMut(&V) -> Option<R>) -> Option<R> {
        let bucket = self.bucket(key)?.lock();
        let values = bucket.iter().filter(|(k, _)| k == key);
        values.map(|(_, v)| v).find_map(pick)
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
        for bucket in &self.buckets {
            for (k, v) in bucket.lock().iter() {
                show(k, v);
            }
        }
    }

    /// Takes one entry out that lies in the same bucket as `key` and for which `is_old` holds.
    pub fn remove_old(&self, key: &K, is_old: impl Fn(&V) -> bool) -> Option<V> {
        let mut bucket = self.bucket(key)?.lock();
        let at = bucket.iter().position(|(_, v)| is_old(v))?;
        bucket.remove(at).ok().map(|(_, v)| v)
    }

    /// Takes one entry of `key` out whose value `matches`.
    pub fn remove_if(&self, key: &K, matches: impl Fn(&V) -> bool) -> Option<V> {
        let mut bucket = self.bucket(key)?.lock();
        let at = bucket.iter().position(|(k, v)| k == key && matches(v))?;
        // The value is dropped by the caller, after the lock: that may free what it refers to.
        bucket.remove(at).ok().map(|(_, v)| v)
    }
}
