//! pegloom itself: the one built into this binary, started again under a hidden command, or another that was named.
//! Ports are its own choice; where it listens is read from its log.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{fs, iter};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::{Front, Protocol, Replies, Running};
use crate::process::{self, Process, Talks};

const ANY_PORT: &str = "tcp://127.0.0.1:0";
/// The first route when flags make it.
const ROUTE: &str = "route-1";

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

    pub(crate) fn start_up(&self, front: &Front, shards: Option<u32>) -> Result<Running> {
        let folder = front.reply_timeout.map(|_| settings_file(front)).transpose()?;
        let route = folder.as_ref().map_or_else(|| route(front), |(_, path)| config(path));
        let shards = shards.iter().flat_map(|shards| ["--shards".to_owned(), shards.to_string()]);
        let arguments: Vec<_> = iter::once("up".to_owned()).chain(route).chain(shards).collect();
        let mut process = self.start("pegloom up", &arguments)?;
        let address = process.expect("where it listens", listening)?;
        let running = Running::new(address, command_line(&arguments), vec![process]).with_reports();
        Ok(match folder {
            Some((folder, _)) => running.with_folder(folder),
            None => running,
        })
    }

    pub(crate) fn start_distributed(&self, front: &Front) -> Result<Running> {
        let ingress = arguments("ingress", front, &["--bind", ANY_PORT, "--shards", "1"]);
        let mut ingress_process = self.start("pegloom ingress", &ingress)?;
        let (address, link) =
            ingress_process.expect("where it listens and its link is bound", both_addresses())?;
        let fanout =
            arguments("fanout", front, &["--destination", "primary", "--ingress", &link, "--shards", "1"]);
        let fanout_process = self.start("pegloom fanout", &fanout)?;
        let settings = format!("{}\n{}", command_line(&ingress), command_line(&fanout));
        Ok(Running::new(address, settings, vec![ingress_process, fanout_process]).with_reports())
    }

    /// A chat room with what it keeps in a folder of its own.
    pub(crate) fn start_room(&self) -> Result<Running> {
        let folder = tempfile::tempdir().context("cannot make a folder for the room")?;
        let path = folder.path().to_str().context("the folder has a name that is not UTF-8")?;
        let arguments =
            ["chat", "room", "--ip", "127.0.0.1", "--port", "0", "--name", "room", "--data-dir", path];
        let arguments = arguments.map(str::to_owned);
        let mut process = self.start("pegloom chat room", &arguments)?;
        let address = process.expect("where it listens", room_address)?;
        Ok(Running::new(address, command_line(&arguments), vec![process]).with_folder(folder))
    }

    fn start(&self, name: &str, arguments: &[String]) -> Result<Process> {
        let mut command = self.command();
        command.args(arguments).args(["--log-format", "json"]);
        Process::start(name, &mut command, Talks::Everywhere)
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

fn arguments(node: &str, front: &Front, more: &[&str]) -> Vec<String> {
    let more = more.iter().map(|argument| (*argument).to_owned());
    iter::once(node.to_owned()).chain(route(front)).chain(more).collect()
}

/// The flags of the one route, the same for every node.
fn route(front: &Front) -> Vec<String> {
    let mut flags = vec!["--listen".to_owned(), listen(front.protocol).to_owned()];
    flags.extend(codec(front.protocol).iter().flat_map(|codec| ["--codec", codec].map(str::to_owned)));
    flags.extend(ttl(front.protocol).iter().flat_map(|ttl| ["--ttl", ttl].map(str::to_owned)));
    flags.extend(front.forward.iter().flat_map(|address| ["--forward".to_owned(), address.to_string()]));
    flags
}

fn listen(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Lines | Protocol::Foo | Protocol::Bytes => ANY_PORT,
        Protocol::Datagrams => "udp://127.0.0.1:0",
        Protocol::Http(_) => "http://127.0.0.1:0",
    }
}

fn codec(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Lines => Some("lines"),
        Protocol::Foo => Some("foo"),
        Protocol::Bytes => Some("raw"),
        Protocol::Datagrams | Protocol::Http(_) => None,
    }
}

