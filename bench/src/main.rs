//! Measures what pegloom costs beside its peers: CPU time of all processes under test per unit of work, as the
//! median ratio of alternating runs. One run starts destinations, one peer and a load, all on loopback.
//!
//! Reading order: `compare`, `stall` and `chat` are the commands, `compare::case` the table of what is measured beside whom;
//! `measure`, `udp` and `idle` are one run each, `peers` what is run, `load` and `echo` the two ends, `cpu` the clock,
//! `report` the arithmetic and the words; `serve` and `load::requests` are the two ends of HTTP; `chat` has members and servers of its own. Destinations, relays, the
//! UDP copier and pegloom itself are this
//! binary started again with a hidden first argument, so nothing else needs building.

#![allow(clippy::cast_precision_loss, reason = "counts become ratios here, and none comes near 2^52")]

mod args;
mod chat;
mod compare;
mod cpu;
mod destination;
mod divergence;
mod echo;
mod floor;
mod foo;
mod idle;
mod lie;
mod load;
mod machine;
mod measure;
mod message;
mod peers;
mod poll;
mod process;
mod progress;
mod pump;
mod report;
mod run;
mod serve;
mod stall;
mod udp;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    run(Args::parse().command).unwrap_or_else(|problem| {
        eprintln!("bench: {problem:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Compare(args) => compare::run(&args),
        Command::Http(args) => compare::run(&args.of_http()),
        Command::Stall(args) => stall::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Echo { never_reads, lie_every, answers } => {
            as_child(|| echo::run(never_reads, lie_every, answers))
        }
        Command::Serve { size } => as_child(|| serve::run(size)),
        Command::Floor { forward } => as_child(|| floor::run(forward)),
        Command::Copier { forward } => as_child(|| udp::copier::run(&forward)),
        Command::Relay => as_child(chat::relay::run),
        Command::Receive { sockets } => as_child(|| udp::receiver::run(sockets)),
        Command::Exec { program, arguments } => as_child(|| process::replace_by(&program, &arguments)),
        Command::Pegloom { arguments } => {
            process::die_with_parent()?;
            Ok(peers::pegloom::main_from(&arguments))
        }
    }
}

/// Runs one of the hidden commands, which end with the bench that started them.
fn as_child(body: impl FnOnce() -> Result<()>) -> Result<ExitCode> {
    process::die_with_parent()?;
    body().map(|()| ExitCode::SUCCESS)
}
