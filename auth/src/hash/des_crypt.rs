//! The crypt(3) of Seventh Edition Unix: DES (FIPS 46-3), 25 times over zeros,
//! with the password as its key and its expansion changed by twelve bits of
//! salt.
//!
//! The table of the expansion belongs to no key and no block, so that the DES
//! of a library, which has it built in, does not help.

use super::crypt64;

/// One way to write it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct DesCrypt {
    salt: [u8; 2],
}

/// All that counts of a password, and seven bits of each byte.
const PASSWORD_BYTES: usize = 8;
const LENGTH: usize = 13;
const TIMES: usize = 25;

impl DesCrypt {
    /// Reads the whole notation; `None` if it is damaged.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        // 64 bits are ten characters and four bits, here with the high bits
        // first.
        let is_whole = bytes.len() == LENGTH
            && bytes.iter().all(|&b| crypt64::value(b).is_some())
            && crypt64::value(bytes[LENGTH - 1])? & 3 == 0;
        is_whole.then(|| Self {
            salt: [bytes[0], bytes[1]],
        })
    }

    /// The notation of a password.
    pub(super) fn text_of(&self, password: &[u8]) -> String {
        let mut block = 0;
        let keys = round_keys(key(password));
        let expansion = self.expansion();
        for _ in 0..TIMES {
            block = encrypt(block, &keys, &expansion);
        }
        self.text(block)
    }

    /// A notation that matches no password known.
    pub(super) fn decoy() -> String {
        let salt = crypt64::random(2);
        let salt = [salt.as_bytes()[0], salt.as_bytes()[1]];
        Self { salt }.text(rand::random())
    }

    fn text(&self, block: u64) -> String {
        let mut text: String = self.salt.map(char::from).iter().collect();
        let bits = u128::from(block) << 2;
        for place in (0..11).rev() {
            text.push(crypt64::character((bits >> (place * 6)) as u32 & 63));
        }
        text
    }

    /// Each bit of salt swaps an entry of the first half with its counterpart.
    fn expansion(&self) -> [u8; 48] {
        let mut table = EXPANSION;
        for (half, byte) in self.salt.into_iter().enumerate() {
            let bits = crypt64::value(byte).unwrap_or_default();
            for bit in (0..6).filter(|bit| (bits >> bit) & 1 == 1) {
                let at = half * 6 + bit;
                table.swap(at, at + 24);
            }
        }
        table
    }
}

/// Seven bits of each of the first eight bytes; DES ignores the lowest.
fn key(password: &[u8]) -> u64 {
    let mut key = [0; PASSWORD_BYTES];
    for (byte, &from) in key.iter_mut().zip(password) {
        *byte = from << 1;
    }
    u64::from_be_bytes(key)
}

fn round_keys(key: u64) -> [u64; 16] {
    const HALF: u32 = (1 << 28) - 1;
    let chosen = permute(key, 64, &KEY_CHOICE_1);
    let (mut left, mut right) = ((chosen >> 28) as u32, chosen as u32 & HALF);
    SHIFTS.map(|shift| {
        let rotate = |half: u32| ((half << shift) | (half >> (28 - shift))) & HALF;
        (left, right) = (rotate(left), rotate(right));
        permute(
            (u64::from(left) << 28) | u64::from(right),
            56,
            &KEY_CHOICE_2,
        )
    })
}

fn encrypt(block: u64, keys: &[u64; 16], expansion: &[u8; 48]) -> u64 {
    let block = permute(block, 64, &INITIAL);
    let (mut left, mut right) = ((block >> 32) as u32, block as u32);
    for key in keys {
        let mixed = permute(right.into(), 32, expansion) ^ key;
        let substituted = SUBSTITUTIONS
            .iter()
            .enumerate()
            .fold(0, |word, (at, table)| {
                let six = (mixed >> (42 - 6 * at)) as usize & 63;
                // The outer bits choose the row, the inner four the column.
                let row = ((six >> 4) & 2) | (six & 1);
                (word << 4) | u64::from(table[row * 16 + ((six >> 1) & 15)])
            });
        let next = left ^ permute(substituted, 32, &PERMUTATION) as u32;
        (left, right) = (right, next);
    }
    permute((u64::from(right) << 32) | u64::from(left), 64, &FINAL)
}

/// Picks bits of a value that is `width` bits wide; 1 is its highest.
fn permute(value: u64, width: u32, table: &[u8]) -> u64 {
    table.iter().fold(0, |picked, &bit| {
        (picked << 1) | ((value >> (width - u32::from(bit))) & 1)
    })
}

// The tables of FIPS 46-3, under its names IP, IP⁻¹, E, P, PC-1, PC-2, S1 to S8.

const INITIAL: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6,
    64, 56, 48, 40, 32, 24, 16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61,
    53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];

const FINAL: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30,
    37, 5, 45, 13, 53, 21, 61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27,
    34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
];

const EXPANSION: [u8; 48] = [
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17, 16, 17, 18,
    19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
];

const PERMUTATION: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
    13, 30, 6, 22, 11, 4, 25,
];

const KEY_CHOICE_1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60,
    52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29,
    21, 13, 5, 28, 20, 12, 4,
];

const KEY_CHOICE_2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52,
    31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

const SHIFTS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

const SUBSTITUTIONS: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12,
        11, 9, 5, 3, 8, 4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9,
        1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1,
        10, 6, 9, 11, 5, 0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15,
        4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5,
        14, 12, 11, 15, 1, 13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6,
        9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2,
        12, 1, 10, 14, 9, 10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1,
        13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15,
        10, 3, 9, 8, 6, 4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14,
        2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13,
        14, 0, 11, 3, 8, 9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5,
        15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5,
        12, 2, 15, 8, 6, 1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4,
        10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6,
        11, 0, 14, 9, 2, 7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10,
        8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];
