//! What every node shares.
//!
//! `settings` turns what was typed, exported and written into values that need no further doubt.

pub mod settings;
