//! One run over UDP: receivers, a peer before them, sources at a steady rate before that. Nothing returns; what arrived
//! is counted where it arrived, and a datagram that did not is lost.

pub(crate) mod copier;
mod overflow;
pub(crate) mod rate;
pub(crate) mod receiver;
mod source;
mod tally;

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::socket::{setsockopt, sockopt};

use self::receiver::{Received, Receivers};
use self::source::Sources;
use self::tally::Tally;
use crate::load::Shape;
use crate::peers::{Front, Peer, Programs, Protocol, Running};
use crate::run::{Meter, Run, Timing};

/// What the copier and the receivers ask for, and what the kernel makes of it is its business.
const BUFFER: usize = 4 * 1024 * 1024;
/// How long until every source has been heard everywhere.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// Nothing has arrived for so long: nothing more will.
const SILENCE: Duration = Duration::from_millis(200);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Below this share of the rate the sources themselves are too slow.
const KEEPS_PACE: f64 = 0.95;

#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// As many sources as connections; nothing is in flight, since nothing returns.
    pub(crate) shape: Shape,
    pub(crate) timing: Timing,
    pub(crate) receivers: usize,
}

impl Plan {
    /// Measures a peer at a rate. A unit is a datagram of a source that arrived, however often
    /// it is copied.
    pub(crate) fn run(&self, peer: Peer, programs: &Programs, rate: u64) -> Result<Run> {
        let receivers = Receivers::start(self.receivers)?;
        let front = Front::new(Protocol::Datagrams, receivers.addresses.clone());
        let running = peer.start(programs, &front)?;
        let sources = Sources::connect(running.address, self.shape)?;
        let run = Bout { receivers, sources, running: &running }.measure(self.timing, rate);
        let run = run.with_context(|| format!("the run failed{}", running.last_words()))?;
        Ok(Run { settings: running.settings.clone(), ..run })
    }
}

/// Whether the sources sent as fast as they were to.
pub(crate) fn keeps_pace(run: &Run, rate: u64) -> bool {
    run.units_per_second() >= rate as f64 * KEEPS_PACE
}

/// One run, when all has been started.
struct Bout<'a> {
    receivers: Receivers,
    sources: Sources,
    running: &'a Running,
}

impl Bout<'_> {
    fn measure(mut self, timing: Timing, rate: u64) -> Result<Run> {
        self.greet()?;
        self.sources.run_for(timing.warm_up, rate)?;
        let received_before = self.settle()?;
        let sent_before = self.sources.sent();

        let meter = Meter::start(&self.running.pids())?;
        let elapsed = self.sources.run_for(timing.seconds, rate)?;
        let received = self.settle()?;
        let sent = self.sources.sent().since(sent_before);
        let since = |(now, before): (&Tally, &Tally)| now.since(*before);
        let arrived: Vec<_> = received.tallies.iter().zip(&received_before.tallies).map(since).collect();
        let lost = lost(sent, &arrived);
        // What was thrown away cost nothing, and must not make the rest look cheap.
        let mut run = meter.stop(sent.datagrams as f64 * (1.0 - lost), elapsed)?;
        run.lost = Some(lost);
        run.doubts.extend((lost > 0.0).then(|| format!("{:.2} % of the datagrams were lost", lost * 100.0)));
        run.doubts.extend(arrived.iter().filter_map(|tally| tally.disagreement(sent)));
        run.doubts.extend(overflow_doubt(received.overflowed));
        Ok(run)
    }

    /// A peer may lose the first datagram of a session; the sources begin again until all is connected.
    fn greet(&mut self) -> Result<()> {
        let deadline = Instant::now() + GREETING_TIMEOUT;
        let sources = self.sources.sent();
        while Instant::now() < deadline {
            let before = self.sources.sent();
            let received_before = self.receivers.received()?;
            self.sources.greet()?;
            let sent = self.sources.sent().since(before).datagrams;
            let received = self.settle()?;
            let arrived = received.tallies.iter().zip(&received_before.tallies);
            if arrived.map(|(now, before)| now.since(*before).datagrams).all(|count| count == sent) {
                return Ok(());
            }
        }
        let sent = self.sources.sent().since(sources).datagrams;
        bail!("{sent} datagrams in {GREETING_TIMEOUT:?} did not reach every receiver");
    }

    /// What has been received when all has arrived, or nothing does any more.
    fn settle(&mut self) -> Result<Received> {
        let sent = self.sources.sent().datagrams;
        let (mut last, mut changed) = (self.receivers.received()?, Instant::now());
        while last.tallies.iter().any(|tally| tally.datagrams < sent) && changed.elapsed() < SILENCE {
            thread::sleep(POLL_INTERVAL);
            let now = self.receivers.received()?;
            if now.tallies != last.tallies {
                changed = Instant::now();
            }
            last = now;
        }
        Ok(last)
    }
}

/// The share of all copies that did not arrive.
fn lost(sent: Tally, arrived: &[Tally]) -> f64 {
    let missing: u64 = arrived.iter().map(|tally| sent.datagrams.saturating_sub(tally.datagrams)).sum();
    missing as f64 / (sent.datagrams as f64 * arrived.len() as f64)
}

fn overflow_doubt(overflowed: u64) -> Option<String> {
    (overflowed > 0).then(|| format!("{overflowed} datagrams found the receivers' own buffers full"))
}

/// A deeper receive buffer, as far as the kernel's limit for anyone goes.
fn deepen(socket: &UdpSocket) -> Result<()> {
    setsockopt(socket, sockopt::RcvBuf, &BUFFER).context("cannot make the receive buffer deeper")
}
