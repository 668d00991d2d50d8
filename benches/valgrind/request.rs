//! Requests to valgrind.
//!
//! Valgrind recognises a sequence of instructions that does nothing on a processor: four rotations of `rdi` that add up to
//! two whole turns, then `xchg rbx, rbx`. It takes `rax` for the address of the request, and leaves the answer in `rdx`,
//! which keeps its default outside valgrind. (`valgrind.h` and `memcheck.h` of the valgrind distribution.)

use core::arch::asm;

use quorumkey::hazmat::constant_time::Watch;

const RUNNING_ON_VALGRIND: usize = 0x1001;
const COUNT_ERRORS: usize = 0x1201;
const MAKE_MEM_UNDEFINED: usize = 0x4d43_0001;
const MAKE_MEM_DEFINED: usize = 0x4d43_0002;
const GET_VBITS: usize = 0x4d43_0008;
const CALLGRIND_DUMP_AT: usize = 0x4354_0003;
const CALLGRIND_ZERO: usize = 0x4354_0001;
const CALLGRIND_TOGGLE: usize = 0x4354_0002;

/// The answer to a request; `default` outside valgrind.
#[allow(unsafe_code, reason = "no other way to speak to valgrind")]
fn request(code: usize, arguments: [usize; 3], default: usize) -> usize {
    let [first, second, third] = arguments;
    let request = [code, first, second, third, 0, 0];
    let answer;
    // Sound: on a processor it changes `rdx` and the flags, which it declares. Valgrind reads six words, which are there
    // for as long as the block runs, and writes only where `vbits` below has told it to.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") default => answer,
            options(nostack),
        );
    }
    answer
}

pub fn on_valgrind() -> bool {
    request(RUNNING_ON_VALGRIND, [0; 3], 0) != 0
}

/// How many errors memcheck has found.
pub fn errors() -> usize {
    request(COUNT_ERRORS, [0; 3], 0)
}

/// Counts the instructions of this work, and writes the count down under that name.
pub fn counted(name: &str, work: impl FnOnce()) {
    let name = format!("{name}\0");
    request(CALLGRIND_ZERO, [0; 3], 0);
    request(CALLGRIND_TOGGLE, [0; 3], 0);
    work();
    request(CALLGRIND_TOGGLE, [0; 3], 0);
    request(CALLGRIND_DUMP_AT, [name.as_ptr().addr(), 0, 0], 0);
}

/// Tells memcheck what is secret: for it, what is not defined.
#[derive(Debug)]
pub struct Memcheck;

impl Watch for Memcheck {
    fn secret(&self, start: *const u8, length: usize) {
        request(MAKE_MEM_UNDEFINED, [start.expose_provenance(), length, 0], 0);
    }

    fn public(&self, start: *const u8, length: usize) {
        request(MAKE_MEM_DEFINED, [start.expose_provenance(), length, 0], 0);
    }

    fn is_secret(&self, start: *const u8, length: usize) -> bool {
        let mut bits = vec![0_u8; length];
        let answer = request(GET_VBITS, [start.expose_provenance(), bits.as_mut_ptr().expose_provenance(), length], 0);
        assert_eq!(answer, 1, "memcheck does not say what is secret");
        bits.iter().any(|bits| *bits != 0)
    }
}
