//! HAProxy in TCP mode, as plain as it gets: no logs, no checks, no limits that are reached. Its settings go in by
//! stdin, so there is no file to leave behind.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Running, locate};
use crate::process::{self, Process, Talks};

/// Someone else may take the port between our closing it and HAProxy's binding it.
const ATTEMPTS: usize = 5;
const START_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

pub(crate) struct Haproxy {
    program: PathBuf,
    version: String,
}

impl Haproxy {
    pub(crate) fn find() -> Result<Self, String> {
        let program =
            locate("haproxy").ok_or("haproxy is not installed (Debian's package haproxy has it)")?;
        let output = Command::new(&program).arg("-v").output();
        let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.split_whitespace().nth(2).unwrap_or("of unknown version").to_owned();
        Ok(Self { program, version })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn start(&self, threads: u32, forward: SocketAddr) -> Result<Running> {
        let mut problem = None;
        for _ in 0..ATTEMPTS {
            match self.try_start(threads, forward) {
                Ok(running) => return Ok(running),
                Err(error) => problem = Some(error),
            }
        }
        bail!("haproxy did not start in {ATTEMPTS} attempts: {:#}", problem.context("no attempt was made")?)
    }

    fn try_start(&self, threads: u32, forward: SocketAddr) -> Result<Running> {
        let address = free_address()?;
        let settings = settings(threads, address, forward);
        let mut command = process::foreign(&self.program);
        command.args(["-db", "-f", "/dev/stdin"]);
        let mut process = Process::start("haproxy", &mut command, Talks::OnStderr)?;
        process.tell(&settings)?;
        process.close_stdin();
        wait_until_it_accepts(&mut process, address)?;
        let settings = format!("haproxy -db -f /dev/stdin\n{settings}");
        Ok(Running { address, settings, processes: vec![process] })
    }
}

fn settings(threads: u32, listen: SocketAddr, forward: SocketAddr) -> String {
    format!(
        "global\n    nbthread {threads}\n\
         defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
         listen bench\n    bind {listen}\n    server echo {forward}\n"
    )
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot find a free port")?;
    Ok(listener.local_addr()?)
}

fn wait_until_it_accepts(process: &mut Process, address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        if !process.is_running() {
            bail!("it ended at once{}", process.last_words());
        }
        if Instant::now() > deadline {
            bail!("it does not accept at {address}{}", process.last_words());
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}
