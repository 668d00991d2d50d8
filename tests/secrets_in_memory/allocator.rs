//! The victim's memory: kept as it was freed, or wiped first.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use zeroizing_alloc::ZeroAlloc;

/// Whether memory is kept as it was freed, so that nothing unwiped is hidden by what is allocated next.
pub static KEEP: AtomicBool = AtomicBool::new(false);

/// Whether it is wiped first.
pub static WIPE: AtomicBool = AtomicBool::new(false);

struct Hoard;

static WIPING: ZeroAlloc<Hoard> = ZeroAlloc(Hoard);

struct Either;

#[global_allocator]
static EITHER: Either = Either;

// SAFETY: both are allocators, and both give out the same blocks.
#[allow(unsafe_code, reason = "an allocator can't be written without; it forwards to two others")]
unsafe impl GlobalAlloc for Either {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { WIPING.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WIPE.load(Ordering::Relaxed) {
            unsafe { WIPING.dealloc(block, layout) }
        } else {
            unsafe { Hoard.dealloc(block, layout) }
        }
    }
}

// Growing a block moves it, by the trait's own `realloc`: so the block that it leaves is kept as well.
#[allow(unsafe_code, reason = "an allocator can't be written without; it forwards to the system's, or leaks")]
unsafe impl GlobalAlloc for Hoard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !KEEP.load(Ordering::Relaxed) {
            unsafe { System.dealloc(block, layout) }
        }
    }
}
