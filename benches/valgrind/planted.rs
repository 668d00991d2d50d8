//! Leaks on purpose. A gate that misses one of them is no gate.

use core::hint::black_box;

use quorumkey::hazmat::constant_time::Watch;

static TABLE: [u8; 256] = [0x5a; 256];

/// Leaks 32 secret bytes in that way.
pub fn leak(how: &str, secret: &mut [u8; 32], watch: &dyn Watch) {
    watch.secret(secret.as_ptr(), secret.len());
    let secret = black_box(&*secret);
    match how {
        "branch" => branch(secret),
        "index" => index(secret),
        "compare" => compare(secret),
        _ => panic!("there is no leak {how}"),
    }
}

/// As in a multiplication that skips the zeros of its scalar.
#[inline(never)]
fn branch(secret: &[u8; 32]) {
    let mut sum = 0_u64;
    for byte in secret {
        if byte & 1 == 1 {
            sum = black_box(sum) + 1;
        }
    }
    black_box(sum);
}

/// As in a table of multiples that is read where the scalar says.
#[inline(never)]
fn index(secret: &[u8; 32]) {
    let table = black_box(&TABLE);
    let sum = secret.iter().fold(0_u64, |sum, byte| sum.wrapping_add(u64::from(table[usize::from(*byte)])));
    black_box(sum);
}

/// As in a comparison that ends at the first difference.
#[inline(never)]
fn compare(secret: &[u8; 32]) {
    let mut same = 0;
    for (byte, guess) in secret.iter().zip(black_box(&[0x11; 32])) {
        if byte != guess {
            break;
        }
        same += 1;
    }
    black_box(same);
}
