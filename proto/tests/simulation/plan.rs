//! What a seed means: the fabric's shape, what its destinations and sources do, and what goes wrong when.

use std::time::Duration;

use proto::{
    codec::{Codec, Counts, Endianness, LengthPrefix, Width},
    ingress::Route,
    policy::{Destination, Talk},
    time::Instant,
};

use crate::{
    destinations::{Closes, DestinationPlan, Down, Manner, Reply},
    random::Random,
    sources::SourcePlan,
};

/// Faults cease and destinations become well.
pub(crate) const HEAL_AT: Instant = seconds(20);
/// The sources that are still there say one thing more: by now every destination is back.
pub(crate) const SPEAK_AT: Instant = seconds(45);
/// Everything is at rest, and the sources that are still there say goodbye.
pub(crate) const QUIT_AT: Instant = seconds(55);
/// Nothing is left.
pub(crate) const END_AT: Instant = seconds(80);

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a run")]
pub(crate) struct Plan {
    pub(crate) random: Random,
    /// Links within one process, which lose nothing.
    pub(crate) is_local: bool,
    /// Delays are constant, so that two runs can be compared.
    pub(crate) is_even: bool,
    pub(crate) ingresses: usize,
    pub(crate) route: Route,
    pub(crate) link_window: u64,
    pub(crate) destinations: Vec<DestinationPlan>,
    /// Which destination each serves.
    pub(crate) workers: Vec<usize>,
    pub(crate) sources: Vec<SourcePlan>,
    pub(crate) faults: Vec<(Instant, Fault)>,
    pub(crate) wires: WireFaults,
    /// In the end the ingresses drain; else the sources finish.
    pub(crate) drains: bool,
    /// What destinations say of their own accord.
    pub(crate) pushes: Vec<Push>,
    /// More may be said than what primary and source say to each other.
    pub(crate) has_asks: bool,
}

/// A destination says this to every source that is there.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) at: Instant,
    pub(crate) by: usize,
    pub(crate) frame: Vec<u8>,
}

/// Of a thousand batches, so many are lost or come twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WireFaults {
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    /// The DEALER's and the ROUTER's socket.
    pub(crate) refused: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A connection between nodes breaks: what is on its way is lost.
    Cut {
        worker: usize,
        ingress: usize,
        span: Duration,
    },
    FreezeWorker {
        worker: usize,
        span: Duration,
    },
    FreezeIngress {
        ingress: usize,
        span: Duration,
    },
    KillWorker {
        worker: usize,
        back_after: Duration,
        is_renamed: bool,
    },
    /// A replica is started again under the name of this one, which lives on where it cannot be reached.
    Usurp {
        of: usize,
    },
    /// It says BYE and ends.
    LeaveWorker {
        worker: usize,
        back_after: Duration,
    },
    DrainWorker {
        worker: usize,
    },
    KillIngress {
        ingress: usize,
        back_after: Duration,
    },
    /// All connections of a destination are reset.
    ResetAll {
        destination: usize,
    },
}

