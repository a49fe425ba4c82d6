//! Every part of pegloom as a subcommand of one program.
//!
//! [`main_from`] is the whole program as a function: `src/main.rs` calls it with what was typed, the bench with what
//! it measures. `cli` is the list of subcommands; each is a module here that has `Args` and `run`, and does no more
//! than call its node's crate. [`echo`] has no node: it is a destination to try things with.

mod check;
mod cli;
mod collector;
mod demo;
pub mod echo;
mod examples;
mod init;
mod top;
pub mod up;

use std::{ffi::OsString, process::ExitCode};

/// Runs the command that `args` spell; they do not begin with the program's name.
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    cli::run(args).into()
}
