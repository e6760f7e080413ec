//! What tells one build of the program from another. Only cases ask; no run ever does.

use std::io::Read;

use crate::tape::{Fingerprint, RunHash};

/// A fingerprint of the program's own bytes, to tell a changed engine from one that is not deterministic.
#[must_use]
pub fn build_fingerprint() -> Option<Fingerprint> {
    let mut file = std::fs::File::open(std::env::current_exe().ok()?).ok()?;
    let mut hash = RunHash::new();
    let mut block = vec![0; 1 << 16];
    loop {
        // A read may come back early; blocks must not depend on that.
        let mut filled = 0;
        while filled < block.len() {
            match file.read(&mut block[filled..]).ok()? {
                0 => break,
                length => filled += length,
            }
        }
        hash.fold_bytes(&block[..filled]);
        if filled < block.len() {
            return Some(hash.fingerprint());
        }
    }
}
