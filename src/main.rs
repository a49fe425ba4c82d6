//! The umbrella binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    pegloom::main_from(std::env::args_os().skip(1))
}
