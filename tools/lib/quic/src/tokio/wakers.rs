// SPDX-License-Identifier: LGPL-2.1-or-later
//! The tasks that wait for streams, one for each half.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        Mutex,
        MutexGuard,
        PoisonError, //
    },
    task::{
        Wake,
        Waker, //
    },
};

/// Tasks by the stream they wait for. A task is woken once; it registers again if it has to.
#[derive(Debug, Default)]
pub(super) struct Wakers(Mutex<HashMap<i64, Waker>>);

impl Wakers {
    /// Lets the task of `waker` be woken for stream `id`, instead of whoever waited before.
    pub(super) fn register(&self, id: i64, waker: &Waker) {
        let mut waiting = self.lock();
        match waiting.get_mut(&id) {
            Some(old) => old.clone_from(waker),
            None => drop(waiting.insert(id, waker.clone())),
        }
    }

    /// Nobody waits for the stream any more.
    pub(super) fn forget(&self, id: i64) {
        self.lock().remove(&id);
    }

    /// Whether a task waits for the stream.
    pub(super) fn has(&self, id: i64) -> bool {
        self.lock().contains_key(&id)
    }

    /// Wakes the task that waits for the stream.
    pub(super) fn wake_one(&self, id: i64) {
        let waker = self.lock().remove(&id);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes all.
    pub(super) fn wake_all(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        for waker in waiting.into_values() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime keeps one waker for the socket's room to send; this one stands for all.
impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{
        AtomicUsize,
        Ordering, //
    };

    use super::*;

    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_is_woken_once_for_its_stream_and_for_all() {
        let counters: Vec<_> = (0..3)
            .map(|_| Arc::new(Counter(AtomicUsize::new(0))))
            .collect();
        let woken = || -> Vec<usize> {
            let count = |counter: &Arc<Counter>| counter.0.load(Ordering::Relaxed);
            counters.iter().map(count).collect()
        };
        let wakers = Arc::new(Wakers::default());
        for (id, counter) in [(0, 0), (4, 1), (8, 2), (4, 1)] {
            wakers.register(id, &Waker::from(Arc::clone(&counters[counter])));
        }
        wakers.wake_one(4);
        wakers.wake_one(4);
        assert_eq!(woken(), [0, 1, 0]);
        wakers.forget(8);
        assert!(wakers.has(0) && !wakers.has(4) && !wakers.has(8));
        Waker::from(Arc::clone(&wakers)).wake();
        assert_eq!(woken(), [1, 1, 0]);
    }
}
