//! Bytes that an I/O reads into or writes from while its author still holds them.
//!
//! A buffer is shared, not handed over, because that is how engines use them: to change one while a write
//! from it is in flight is a bug an engine can have, and the simulated disk must be able to show it.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

/// A shared run of bytes of fixed length. Clones are the same bytes.
#[derive(Clone, Debug)]
pub struct Buffer {
    bytes: Arc<Mutex<Box<[u8]>>>,
    len: usize,
}

impl Buffer {
    /// `len` zero bytes.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self::from(vec![0; len])
    }

    /// The number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes, for reading and writing. Hold the guard briefly: a second `lock` on the same thread
    /// while it lives waits for ever.
    pub fn lock(&self) -> MutexGuard<'_, Box<[u8]>> {
        self.bytes.lock()
    }

    /// A copy of the bytes as they are now.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.lock().to_vec()
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self { bytes: Arc::new(Mutex::new(bytes.into_boxed_slice())), len }
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}