pub(crate) const fn seconds(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Plan {
    /// Anything may go wrong.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let random = Random::new(seed);
        let mut draw = random.fork("shape", 0);
        let is_local = draw.chance(20);
        let is_calm = draw.chance(15);
        let secondaries = draw.size(0..=2);
        let route = route(secondaries, &mut draw);
        let is_contested = draw.chance(15);
        let ingresses = if is_local { 1 } else { draw.size(1..=2) };
        let mut workers: Vec<usize> = (0..=secondaries).collect();
        if !is_local {
            workers.extend((0..draw.size(0..=3)).map(|_| draw.size(0..=secondaries)));
            workers.extend((0..=secondaries).filter(|_| is_contested));
        }
        let destinations = (0..=secondaries)
            .map(|index| {
                let mut random = random.fork("destination", index);
                if is_contested {
                    DestinationPlan::slow(&mut random)
                } else {
                    DestinationPlan::of_seed(&mut random, index == 0)
                }
            })
            .collect();
        let sources = (0..draw.size(1..=8))
            .map(|index| SourcePlan::of_seed(&route, ingresses, &mut random.fork("source", index)))
            .collect();
        let is_faulty = !is_local && !is_calm;
        let faults =
            if is_faulty { faults(ingresses, workers.len(), secondaries, &random) } else { Vec::new() };
        let mut wires =
            if is_faulty && draw.chance(50) { WireFaults::of_seed(&mut draw) } else { WireFaults::default() };
        if is_faulty && is_contested {
            wires.refused = draw.within(5..=50);
        }
        let link_window = if draw.chance(30) { draw.within(2_000..=30_000) } else { 64 << 20 };
        let drains = draw.chance(20);
        Self {
            random,
            is_local,
            is_even: false,
            ingresses,
            route,
            link_window,
            destinations,
            workers,
            sources,
            faults,
            wires,
            drains,
            pushes: Vec::new(),
            has_asks: false,
        }
    }

    /// Links and processes are well.
    pub(crate) fn is_calm(&self) -> bool {
        self.faults.is_empty() && self.wires.lost + self.wires.repeated + self.wires.refused == 0
    }

    /// A primary that is well, on links that are well, and two secondaries that are as well, or as ill as can be.
    pub(crate) fn for_comparison(seed: u64, is_well: bool) -> Self {
        let mut plan = Self::of_seed(seed);
        let mut draw = plan.random.fork("comparison", 0);
        plan.is_even = true;
        plan.is_local = draw.chance(30);
        plan.ingresses = 1;
        plan.route = route(2, &mut draw);
        plan.link_window = 64 << 20;
        plan.workers = vec![0, 1, 2];
        plan.wires = WireFaults::default();
        plan.drains = false;
        plan.faults = Vec::new();
        plan.destinations = (0..3)
            .map(|index| {
                let mut random = plan.random.fork("destination", index);
                match index {
                    0 => DestinationPlan::of_seed(&mut random, true),
                    _ if is_well => DestinationPlan::well(&mut random),
                    _ => DestinationPlan::ill(&mut random),
                }
            })
            .collect();
        plan.sources = (0..draw.size(1..=6))
            .map(|index| SourcePlan::of_seed(&plan.route, 1, &mut plan.random.fork("source", index)))
            .collect();
        if !is_well && !plan.is_local {
            plan.faults = secondary_faults(&plan.random);
        }
        plan
    }
}

impl WireFaults {
    fn of_seed(draw: &mut Random) -> Self {
        Self { lost: draw.within(0..=20), repeated: draw.within(0..=30), refused: draw.within(0..=3) }
    }
}

pub(crate) fn route(secondaries: usize, draw: &mut Random) -> Route {
    let codec = draw.weighted(&[
        (5, Codec::Lines),
        (2, Codec::Raw),
        (
            2,
            Codec::LengthPrefixed(LengthPrefix {
                offset: 1,
                width: Width::Two,
                endianness: Endianness::Big,
                counts: Counts::Payload,
            }),
        ),
        (2, Codec::Delimiter(b"##".as_slice().into())),
    ]);
    // Some windows are larger than what every session may have in spite of its link's window.
    let is_wide = draw.chance(15);
    let window = draw.within(if is_wide { 20_000..=60_000 } else { 1_024..=8_192 }) as u32;
    let largest = if is_wide { 3_000 } else { u64::from(window) / 2 };
    Route {
        name: "r".to_owned(),
        codec,
        destinations: (0..=secondaries)
            .map(|index| Destination { asks: false, ..Destination::new(format!("d{index}"), 0) })
            .collect(),
        talk: Talk::default(),
        connect_timeout: millis(draw.within(500..=5_000)),
        linger: millis(draw.within(1_000..=5_000)),
        quiet_gap: millis(100),
        idle_timeout: millis(60_000),
        // The settings refuse a largest frame that the window could not hold.
        max_frame: draw.within(100..=largest) as u32,
        window,
        secondary_window: if draw.chance(50) { window } else { 4 * window },
        moves: true,
    }
}

/// A moment while things go wrong.
fn moment(draw: &mut Random) -> Instant {
    Instant::from_micros(draw.within(0..=18_000_000))
}

fn faults(ingresses: usize, workers: usize, secondaries: usize, random: &Random) -> Vec<(Instant, Fault)> {
    let mut draw = random.fork("faults", 0);
    let some = draw.size(0..=8);
    (0..some)
        .map(|_| {
            let (worker, ingress) = (draw.size(0..=workers - 1), draw.size(0..=ingresses - 1));
            let destination = draw.size(0..=secondaries);
            let span = millis(draw.within(500..=8_000));
            let back_after = millis(draw.within(0..=5_000));
            let is_renamed = draw.chance(50);
            let fault = draw.weighted(&[
                (6, Fault::Cut { worker, ingress, span: if is_renamed { span } else { millis(1) } }),
                (3, Fault::FreezeWorker { worker, span }),
                (3, Fault::FreezeIngress { ingress, span }),
                (4, Fault::KillWorker { worker, back_after, is_renamed }),
                (2, Fault::LeaveWorker { worker, back_after }),
                (2, Fault::Usurp { of: worker }),
                (1, Fault::DrainWorker { worker }),
                (1, Fault::KillIngress { ingress, back_after }),
                (1, Fault::ResetAll { destination }),
            ]);
            (moment(&mut draw), fault)
        })
        .collect()
}

