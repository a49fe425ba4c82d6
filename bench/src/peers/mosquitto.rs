//! mosquitto as Debian has it, without a log and without a disk.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Running, locate, ports};
use crate::process::{self, Process, Talks};

pub(crate) struct Mosquitto {
    program: PathBuf,
    version: String,
}

impl Mosquitto {
    pub(crate) fn find() -> Result<Self, String> {
        let program =
            locate("mosquitto").ok_or("mosquitto is not installed (Debian's package mosquitto has it)")?;
        // It has no option that tells its version and ends well.
        let output = Command::new(&program).arg("-h").output();
        let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        let version = version(&String::from_utf8_lossy(&output.stdout));
        Ok(Self { program, version })
    }

    pub(crate) fn describe(&self) -> String {
        format!("mosquitto {}", self.version)
    }

    pub(crate) fn start(&self) -> Result<Running> {
        ports::with_free_port("mosquitto", |address| self.try_start(address))
    }

    fn try_start(&self, address: SocketAddr) -> Result<Running> {
        let folder = tempfile::tempdir().context("cannot make a folder for mosquitto")?;
        let (settings, file) = (settings(address), folder.path().join("mosquitto.conf"));
        fs::write(&file, &settings).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = process::foreign(&self.program);
        command.arg("-c").arg(&file);
        let mut process = Process::start("mosquitto", &mut command, Talks::OnStderr)?;
        ports::wait_until_it_accepts(&mut process, address)?;
        Ok(Running::new(address, format!("mosquitto\n{settings}"), vec![process]).with_folder(folder))
    }
}

/// It stays who it is: a process that becomes another user forgets that it was to end with the bench.
fn settings(address: SocketAddr) -> String {
    let (port, ip) = (address.port(), address.ip());
    format!(
        "listener {port} {ip}\nallow_anonymous true\npersistence false\nuser root\n\
         log_dest stderr\nlog_type error\n"
    )
}

fn version(said: &str) -> String {
    let version = said.lines().find_map(|line| line.strip_prefix("mosquitto version "));
    version.unwrap_or("of unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_version_is_told_by_its_help() {
        assert_eq!(version("mosquitto version 2.0.11\n\nmosquitto is an MQTT broker.\n"), "2.0.11");
        assert_eq!(version("?"), "of unknown version");
    }

    #[test]
    fn it_listens_where_it_is_told() {
        let settings = settings("127.0.0.1:4711".parse().unwrap());
        assert!(settings.starts_with("listener 4711 127.0.0.1\n"), "{settings}");
    }
}
