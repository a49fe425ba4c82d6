//! Hosts with addresses of their own and a network between them, on which delay, loss and partition are a test's to choose.
//!
//! A [`Host`] is a network namespace that has no name: it is there as long as the test or a process in it is. So nothing
//! is left behind however a test ends, runs that go on at once never meet, and this machine's own network is not touched.
//! Whatever is made [`Host::inside`] one, sockets, threads and processes, is in it for good. A [`Network`] has one end
//! of each host's only way out, a TUN device, and a thread that carries packets from one to another (`carrier`). So
//! faults need no `netem`, which many kernels lack, and a packet that is lost is lost without a word to anybody.
//! Namespaces need root, `ip` and `/dev/net/tun`; where one is missing, there is no network and the reason is printed.

mod carrier;
mod namespace;
mod tun;

use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use carrier::Conditions;
use namespace::Namespace;
use tun::Tun;

thread_local! {
    static HERE: Cell<Ipv4Addr> = const { Cell::new(Ipv4Addr::LOCALHOST) };
}

/// The address of the host this thread is in; loopback where it is in none.
pub(crate) fn here() -> Ipv4Addr {
    HERE.get()
}

pub(crate) struct Network {
    hosts: Vec<Host>,
    conditions: Arc<Mutex<Conditions>>,
    ends: Arc<AtomicBool>,
    carrier: Option<JoinHandle<()>>,
}

pub(crate) struct Host {
    name: &'static str,
    namespace: Namespace,
    address: Ipv4Addr,
}

impl Network {
    /// Hosts of these names. None where this machine has no namespaces for us.
    pub(crate) fn of(names: &[&'static str]) -> Option<Self> {
        match Self::try_of(names) {
            Ok(network) => Some(network),
            Err(error) => {
                eprintln!("skipped: {error}");
                None
            }
        }
    }

    fn try_of(names: &[&'static str]) -> io::Result<Self> {
        let (mut hosts, mut tuns, mut conditions) = (Vec::new(), Vec::new(), Conditions::default());
        for (at, &name) in names.iter().enumerate() {
            let address = Ipv4Addr::new(10, 77, 0, u8::try_from(at + 1).expect("a few hosts"));
            let host = Host { name, namespace: Namespace::new()?, address };
            tuns.push(host.inside(|| host.connect())?);
            conditions.place(address, at);
            hosts.push(host);
        }
        let (conditions, ends) = (Arc::new(Mutex::new(conditions)), Arc::new(AtomicBool::new(false)));
        let (shared, flag) = (Arc::clone(&conditions), Arc::clone(&ends));
        let carrier = thread::spawn(move || carrier::carry(&tuns, &shared, &flag));
        Ok(Self { hosts, conditions, ends, carrier: Some(carrier) })
    }

    #[track_caller]
    pub(crate) fn host(&self, name: &str) -> &Host {
        &self.hosts[self.at(name)]
    }

    /// How long every packet takes from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.conditions().delay = delay;
    }

    /// Of so many packets one is lost from now on, by chance; the chances are the same in each run.
    pub(crate) fn lose_one_in(&self, packets: u32) {
        self.conditions().lose_one_in = Some(packets);
    }

    /// How many packets were lost by chance so far.
    pub(crate) fn lost(&self) -> u64 {
        self.conditions().lost
    }

    /// From now on no packet comes from this host, and none gets there.
    #[track_caller]
    pub(crate) fn cut_off(&self, host: &str) {
        for other in &self.hosts {
            self.cut(host, other.name);
        }
    }

    /// From now on no packet passes between these two.
    #[track_caller]
    pub(crate) fn cut(&self, one: &str, other: &str) {
        self.silence(one, other);
        self.silence(other, one);
    }

    /// From now on what the first says does not reach the second, which is still heard by the first.
    #[track_caller]
    pub(crate) fn silence(&self, speaker: &str, listener: &str) {
        let way = (self.at(speaker), self.at(listener));
        self.conditions().cuts.insert(way);
    }

    /// Every packet passes again.
    pub(crate) fn heal(&self) {
        self.conditions().cuts.clear();
    }

    /// One more address of this host.
    #[track_caller]
    pub(crate) fn add_address(&self, host: &str, address: Ipv4Addr) {
        let at = self.at(host);
        self.hosts[at].inside(|| add_address(address)).expect("a host takes one more address");
        self.conditions().place(address, at);
    }

    #[track_caller]
    fn at(&self, name: &str) -> usize {
        let at = self.hosts.iter().position(|host| host.name == name);
        at.unwrap_or_else(|| panic!("no host {name:?}"))
    }

    fn conditions(&self) -> MutexGuard<'_, Conditions> {
        self.conditions.lock().expect("the carrier lives")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(carrier) = self.carrier.take() {
            // What it found wrong, it has said.
            let _ = carrier.join();
        }
    }
}

