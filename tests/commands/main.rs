//! The commands that need no fabric, as processes: what they print where, and how they end.
//!
//! `help` is what holds for every command, `settings` is `check` and `init`, `echo` is the destination to try things
//! with, `demo` is a fabric that needs nothing else.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[allow(dead_code, unused_imports, reason = "shared with the scenarios, which use all of it")]
#[path = "../harness/mod.rs"]
mod harness;

mod demo;
mod echo;
mod help;
mod settings;

use std::path::Path;

use harness::Process;

/// A command that ended by itself.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `pegloom` with these arguments, separated by spaces, in `dir` and in an empty environment.
#[track_caller]
fn run_in(dir: &Path, args: &str) -> Ended {
    ended(&Process::start(&words(args), &[], dir))
}

#[track_caller]
fn run(args: &str) -> Ended {
    run_in(Path::new("/"), args)
}

#[track_caller]
fn ended(process: &Process) -> Ended {
    let code = process.exit_code();
    Ended { code, stdout: text(&process.stdout()), stderr: text(&process.stderr()) }
}

fn words(args: &str) -> Vec<&str> {
    args.split_whitespace().collect()
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
