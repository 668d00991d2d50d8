//! A secret value in one place of memory, wiped when it goes.

use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

use crate::guard::unless_off;

/// A boxed secret: moved as a pointer, so that no copy of it stays behind on a stack; wiped with volatile writes
/// when dropped; not `Clone`, not `Debug` beyond its name, compared in constant time.
///
/// What a computation leaves in registers and on its stack is out of its reach.
pub(crate) struct Secret<T: Zeroize>(Box<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub(crate) fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    /// The value, for as long as a computation needs it.
    pub(crate) fn expose(&self) -> &T {
        &self.0
    }

    /// The value in place, to be filled without passing through the stack.
    pub(crate) fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        unless_off!(SecretWiped, self.0.zeroize(), ());
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<T: Zeroize + ConstantTimeEq> ConstantTimeEq for Secret<T> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// Overwrites the frames of calls that have returned, below that of who calls this: what a computation has spilled there
/// stays until other calls happen to lie over it. 64 KiB, by words.
#[allow(clippy::large_stack_arrays, reason = "it is the stack that is overwritten")]
#[inline(never)]
pub(crate) fn overwrite_dead_frames() {
    let mut frames = [0_u64; 8 * 1024];
    frames.zeroize();
    core::hint::black_box(&frames);
}

/// Whether a type can be cloned, known to the compiler: an inherent constant goes before one of a trait. What can't be
/// cloned can't be copied.
#[cfg(test)]
macro_rules! is_clone {
    ($type:ty) => {{
        struct Probe<T>(core::marker::PhantomData<T>);

        #[allow(dead_code, reason = "nobody asks it for a type that is `Clone`")]
        trait Otherwise {
            const IS_CLONE: bool = false;
        }

        impl<T> Otherwise for Probe<T> {}

        #[allow(dead_code, reason = "nobody asks it for a type that is not `Clone`")]
        impl<T: Clone> Probe<T> {
            const IS_CLONE: bool = true;
        }

        Probe::<$type>::IS_CLONE
    }};
}

#[cfg(test)]
pub(crate) use is_clone;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_whatever_can_be_copied_cannot() {
        const { assert!(is_clone!([u8; 32]) && !is_clone!(Secret<[u8; 32]>)) }
        const { assert!(!is_clone!(Secret<Vec<u8>>)) }
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new([0x41_u8; 32]);
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn equality_is_of_the_values() {
        let a = Secret::new(1_u64);
        assert!(bool::from(a.ct_eq(&Secret::new(1_u64))));
        assert!(!bool::from(a.ct_eq(&Secret::new(2_u64))));
    }
}
