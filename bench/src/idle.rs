//! One run with sources that say a line, hear it, and then rest: what a further one of them adds to the peer's memory.
//! They come one after the other, so that no crowd at the door is measured instead.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::destination::{Destination, End};
use crate::message;
use crate::peers::{Front, Peer, Programs, Protocol};
use crate::run::{Meter, Run};

const LINE: usize = 100;
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// The memory has settled when it is the same after so long.
const SETTLED: Duration = Duration::from_millis(300);
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Descriptors beside those of the sessions.
const SPARE: u64 = 500;

#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Sessions there are when the memory is first looked at, and when it is looked at again.
    pub(crate) few: u32,
    pub(crate) many: u32,
}

impl Plan {
    /// A unit is a session.
    pub(crate) fn run(self, peer: Peer, programs: &Programs) -> Result<Run> {
        let plan = self.within(allow_descriptors(descriptors(self.many))?)?;
        let end = End::start(Destination::Echoes)?;
        let front = Front::new(Protocol::Lines, vec![end.address]);
        let running = peer.start(programs, &front)?;
        let run = plan.measure(running.address, &running.pids());
        let mut run = run.with_context(|| format!("the run failed{}", running.last_words()))?;
        if plan.many < self.many {
            run.doubts.push(format!("{} sessions at most: `ulimit -Hn` allows no more", plan.many));
        }
        Ok(Run { settings: running.settings.clone(), ..run })
    }

    /// With as many sessions as a peer with so many descriptors can have.
    fn within(self, allowed: u64) -> Result<Self> {
        let many = u64::from(self.many).min(allowed.saturating_sub(SPARE) / 2) as u32;
        ensure!(many >= 2 * self.few, "{allowed} descriptors are too few (`ulimit -Hn`)");
        Ok(Self { many, ..self })
    }

    fn measure(self, address: SocketAddr, pids: &[Pid]) -> Result<Run> {
        let mut resting = Vec::new();
        open(address, 0..self.few, &mut resting)?;
        let before = settled_kib(pids)?;
        let (meter, begin) = (Meter::start(pids)?, Instant::now());
        open(address, self.few..self.many, &mut resting)?;
        let run = meter.stop(f64::from(self.many - self.few), begin.elapsed())?;
        let kib_per_session = (settled_kib(pids)? - before) / f64::from(self.many - self.few);
        Ok(Run { kib_per_session: Some(kib_per_session), ..run })
    }
}

fn open(address: SocketAddr, numbers: std::ops::Range<u32>, resting: &mut Vec<TcpStream>) -> Result<()> {
    for number in numbers {
        let session = open_one(address, number).with_context(|| format!("session {number} does not open"));
        resting.push(session?);
    }
    Ok(())
}

fn open_one(address: SocketAddr, number: u32) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
    let (mut line, mut reply) = (Vec::new(), [0; LINE]);
    message::write(&mut line, number, 0, LINE);
    stream.write_all(&line)?;
    stream.read_exact(&mut reply)?;
    ensure!(line == reply, "it got {}", message::describe(&reply));
    Ok(stream)
}

/// The resident memory, once it stands still or has had the time to.
fn settled_kib(pids: &[Pid]) -> Result<f64> {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    let mut last = resident_kib(pids)?;
    loop {
        thread::sleep(SETTLED);
        let now = resident_kib(pids)?;
        if now == last || Instant::now() > deadline {
            return Ok(now as f64);
        }
        last = now;
    }
}

fn resident_kib(pids: &[Pid]) -> Result<u64> {
    let page = sysconf(SysconfVar::PAGE_SIZE)?.context("the kernel does not say how long a page is")?;
    let pages = pids.iter().map(|pid| resident_pages(*pid)).sum::<Result<u64>>()?;
    Ok(pages * page.cast_unsigned() / 1024)
}

/// Field 2 of /proc/PID/statm.
fn resident_pages(pid: Pid) -> Result<u64> {
    let path = format!("/proc/{pid}/statm");
    let statm = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.with_context(|| format!("{path} has an unknown form"))
}

/// What a peer of so many sessions needs.
fn descriptors(sessions: u32) -> u64 {
    2 * u64::from(sessions) + SPARE
}

/// For this process and those it starts: so many, or as many as the hard limit allows. Says how many it came to.
fn allow_descriptors(count: u64) -> Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= count {
        return Ok(soft);
    }
    // Some may raise the hard limit too.
    if setrlimit(Resource::RLIMIT_NOFILE, count, hard.max(count)).is_ok() {
        return Ok(count);
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit of descriptors")?;
    Ok(hard)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Of a process of its own: in this one other tests give memory back meanwhile.
    #[test]
    fn memory_that_is_used_is_resident() {
        let mut holder = Command::new("dd");
        holder.args(["bs=32M", "iflag=fullblock", "status=none"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut holder = holder.spawn().unwrap();
        let pids = [Pid::from_raw(holder.id().cast_signed())];
        let before = resident_kib(&pids).unwrap();

        // One byte less than its block: it has read all but what a pipe holds, and waits for the rest.
        let mut stdin = holder.stdin.take().unwrap();
        stdin.write_all(&vec![1; (32 << 20) - 1]).unwrap();
        let added = resident_kib(&pids).unwrap() - before;
        drop(stdin);
        assert!(holder.wait().unwrap().success());

        assert!(added >= 30 << 10, "{added} KiB for 32 MiB");
    }

    #[test]
    fn there_are_as_many_sessions_as_descriptors_allow() {
        let plan = Plan { few: 1_000, many: 10_000 };
        assert_eq!(plan.within(descriptors(10_000)).unwrap().many, 10_000);
        assert_eq!(plan.within(20_000).unwrap().many, 9_750);
        assert!(plan.within(1_024).is_err());
    }

    #[test]
    fn a_process_that_has_gone_is_an_error_that_names_it() {
        let problem = resident_kib(&[Pid::from_raw(i32::MAX)]).unwrap_err();
        assert!(problem.to_string().contains("2147483647"), "{problem}");
    }
}
