//! Dealing.
