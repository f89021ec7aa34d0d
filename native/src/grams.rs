//! What stands in a block of events: which need not be read when part of a line, or a value, is looked for.
//!
//! A block has a bit for each of `RUNS` hashes of runs of four characters of its lines, and then one for each of
//! `VALUES` hashes of whole values of its columns, `HASHES` a value. Lines are held against folded words (small letters, composed), so
//! letters are taken small, and a run with anything beyond ASCII is left out of lines and words alike: there
//! folding may change more than case. The few characters that fold *into* ASCII fill their whole block.

const RUNS: usize = 1 << 17;
const VALUES: usize = 1 << 18;
pub const BITS: usize = RUNS + VALUES;
const RUN: usize = 4;
const HASHES: u64 = 3;
/// İ, the Kelvin sign, the Greek question mark and the Greek varia.
const INTO_ASCII: [&[u8]; 4] = [&[0xc4, 0xb0], &[0xe2, 0x84, 0xaa], &[0xcd, 0xbe], &[0xe1, 0xbf, 0xaf]];

/// The bits of the runs of `text`; one may come twice.
pub fn of(text: &[u8], mut found: impl FnMut(usize)) {
    let mut run: u32 = 0;
    let mut length = 0;
    for byte in text {
        if !byte.is_ascii() {
            length = 0;
            continue;
        }
        run = run << 8 | u32::from(byte.to_ascii_lowercase());
        length += 1;
        if length >= RUN {
            found((run.wrapping_mul(0x9e37_79b1) >> (32 - RUNS.trailing_zeros())) as usize);
        }
    }
}

/// Sets the bits of the runs of `text` in a block of `BITS` bits.
pub fn add(block: &mut [u8], text: &[u8]) {
    if !text.is_ascii() && INTO_ASCII.iter().any(|sign| text.windows(sign.len()).any(|part| part == *sign)) {
        block[..RUNS / 8].fill(0xff);
        return;
    }
    of(text, |bit| block[bit / 8] |= 1 << (bit % 8));
}

/// The bits of a value of a column.
pub fn value(column: &str, value: &[u8], mut found: impl FnMut(usize)) {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a, then mixed: its low bits alone are weak
    for byte in column.bytes().chain([0]).chain(value.iter().copied()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (first, step) = (hash >> 32, (hash & 0xffff_ffff) | 1);
    (0..HASHES).for_each(|n| found(RUNS + (first.wrapping_add(n.wrapping_mul(step)) as usize) % VALUES));
}

/// Sets the bits of a value in a block.
pub fn add_value(block: &mut [u8], column: &str, text: &[u8]) {
    value(column, text, |bit| block[bit / 8] |= 1 << (bit % 8));
}

/// Blocks side by side as rows of one bit each: row `bit` is a bit for each block, in whole octets.
pub fn across(blocks: &[Vec<u8>]) -> Vec<u8> {
    let width = blocks.len().div_ceil(8);
    let mut rows = vec![0u8; BITS * width];
    for (number, block) in blocks.iter().enumerate() {
        for (at, octet) in block.iter().enumerate().filter(|(_, octet)| **octet != 0) {
            for bit in (0..8).filter(|bit| octet & (1 << bit) != 0) {
                rows[(at * 8 + bit) * width + number / 8] |= 1 << (number % 8);
            }
        }
    }
    rows
}
