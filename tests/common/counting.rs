//! An allocator that counts the bytes that are allocated.
#![allow(unreachable_pub, reason = "a test file has it as a module of its own")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static HIGHEST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

#[allow(unsafe_code, reason = "an allocator can't be written without; it forwards to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = ALLOCATED.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        HIGHEST.fetch_max(now, Ordering::SeqCst);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::SeqCst);
        unsafe { System.dealloc(block, layout) }
    }
}

/// How many bytes are allocated.
pub fn allocated() -> usize {
    ALLOCATED.load(Ordering::SeqCst)
}

/// What that does, and how many bytes it had allocated at the most beyond those before it.
pub fn at_most<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = allocated();
    HIGHEST.store(before, Ordering::SeqCst);
    let done = act();
    (done, HIGHEST.load(Ordering::SeqCst) - before)
}
