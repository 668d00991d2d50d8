//! Sans-IO protocols. No IO, clock or storage; randomness is passed in.

mod dealing;
mod polynomial;
mod sign;
