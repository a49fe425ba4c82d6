//! The umbrella.
pub mod up;

use clap::Parser;
use runtime::exit::{Exit, conclude, of_command_line};
use std::ffi::OsString;

#[derive(Parser)]
enum Cli {
    Up(up::Args),
    Ingress(ingress::Args),
    Fanout(fanout::Args),
}

/// Runs.
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> Exit {
    match Cli::try_parse_from(std::iter::once(OsString::from("pegloom")).chain(args)) {
        Ok(Cli::Up(args)) => conclude("pegloom up", up::run(&args)),
        Ok(Cli::Ingress(args)) => conclude("pegloom ingress", ingress::run(&args)),
        Ok(Cli::Fanout(args)) => conclude("pegloom fanout", fanout::run(&args)),
        Err(error) => of_command_line(&error),
    }
}
