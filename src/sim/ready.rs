//! Who has been woken since the scheduler last looked. Wakers may run anywhere, also in callbacks; all they
//! do is set a bit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};

/// A set of client numbers.
#[derive(Debug)]
pub(super) struct ReadySet {
    words: Vec<AtomicU64>,
    any: AtomicBool,
}

struct Bit {
    set: Arc<ReadySet>,
    index: usize,
}

impl ReadySet {
    pub(super) fn new(clients: usize) -> Arc<Self> {
        let words = (0..clients.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { words, any: AtomicBool::new(false) })
    }

    /// A waker that puts `index` into the set.
    pub(super) fn waker(self: &Arc<Self>, index: usize) -> Waker {
        Waker::from(Arc::new(Bit { set: Arc::clone(self), index }))
    }

    /// Whether the set may have members: one load.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Takes all members out.
    pub(super) fn drain(&self, mut take: impl FnMut(usize)) {
        self.any.store(false, Ordering::Release);
        for (index, word) in self.words.iter().enumerate() {
            let mut bits = word.swap(0, Ordering::AcqRel);
            while bits != 0 {
                take(index * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

impl Wake for Bit {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set.words[self.index / 64].fetch_or(1 << (self.index % 64), Ordering::AcqRel);
        self.set.any.store(true, Ordering::Release);
    }
}
