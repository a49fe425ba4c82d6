//! What the bench says while it measures. Progress is for whoever looks on; doubts are said to everyone.

use std::io::{IsTerminal, stderr};

use crate::run::Run;

pub(crate) fn say(text: &str) {
    if stderr().is_terminal() {
        eprintln!("{text}");
    }
}

/// A run that has ended, with what makes it doubtful.
pub(crate) fn run(text: &str, run: &Run, with_settings: bool) {
    if with_settings {
        eprintln!("{}", run.settings);
    }
    say(text);
    for doubt in &run.doubts {
        eprintln!("note: {text}: {doubt}");
    }
}
