//! CPU time of processes, threads that have ended included. The process's CPU clock counts nanoseconds; the kernel's
//! accounting in /proc counts ticks of 10 ms. The first is what is reported, the second checks it.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Rounding of utime and of stime, at both ends of a run.
const TICKS_OF_DOUBT: u32 = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    by_clock: Duration,
    by_ticks: Duration,
    doubt: Duration,
}

impl CpuTime {
    pub(crate) fn of(pids: &[Pid]) -> Result<Self> {
        let tick = tick()?;
        pids.iter().try_fold(Self::default(), |sum, pid| {
            Ok(Self {
                by_clock: sum.by_clock + clock(*pid)?,
                by_ticks: sum.by_ticks + tick * ticks(*pid)?,
                doubt: sum.doubt + tick * TICKS_OF_DOUBT,
            })
        })
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            by_clock: self.by_clock.saturating_sub(earlier.by_clock),
            by_ticks: self.by_ticks.saturating_sub(earlier.by_ticks),
            doubt: self.doubt,
        }
    }

    pub(crate) fn time(self) -> Duration {
        self.by_clock
    }

    /// What to say when the clock and the ticks differ by more than rounding explains.
    pub(crate) fn disagreement(self) -> Option<String> {
        let allowed = self.doubt + self.by_clock / 50;
        (self.by_clock.abs_diff(self.by_ticks) > allowed)
            .then(|| format!("CPU clock says {:?}, /proc says {:?}", self.by_clock, self.by_ticks))
    }
}

fn clock(pid: Pid) -> Result<Duration> {
    let now = ClockId::pid_cpu_clock_id(pid).and_then(ClockId::now);
    now.map(Duration::from).with_context(|| format!("cannot read the CPU clock of process {pid}"))
}

fn tick() -> Result<Duration> {
    let a_second = sysconf(SysconfVar::CLK_TCK)?.context("the kernel does not say how long a tick is")?;
    Ok(Duration::from_secs(1) / u32::try_from(a_second)?)
}

fn ticks(pid: Pid) -> Result<u32> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse_ticks(&stat).with_context(|| format!("{path} has an unknown form"))
}

/// utime + stime, fields 14 and 15 of proc(5). Field 2, the name, may itself hold spaces and brackets.
fn parse_ticks(stat: &str) -> Option<u32> {
    let (_, from_field_3) = stat.rsplit_once(") ")?;
    let mut fields = from_field_3.split(' ').skip(14 - 3);
    let utime: u32 = fields.next()?.parse().ok()?;
    let stime: u32 = fields.next()?.parse().ok()?;
    Some(utime + stime)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_busy_thread_that_has_ended_is_counted_and_both_clocks_agree() {
        let before = CpuTime::of(&[Pid::this()]).unwrap();
        let spin = move || {
            while CpuTime::of(&[Pid::this()]).unwrap().since(before).time() < Duration::from_millis(50) {}
        };
        std::thread::spawn(spin).join().unwrap();

        let spent = CpuTime::of(&[Pid::this()]).unwrap().since(before);
        assert!(spent.time() >= Duration::from_millis(50), "{spent:?}");
        assert_eq!(spent.disagreement(), None);
    }

    #[test]
    fn an_idle_process_costs_nothing() {
        let mut idle = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(idle.id().cast_signed());
        let deadline = Instant::now() + Duration::from_secs(10);

        // Starting costs something; after that two looks must come to be the same.
        while CpuTime::of(&[pid]).unwrap() != CpuTime::of(&[pid]).unwrap() {
            assert!(Instant::now() < deadline, "an idle process keeps using CPU time");
        }
        idle.kill().unwrap();
        idle.wait().unwrap();
    }

    #[test]
    fn a_process_that_has_gone_is_an_error_that_names_it() {
        let problem = CpuTime::of(&[Pid::from_raw(i32::MAX)]).unwrap_err();
        assert!(problem.to_string().contains("2147483647"), "{problem}");
    }

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "4755 (a) b (c) R 4330 4330 2063 0 -1 4194304 2843 6564 12 1 25 3 2 1 20 0 1 0 51683";
        assert_eq!(parse_ticks(stat), Some(28));
        assert_eq!(parse_ticks("4755 (cat) R 1 2"), None);
    }

    #[test]
    fn a_difference_beyond_rounding_is_said() {
        let times = |by_ticks| CpuTime {
            by_clock: Duration::from_secs(1),
            by_ticks: Duration::from_millis(by_ticks),
            doubt: Duration::from_millis(40),
        };
        assert_eq!(times(940).disagreement(), None);
        assert!(times(939).disagreement().is_some());
    }
}
