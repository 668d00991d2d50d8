//! Tests of dealing as a whole.
