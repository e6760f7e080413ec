//! The checksum of pages, frames and log headers.
//!
//! It guards against torn writes and damaged media, not against people. Its values are part of the file
//! format, so they never change.

use crate::tape::mix;

/// 64 bits that depend on `seed`, on every byte, and on how many there are.
pub(super) fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(seed ^ (bytes.len() as u64).rotate_left(32));
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^= state >> 29;
    }
    for &byte in rest {
        state = (state ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    mix(state)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn a_checksum_depends_on_the_seed_every_byte_and_the_length() {
        let bytes = [7; 21];
        let base = checksum(1, &bytes);
        assert_ne!(base, checksum(2, &bytes));
        assert_ne!(base, checksum(1, &bytes[..20]));
        for at in 0..bytes.len() {
            let mut other = bytes;
            other[at] ^= 0x80;
            assert_ne!(base, checksum(1, &other), "byte {at}");
        }
    }

    #[test]
    fn its_values_are_part_of_the_file_format() {
        assert_eq!(checksum(0, b""), 12_035_550_249_420_947_055);
        assert_eq!(checksum(1, b"dinghy, a small boat"), 4_186_617_229_845_479_007);
    }
}
