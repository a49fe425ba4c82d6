//! Carries packets from host to host, late, or not at all, as the [`Conditions`] say.
//!
//! Every packet takes equally long, so none overtakes another. Only IPv4 is carried.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::since;
use super::tun::Tun;

/// Packets on their way at once; further ones are lost, as in any full queue.
const MOST_UNDER_WAY: usize = 10_000;
/// How often it looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(20);
/// Of one host before the others have their turn.
const TURN: usize = 64;

/// What the network is like at the moment.
pub(super) struct Conditions {
    pub(super) delay: Duration,
    pub(super) lose_one_in: Option<u32>,
    /// From whom to whom nothing passes.
    pub(super) cuts: HashSet<(usize, usize)>,
    pub(super) lost: u64,
    places: HashMap<Ipv4Addr, usize>,
    chance: fastrand::Rng,
}

impl Default for Conditions {
    fn default() -> Self {
        let chance = fastrand::Rng::with_seed(1);
        let (delay, cuts, places) = Default::default();
        Self { delay, lose_one_in: None, cuts, lost: 0, places, chance }
    }
}

impl Conditions {
    /// This address is at that host.
    pub(super) fn place(&mut self, address: Ipv4Addr, host: usize) {
        self.places.insert(address, host);
    }

    /// Whom a packet is for, unless nobody gets it.
    fn pass(&mut self, from: usize, packet: &[u8]) -> Option<usize> {
        let to = *self.places.get(&destination(packet)?)?;
        if self.cuts.contains(&(from, to)) {
            return None;
        }
        let is_lost = self.lose_one_in.is_some_and(|packets| self.chance.u32(0..packets) == 0);
        self.lost += u64::from(is_lost);
        (!is_lost).then_some(to)
    }
}

fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let is_ipv4 = packet.first().is_some_and(|byte| byte >> 4 == 4);
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    is_ipv4.then_some(address.into())
}

struct UnderWay {
    from: usize,
    due: Duration,
    packet: Vec<u8>,
}

/// Until it is to end. `tuns` are in the order of the hosts.
pub(super) fn carry(tuns: &[Tun], conditions: &Mutex<Conditions>, ends: &AtomicBool) {
    let now = since();
    let mut under_way = VecDeque::new();
    while !ends.load(Ordering::Relaxed) {
        let due = under_way.front().map(|next: &UnderWay| next.due.saturating_sub(now()));
        wait(tuns, due.map_or(GLANCE, |due| due.min(GLANCE)));
        for (from, tun) in tuns.iter().enumerate() {
            for packet in std::iter::from_fn(|| tun.take()).take(TURN) {
                // Asked for when the packet is here: what was wished before it was sent holds for it.
                let delay = conditions.lock().expect("nobody panics with it").delay;
                under_way.push_back(UnderWay { from, due: now() + delay, packet });
            }
        }
        under_way.truncate(MOST_UNDER_WAY);
        let arrived = under_way.partition_point(|packet| packet.due <= now());
        for packet in under_way.drain(..arrived) {
            deliver(&packet, tuns, conditions);
        }
    }
}

fn deliver(arrived: &UnderWay, tuns: &[Tun], conditions: &Mutex<Conditions>) {
    let to = conditions.lock().expect("nobody panics with it").pass(arrived.from, &arrived.packet);
    if let Some(to) = to {
        tuns[to].give(&arrived.packet);
    }
}

/// For something to carry, at most so long.
fn wait(tuns: &[Tun], limit: Duration) {
    let mut wires: Vec<_> = tuns.iter().map(|tun| PollFd::new(tun.as_fd(), PollFlags::POLLIN)).collect();
    // A millisecond is the shortest poll knows; rounded up, so that it does not spin.
    let limit = PollTimeout::try_from(limit + Duration::from_micros(999)).unwrap_or(PollTimeout::ZERO);
    // An interrupted wait is a short one.
    let _ = poll(&mut wires, limit);
}
