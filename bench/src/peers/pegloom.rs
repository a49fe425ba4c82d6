//! pegloom itself: the one built into this binary, started again under a hidden command, or another that was named.
//! Ports are its own choice; where it listens is read from its log.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;
use serde_json::Value;

use super::Running;
use crate::process::{self, Process, Talks};

const ANY_PORT: &str = "tcp://127.0.0.1:0";

/// The body of `__pegloom`: everything from here on is what is measured.
pub(crate) fn main_from(arguments: &[OsString]) -> ExitCode {
    ::pegloom::main_from(arguments.iter().cloned())
}

pub(crate) struct Pegloom {
    /// None for the one built in.
    program: Option<PathBuf>,
}

impl Pegloom {
    pub(crate) fn find(program: Option<PathBuf>) -> Result<Self, String> {
        match program {
            Some(program) if !program.is_file() => Err(format!("there is no program {}", program.display())),
            program => Ok(Self { program }),
        }
    }

    pub(crate) fn start_up(&self, forward: &[SocketAddr], shards: Option<u32>) -> Result<Running> {
        let mut arguments = vec!["up".to_owned()];
        arguments.extend(route(forward));
        arguments.extend(shards.iter().flat_map(|shards| ["--shards".to_owned(), shards.to_string()]));
        let mut process = self.start("pegloom up", &arguments)?;
        let address = process.expect("where it listens", listening)?;
        Ok(Running { address, settings: command_line(&arguments), processes: vec![process] })
    }

    pub(crate) fn start_distributed(&self, forward: &[SocketAddr]) -> Result<Running> {
        let ingress = arguments("ingress", forward, &["--bind", ANY_PORT, "--shards", "1"]);
        let mut ingress_process = self.start("pegloom ingress", &ingress)?;
        let (address, link) =
            ingress_process.expect("where it listens and its link is bound", both_addresses())?;
        let fanout =
            arguments("fanout", forward, &["--destination", "primary", "--ingress", &link, "--shards", "1"]);
        let fanout_process = self.start("pegloom fanout", &fanout)?;
        let settings = format!("{}\n{}", command_line(&ingress), command_line(&fanout));
        Ok(Running { address, settings, processes: vec![ingress_process, fanout_process] })
    }

    fn start(&self, name: &str, arguments: &[String]) -> Result<Process> {
        let mut command = self.command();
        command.args(arguments).args(["--log-format", "json"]);
        Process::start(name, &mut command, Talks::OnStderr)
    }

    /// Without the settings of the environment the bench was started in: they would change what is measured.
    fn command(&self) -> Command {
        let mut command = match &self.program {
            Some(program) => process::foreign(program),
            None => process::own("__pegloom"),
        };
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PEGLOOM_"))
        {
            command.env_remove(name);
        }
        command
    }
}

fn arguments(node: &str, forward: &[SocketAddr], more: &[&str]) -> Vec<String> {
    let more = more.iter().map(|argument| (*argument).to_owned());
    std::iter::once(node.to_owned()).chain(route(forward)).chain(more).collect()
}

/// The flags of the one route, the same for every node.
fn route(forward: &[SocketAddr]) -> Vec<String> {
    let listen = ["--listen", ANY_PORT, "--codec", "lines"].map(str::to_owned);
    let forward = forward.iter().flat_map(|address| ["--forward".to_owned(), address.to_string()]);
    listen.into_iter().chain(forward).collect()
}

fn command_line(arguments: &[String]) -> String {
    format!("pegloom {}", arguments.join(" "))
}

fn listening(line: &str) -> Option<SocketAddr> {
    field(line, "listening", "address")?.parse().ok()
}

/// Both come in either order, each on a line of its own.
fn both_addresses() -> impl FnMut(&str) -> Option<(SocketAddr, String)> {
    let (mut address, mut link) = (None, None);
    move |line| {
        address = address.or_else(|| listening(line));
        link = link.take().or_else(|| field(line, "link bound", "endpoint"));
        address.zip(link.clone())
    }
}

fn field(line: &str, message: &str, name: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line.get("message")?.as_str()? != message {
        return None;
    }
    line.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENING: &str =
        r#"{"level":"INFO","message":"listening","route":"tcp","address":"127.0.0.1:34567"}"#;
    const BOUND: &str = r#"{"level":"INFO","message":"link bound","endpoint":"tcp://127.0.0.1:4711"}"#;

    #[test]
    fn the_address_is_found_among_other_lines() {
        let lines = ["not JSON", r#"{"level":"INFO"}"#, BOUND, LISTENING];
        assert_eq!(lines.iter().find_map(|line| listening(line)), Some("127.0.0.1:34567".parse().unwrap()));
    }

    #[test]
    fn both_addresses_are_found_in_either_order() {
        let expected = Some(("127.0.0.1:34567".parse().unwrap(), "tcp://127.0.0.1:4711".to_owned()));
        for lines in [[LISTENING, BOUND], [BOUND, LISTENING]] {
            let mut find = both_addresses();
            assert_eq!(find(lines[0]), None);
            assert_eq!(find(lines[1]), expected);
        }
    }

    #[test]
    fn the_first_forward_is_the_primary() {
        let forward: Vec<SocketAddr> = vec!["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()];
        let line = command_line(&arguments("fanout", &forward, &["--destination", "primary"]));
        assert!(
            line.ends_with("--forward 127.0.0.1:1 --forward 127.0.0.1:2 --destination primary"),
            "{line}"
        );
    }
}
