//! No memory is freed that still holds a secret, or the plaintext of a backup.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use quorumkey::hazmat::wrap::{cheap_passphrase, open, seal};
use quorumkey::wrap::{Identity, SecretKey};
use quorumkey::{ImportedKey, Suite};
use zeroize::Zeroizing;

/// Static, so that the only copies on the heap are those that the library makes.
static PLAINTEXT: [u8; 100_000] = [0xa7; 100_000];
const WORDS: &str = "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";

static LEFT: AtomicUsize = AtomicUsize::new(0);

/// One test at a time, so that no other thread's memory is counted.
static COUNTING: Mutex<()> = Mutex::new(());

struct Watch;

#[global_allocator]
static WATCH: Watch = Watch;

// Only reads memory that is about to be freed.
#[allow(unsafe_code, reason = "an allocator can't be written without; it forwards to the system's")]
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // As an allocator gives it to a program that has just started, so that nothing old is taken for a leak.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let bytes = unsafe { core::slice::from_raw_parts(block, layout.size()) };
        let left = |byte| bytes.chunk_by(|a, b| a == b).any(|run| run.len() >= 16 && run.first() == Some(&byte));
        if left(0xa7) || left(b'Q') {
            LEFT.fetch_add(1, Ordering::SeqCst);
        }
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Some allocators also move a block that gets shorter.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            core::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
            self.dealloc(block, layout);
            new
        }
    }
}

fn left_by<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LEFT.load(Ordering::SeqCst);
    let result = work();
    (result, LEFT.load(Ordering::SeqCst) - before)
}

#[test]
fn a_secret_that_goes_leaves_nothing_in_freed_memory() {
    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let ((), left) = left_by(|| drop(PLAINTEXT.get(..32).unwrap().to_vec()));
    assert_eq!(left, 1, "the allocator sees what is freed unwiped");

    let scalar = Zeroizing::new([0xa7; 32]);
    let (key, left) = left_by(|| ImportedKey::from_scalar(Suite::Secp256k1, scalar).unwrap());
    assert_eq!(left, 0, "while it is read");
    let ((), left) = left_by(|| drop(key));
    assert_eq!(left, 0, "when it goes");
}

#[test]
fn neither_plaintext_nor_words_are_left_in_freed_memory() {
    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let ((), left) = left_by(|| drop(PLAINTEXT.to_vec()));
    assert_eq!(left, 1, "the allocator sees what is freed unwiped");

    let key = SecretKey::from_bytes(&[3; 32]).unwrap();
    for length in [64, 65_536, PLAINTEXT.len()] {
        let plaintext = PLAINTEXT.get(..length).unwrap();
        let (file, left) = left_by(|| seal(plaintext, &key.recipient()).unwrap());
        assert_eq!(left, 0, "sealing {length} bytes to a key");
        let identity = Identity::x25519(&key.to_text()).unwrap();
        let ((), left) = left_by(|| assert_eq!(*open(&file, &identity).unwrap(), plaintext));
        assert_eq!(left, 0, "opening {length} bytes with a key");
    }

    let (file, left) = left_by(|| seal(PLAINTEXT.get(..64).unwrap(), &cheap_passphrase(WORDS, 1).unwrap()).unwrap());
    assert_eq!(left, 0, "sealing to words");
    let ((), left) = left_by(|| drop(open(&file, &Identity::passphrase(WORDS)).unwrap()));
    assert_eq!(left, 0, "opening with words");
}
