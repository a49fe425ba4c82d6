//! nats-server as it is by default, core NATS alone.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Running, locate, ports};
use crate::process::{self, Process, Talks};

pub(crate) struct NatsServer {
    program: PathBuf,
    version: String,
}

impl NatsServer {
    pub(crate) fn find() -> Result<Self, String> {
        let program = locate("nats-server")
            .ok_or("nats-server is not installed (Debian's package nats-server has it)")?;
        let output = Command::new(&program).arg("-v").output();
        let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        let version = version(&String::from_utf8_lossy(&output.stdout));
        Ok(Self { program, version })
    }

    pub(crate) fn describe(&self) -> String {
        format!("nats-server {}", self.version)
    }

    pub(crate) fn start(&self) -> Result<Running> {
        ports::with_free_port("nats-server", |address| self.try_start(address))
    }

    fn try_start(&self, address: SocketAddr) -> Result<Running> {
        let folder = tempfile::tempdir().context("cannot make a folder for nats-server")?;
        let (settings, file) = (settings(address), folder.path().join("nats.conf"));
        fs::write(&file, &settings).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = process::foreign(&self.program);
        command.arg("-c").arg(&file);
        let mut process = Process::start("nats-server", &mut command, Talks::OnStderr)?;
        ports::wait_until_it_accepts(&mut process, address)?;
        Ok(Running::new(address, format!("nats-server\n{settings}"), vec![process]).with_folder(folder))
    }
}

fn settings(address: SocketAddr) -> String {
    format!("listen: \"{address}\"\n")
}

fn version(said: &str) -> String {
    let version = said.trim().strip_prefix("nats-server: v");
    version.unwrap_or("of unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_version_is_what_it_says() {
        assert_eq!(version("nats-server: v2.9.10\n"), "2.9.10");
        assert_eq!(version("?"), "of unknown version");
    }

    #[test]
    fn it_listens_where_it_is_told() {
        let settings = settings("127.0.0.1:4711".parse().unwrap());
        assert_eq!(settings, "listen: \"127.0.0.1:4711\"\n");
    }
}
