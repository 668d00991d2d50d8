//! A run takes any bytes, and anything that a member may sign: it answers, and does not panic.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use quorumkey::Suite;
use quorumkey::hazmat::Forgery;
use quorumkey_fuzz::Pair;

thread_local! {
    static PAIRS: RefCell<Vec<(usize, Pair)>> = const { RefCell::new(Vec::new()) };
}

fn patch(bytes: &mut [u8], at: usize, change: &[u8]) {
    for (byte, change) in bytes.iter_mut().skip(at).zip(change) {
        *byte ^= change;
    }
}

/// Tokens remember their runs: they are made anew after so many.
const LIFE: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    let [choice, at, change @ ..] = bytes else { return };
    PAIRS.with_borrow_mut(|pairs| {
        if pairs.first().is_none_or(|(uses, _)| *uses > LIFE) {
            *pairs = Suite::ALL.map(|suite| (0, Pair::new(suite))).into();
        }
        for (uses, _) in pairs.iter_mut() {
            *uses += 1;
        }
        let (_, pair) = &pairs[usize::from((choice & 0x3f) % 3)];
        let change = |forgery: &mut Forgery| {
            let at = usize::from(*at);
            match choice & 0xc0 {
                0 => forgery.body = change.to_vec(),
                0x40 => patch(&mut forgery.body, at, change),
                0x80 => forgery.body.truncate(at),
                _ => {
                    let header = [&mut forgery.group, &mut forgery.epoch, &mut forgery.view];
                    patch(header[at % 3], 0, change);
                    forgery.counter ^= u64::from(change.first().copied().unwrap_or(0));
                }
            }
        };
        pair.run(usize::from((choice & 0x3f) / 3) % 5, bytes, change);
    });
});