/// For how long replies are kept that do not say it themselves.
fn ttl(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Http(Replies::Kept) => Some("1h"),
        Protocol::Http(_) => Some("0s"),
        _ => None,
    }
}

/// For what has no flag: a folder with the settings, and where they are in it.
fn settings_file(front: &Front) -> Result<(TempDir, String)> {
    let folder = tempfile::tempdir().context("cannot make a folder for settings")?;
    let path = folder.path().join("pegloom.toml");
    fs::write(&path, settings(front)).with_context(|| format!("cannot write {}", path.display()))?;
    let path = path.to_str().context("the folder for settings has a name that is not UTF-8")?.to_owned();
    Ok((folder, path))
}

fn settings(front: &Front) -> String {
    let value = |name: &str, value: &str| format!("{name} = {value:?}\n");
    let forward: Vec<_> = front.forward.iter().map(ToString::to_string).collect();
    let codec = codec(front.protocol).map(|codec| value("codec", codec)).unwrap_or_default();
    let timeout = front.reply_timeout.map(|timeout| value("reply_timeout", timeout)).unwrap_or_default();
    format!(
        "[[route]]\n{}{}{codec}{timeout}destinations = {forward:?}\n",
        value("name", ROUTE),
        value("listen", listen(front.protocol))
    )
}

fn config(path: &str) -> Vec<String> {
    vec!["--config".to_owned(), path.to_owned()]
}

/// A line that is a report, and not one of the log.
pub(super) fn report(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("routes").is_some().then_some(line)
}

fn command_line(arguments: &[String]) -> String {
    format!("pegloom {}", arguments.join(" "))
}

fn room_address(line: &str) -> Option<SocketAddr> {
    field(line, "the room is open", "endpoint")?.strip_prefix("tcp://")?.parse().ok()
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
    fn a_room_tells_its_endpoint() {
        let open = r#"{"level":"INFO","message":"the room is open","endpoint":"tcp://127.0.0.1:9999"}"#;
        assert_eq!(room_address(open), Some("127.0.0.1:9999".parse().unwrap()));
        assert_eq!(room_address(BOUND), None);
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

    fn front(protocol: Protocol) -> Front {
        Front::new(protocol, vec!["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()])
    }

    #[test]
    fn the_first_forward_is_the_primary() {
        let line = command_line(&arguments("fanout", &front(Protocol::Lines), &["--destination", "primary"]));
        assert!(
            line.ends_with("--forward 127.0.0.1:1 --forward 127.0.0.1:2 --destination primary"),
            "{line}"
        );
    }

    #[test]
    fn datagrams_need_no_codec() {
        let line = command_line(&arguments("up", &front(Protocol::Datagrams), &[]));
        assert!(line.starts_with("pegloom up --listen udp://127.0.0.1:0 --forward 127.0.0.1:1"), "{line}");
    }

    #[test]
    fn nothing_is_kept_unless_it_is_the_work() {
        let line = |replies| command_line(&arguments("up", &front(Protocol::Http(replies)), &[]));
        let (kept, passed) = (line(Replies::Kept), line(Replies::Passed));
        assert!(kept.starts_with("pegloom up --listen http://127.0.0.1:0 --ttl 1h --forward"), "{kept}");
        assert!(passed.starts_with("pegloom up --listen http://127.0.0.1:0 --ttl 0s --forward"), "{passed}");
    }

    #[test]
    fn what_has_no_flag_goes_into_a_file() {
        let front = Front { reply_timeout: Some("1s"), ..front(Protocol::Lines) };
        let expected = "[[route]]\nname = \"route-1\"\nlisten = \"tcp://127.0.0.1:0\"\ncodec = \"lines\"\n\
             reply_timeout = \"1s\"\ndestinations = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n";
        assert_eq!(settings(&front), expected);
    }

    #[test]
    fn a_report_is_told_from_the_log() {
        assert!(report(LISTENING).is_none());
        assert!(report(r#"{"node":"up","routes":[]}"#).is_some());
    }
}