impl Host {
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Does this in the host: what is opened or started by it stays there.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.namespace.inside(|| {
            let before = HERE.replace(self.address);
            let done = work();
            HERE.set(before);
            done
        })
    }

    /// Its way out, which ends in the network.
    fn connect(&self) -> io::Result<Tun> {
        let tun = Tun::open()?;
        ip(&["link", "set", "lo", "up"])?;
        add_address(self.address)?;
        ip(&["link", "set", tun::NAME, "up"])?;
        Ok(tun)
    }
}

fn add_address(address: Ipv4Addr) -> io::Result<()> {
    ip(&["address", "add", &format!("{address}/24"), "dev", tun::NAME])
}

fn ip(args: &[&str]) -> io::Result<()> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut command = Command::new("ip");
    command.args(args).env("PATH", path).stdin(Stdio::null());
    let done = command.output().map_err(|error| wrong("ip cannot be started", &error))?;
    if done.status.success() {
        return Ok(());
    }
    Err(wrong(&format!("ip {}", args.join(" ")), &String::from_utf8_lossy(&done.stderr)))
}

fn wrong(what: &str, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("no network of hosts on this machine: {what}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{
        DatagramDestination, DatagramSource, Destination, PATIENCE, Source, eventually, since,
    };
    use super::*;

    const WHILE: Duration = Duration::from_millis(100);

    fn two() -> Option<Network> {
        Network::of(&["one", "two"])
    }

    #[test]
    fn hosts_speak_to_each_other_by_addresses_of_their_own_and_nobody_else_does() {
        let devices = || fs::read_to_string("/proc/thread-self/net/dev").map(|text| text.lines().count());
        let before = devices().unwrap();
        let Some(network) = two() else { return };
        let echo = network.host("two").inside(Destination::echo);
        assert_eq!(echo.address().ip(), network.host("two").address());
        let mut source = network.host("one").inside(|| Source::connect(echo.address()));
        let text = vec![b'x'; 1 << 20];
        source.send(&text);
        source.expect(&text);
        assert_eq!(echo.connections()[0].from.ip(), network.host("one").address());
        assert_eq!(devices().unwrap(), before, "this machine's own devices");
    }

    #[test]
    fn a_cut_is_silent_in_the_ways_it_is_made_and_heals() {
        let Some(network) = two() else { return };
        let echo = network.host("two").inside(DatagramDestination::echo);
        let source = network.host("one").inside(|| DatagramSource::new(echo.address()));
        source.send(b"before");
        assert_eq!(source.hear(), b"before");

        network.silence("two", "one");
        source.send(b"heard there only");
        eventually("it is heard there", || echo.received().len() == 2);
        assert_eq!(source.hear_within(WHILE), None);
        network.cut_off("two");
        source.send(b"lost");
        assert_eq!(source.hear_within(WHILE), None);
        assert_eq!(echo.received().len(), 2);

        network.heal();
        source.send(b"after");
        assert_eq!(source.hear(), b"after");
    }

    #[test]
    fn packets_are_late_and_lost_as_wished() {
        let Some(network) = two() else { return };
        let echo = network.host("two").inside(DatagramDestination::echo);
        let source = network.host("one").inside(|| DatagramSource::new(echo.address()));
        network.delay(WHILE);
        let elapsed = since();
        source.send(b"slow");
        assert_eq!(source.hear_within(PATIENCE).as_deref(), Some(&b"slow"[..]));
        assert!(elapsed() >= 2 * WHILE, "there and back");

        network.delay(Duration::ZERO);
        network.lose_one_in(1);
        source.send(b"lost");
        assert_eq!(source.hear_within(WHILE), None);
        assert_eq!(network.lost(), 1);
    }
}
