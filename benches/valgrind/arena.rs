//! Memory for counted work: blocks come one after the other and are not given back.
//!
//! The system's allocator goes different ways through its lists for one and the same secret, as its heap happens to be. Here
//! every block costs as much as any other, so that a count changes only with what the library does, its allocations included.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::alloc::System;

const SIZE: usize = 1 << 26;
const PAGE: usize = 1 << 12;
const LINE: usize = 1 << 6;

#[repr(C, align(4096))]
struct Room(UnsafeCell<[u8; SIZE]>);

// SAFETY: nobody makes a reference to the room; the allocator gives each part of it away once.
#[allow(unsafe_code, reason = "an allocator can't be written without")]
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; SIZE]));

/// The system's allocator, until it is opened.
pub struct Arena {
    open: AtomicBool,
    taken: AtomicUsize,
}

impl Arena {
    pub const fn new() -> Self {
        Self { open: AtomicBool::new(false), taken: AtomicUsize::new(0) }
    }

    /// From now on blocks come from here, and the next one begins a page: then all blocks of the work that follows lie in
    /// their pages as they did before, and copying and comparing them takes as many instructions.
    pub fn begin(&self) {
        self.taken.store(self.taken.load(Ordering::Relaxed).next_multiple_of(PAGE), Ordering::Relaxed);
        self.open.store(true, Ordering::Relaxed);
    }
}

// SAFETY: a block of the room is within it, aligned to 64 bytes, and given out once; all others are the system's. Which
// one a block is shows in its address.
#[allow(unsafe_code, reason = "an allocator can't be written without; it forwards to the system's, or counts up")]
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !self.open.load(Ordering::Relaxed) {
            return unsafe { System.alloc(layout) };
        }
        let size = layout.size().next_multiple_of(LINE);
        let at = self.taken.fetch_add(size, Ordering::Relaxed);
        if layout.align() > LINE || at.saturating_add(size) > SIZE {
            return null_mut();
        }
        unsafe { ROOM.0.get().cast::<u8>().add(at) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block.addr().wrapping_sub(ROOM.0.get().addr()) >= SIZE {
            unsafe { System.dealloc(block, layout) }
        }
    }
}