fn secondary_faults(random: &Random) -> Vec<(Instant, Fault)> {
    let mut draw = random.fork("secondary faults", 0);
    (0..draw.size(1..=6))
        .map(|_| {
            let (worker, span) = (draw.size(1..=2), millis(draw.within(500..=8_000)));
            let fault = draw.weighted(&[
                (2, Fault::KillWorker { worker, back_after: span, is_renamed: false }),
                (1, Fault::FreezeWorker { worker, span }),
                (1, Fault::Cut { worker, ingress: 0, span }),
                (1, Fault::ResetAll { destination: worker }),
            ]);
            (moment(&mut draw), fault)
        })
        .collect()
}

impl DestinationPlan {
    pub(crate) fn of_seed(draw: &mut Random, is_primary: bool) -> Self {
        // A primary that is never there makes for short runs.
        let trouble = if is_primary { 30 } else { 60 };
        let downs = if draw.chance(trouble) { draw.size(1..=3) } else { 0 };
        let manners = if draw.chance(trouble) {
            (0..draw.size(1..=3)).map(|_| (1, Manner::of_seed(draw))).collect()
        } else {
            vec![(1, Manner::well(draw))]
        };
        let is_far = draw.chance(20);
        Self {
            connect_micros: draw.within(if is_far { 20_000..=450_000 } else { 50..=20_000 }),
            capacity: draw.size(500..=20_000),
            manners,
            downs: (0..downs).map(|_| down(draw)).collect(),
        }
    }

    /// Workers always have something left to write.
    fn slow(draw: &mut Random) -> Self {
        let mut slow = Manner::well(draw);
        (slow.bite, slow.tick_micros) = (draw.size(50..=300), draw.within(5_000..=50_000));
        slow.reply = Reply::Silence;
        Self { capacity: 300, manners: vec![(1, slow)], ..Self::well(draw) }
    }

    pub(crate) fn well(draw: &mut Random) -> Self {
        let manners = vec![(1, Manner::well(draw))];
        Self { connect_micros: 100, capacity: 65_536, manners, downs: Vec::new() }
    }

    /// Dead, stalled, lying or flooding.
    fn ill(draw: &mut Random) -> Self {
        let mut plan = Self::of_seed(draw, false);
        plan.manners = (0..3).map(|_| (1, Manner::ill(draw))).collect();
        plan.downs.push(down(draw));
        plan
    }
}

fn down(draw: &mut Random) -> (Instant, Instant, Down) {
    let from = moment(draw);
    let how = draw.weighted(&[(3, Down::Refuses), (1, Down::IsSilent), (2, Down::Resets)]);
    (from, from + millis(draw.within(100..=12_000)), how)
}

impl Manner {
    pub(crate) fn well(draw: &mut Random) -> Self {
        Self {
            reply: Reply::Echo,
            reply_micros: draw.within(50..=2_000),
            bite: 65_536,
            tick_micros: 20,
            closes: Closes::AtEnd,
            resets_after: None,
            drips: None,
        }
    }

    fn of_seed(draw: &mut Random) -> Self {
        let mut manner = Self::well(draw);
        match draw.within(0..=8) {
            0 => manner.reply_micros = draw.within(500_000..=3_000_000),
            1 => manner.reply = Reply::Silence,
            2 => (manner.bite, manner.tick_micros) = (draw.size(1..=200), draw.within(1_000..=50_000)),
            3 => manner.bite = 0,
            4 => manner.closes = Closes::After(draw.size(0..=5_000)),
            5 => manner.closes = Closes::First,
            6 => manner.closes = Closes::Never,
            7 => manner.resets_after = Some(draw.size(0..=5_000)),
            _ => return Self::ill(draw),
        }
        manner
    }

    fn ill(draw: &mut Random) -> Self {
        let mut manner = Self::well(draw);
        match draw.within(0..=4) {
            0 => manner.reply = Reply::Flood,
            1 => manner.reply = Reply::Lies,
            2 => manner.bite = 0,
            3 => manner.resets_after = Some(draw.size(0..=500)),
            _ => manner.closes = Closes::First,
        }
        manner
    }
}
