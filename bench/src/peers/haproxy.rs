//! HAProxy in TCP mode, or of HTTP, as plain as it gets: no logs, no checks, no limits that are reached. Its settings go in by
//! stdin, so there is no file to leave behind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Protocol, Running, locate, ports};
use crate::process::{self, Process, Talks};

pub(crate) struct Haproxy {
    program: PathBuf,
    version: String,
    threads: u32,
}

impl Haproxy {
    pub(crate) fn find(threads: u32) -> Result<Self, String> {
        let program =
            locate("haproxy").ok_or("haproxy is not installed (Debian's package haproxy has it)")?;
        let output = Command::new(&program).arg("-v").output();
        let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.split_whitespace().nth(2).unwrap_or("of unknown version").to_owned();
        Ok(Self { program, version, threads })
    }

    /// Its version and how it is run, for whoever reads the numbers.
    pub(crate) fn describe(&self) -> String {
        format!("HAProxy {}, nbthread {}", self.version, self.threads)
    }

    pub(crate) fn start(&self, protocol: Protocol, forward: SocketAddr) -> Result<Running> {
        ports::with_free_port("haproxy", |address| self.try_start(protocol, address, forward))
    }

    fn try_start(&self, protocol: Protocol, address: SocketAddr, forward: SocketAddr) -> Result<Running> {
        let settings = settings(self.threads, protocol, address, forward);
        let mut command = process::foreign(&self.program);
        command.args(["-db", "-f", "/dev/stdin"]);
        let mut process = Process::start("haproxy", &mut command, Talks::OnStderr)?;
        process.tell(&settings)?;
        process.close_stdin();
        ports::wait_until_it_accepts(&mut process, address)?;
        let settings = format!("haproxy -db -f /dev/stdin\n{settings}");
        Ok(Running::new(address, settings, vec![process]))
    }
}

fn settings(threads: u32, protocol: Protocol, listen: SocketAddr, forward: SocketAddr) -> String {
    let mode = if matches!(protocol, Protocol::Http(_)) { "http" } else { "tcp" };
    format!(
        "global\n    nbthread {threads}\n\
         defaults\n    mode {mode}\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
         listen bench\n    bind {listen}\n    server echo {forward}\n"
    )
}
