//! Sources: what each says and when, how it reads, and what it has seen.

use std::{collections::BTreeSet, time::Duration};

use proto::{
    codec::Codec,
    id::SessionId,
    ingress::{Ending, Route},
    time::Instant,
};

use crate::{plan::millis, random::Random};

#[derive(Clone, Debug)]
pub(crate) struct SourcePlan {
    pub(crate) ingress: usize,
    pub(crate) starts_at: Instant,
    /// Everything it may say.
    pub(crate) stream: Vec<u8>,
    /// The last frame of it is kept back until everything is well.
    pub(crate) last_words: bool,
    /// Where frames start in it; none for `raw`.
    pub(crate) frames: Vec<usize>,
    pub(crate) steps: Vec<(Duration, Step)>,
    /// Bytes it reads at a time; none until things are well if 0.
    pub(crate) bite: usize,
    pub(crate) tick_micros: u64,
    pub(crate) capacity: usize,
    /// The ingress reads at most so many bytes of it at a time.
    pub(crate) read_max: usize,
    /// It answers a FIN by one.
    pub(crate) closes_at_end: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Say(usize),
    Finish,
    Reset,
}

impl SourcePlan {
    pub(crate) fn of_seed(route: &Route, ingresses: usize, draw: &mut Random) -> Self {
        let (mut stream, mut frames, is_whole) = stream(route, draw);
        let steps = steps(stream.len(), draw);
        let stays = !matches!(steps.last(), Some((_, Step::Finish | Step::Reset)));
        let last_words = stays && is_whole;
        if last_words {
            frames.push(stream.len());
            stream.extend(frame(&route.codec, draw.letters(20)));
        }
        let reads_slowly = draw.chance(20);
        Self {
            ingress: draw.size(0..=ingresses - 1),
            starts_at: Instant::from_micros(draw.within(0..=12_000_000)),
            stream,
            last_words,
            frames,
            steps,
            bite: if reads_slowly { draw.size(0..=3) * 50 } else { 65_536 },
            tick_micros: draw.within(20..=20_000),
            capacity: draw.size(200..=20_000),
            read_max: draw.size(1..=6) * draw.size(1..=1_000),
            closes_at_end: draw.chance(90),
        }
    }
}

/// What it says, where its frames start, and whether the last of them is whole.
fn stream(route: &Route, draw: &mut Random) -> (Vec<u8>, Vec<usize>, bool) {
    let (mut stream, mut frames) = (Vec::new(), Vec::new());
    let max = route.max_frame as usize;
    let is_long = draw.chance(if route.window > 8_192 { 80 } else { 30 });
    for _ in 0..draw.size(1..=if is_long { 200 } else { 40 }) {
        frames.push(stream.len());
        let len = draw.weighted(&[(1, 0..=0), (20, 1..=200.min(max)), (3, 1..=max), (1, max..=3 * max)]);
        let payload = draw.size(len);
        stream.extend(frame(&route.codec, draw.letters(payload)));
    }
    let is_whole = draw.chance(70);
    if !is_whole {
        stream.truncate(draw.size(0..=stream.len()));
        frames.retain(|&start| start < stream.len());
    }
    if route.codec == Codec::Raw {
        frames.clear();
    }
    (stream, frames, is_whole)
}

pub(crate) fn frame(codec: &Codec, payload: Vec<u8>) -> Vec<u8> {
    match codec {
        Codec::Lines | Codec::Foo => [&payload[..], b"\n"].concat(),
        Codec::Delimiter(end) => [&payload[..], end].concat(),
        Codec::LengthPrefixed(_) => [&b"!"[..], &(payload.len() as u16).to_be_bytes(), &payload].concat(),
        Codec::Raw | Codec::Datagram => payload,
    }
}

fn steps(len: usize, draw: &mut Random) -> Vec<(Duration, Step)> {
    let mut steps = Vec::new();
    let (mut left, mut spent) = (len, Duration::ZERO);
    while left > 0 {
        let piece = draw.size(1..=2_000).min(left);
        let pause = draw.weighted(&[(5, 0..=0), (5, 0..=20), (5, 20..=300), (1, 500..=4_000)]);
        let pause = if spent < millis(12_000) { millis(draw.within(pause)) } else { Duration::ZERO };
        spent += pause;
        left -= piece;
        steps.push((pause + Duration::from_micros(draw.within(0..=999)), Step::Say(piece)));
    }
    let pause = millis(draw.within(0..=3_000));
    let last = draw.weighted(&[(5, Some(Step::Finish)), (1, Some(Step::Reset)), (3, None)]);
    steps.extend(last.map(|step| (pause, step)));
    steps
}

/// One source, as it goes.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a simulated socket has as many sides as a real one")]
pub(crate) struct Source {
    pub(crate) plan: SourcePlan,
    pub(crate) next_step: usize,
    pub(crate) session: Option<SessionId>,
    /// It has said so much.
    pub(crate) said: usize,
    /// The ingress has read so much.
    pub(crate) read: usize,
    /// Where each read of the ingress began.
    pub(crate) read_starts: Vec<usize>,
    pub(crate) has_finished: bool,
    pub(crate) is_finish_read: bool,
    pub(crate) is_resumed: bool,
    pub(crate) is_reading: bool,
    /// What the ingress wrote to it.
    pub(crate) received: Vec<u8>,
    pub(crate) taken: usize,
    pub(crate) is_taking: bool,
    pub(crate) was_short: bool,
    pub(crate) is_shut: bool,
    pub(crate) closed: Option<Closed>,
    pub(crate) ending: Option<Ending>,
    /// When what came, hashed, for comparisons: time, position, kind.
    pub(crate) transcript: Vec<(Instant, usize, char)>,
    pub(crate) random: Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    BySource,
    ByIngress {
        abort: bool,
    },
    TurnedAway,
    /// Its ingress died.
    Orphaned,
}

impl Source {
    pub(crate) fn new(plan: SourcePlan, random: Random) -> Self {
        Self {
            plan,
            next_step: 0,
            session: None,
            said: 0,
            read: 0,
            read_starts: Vec::new(),
            has_finished: false,
            is_finish_read: false,
            is_resumed: false,
            is_reading: false,
            received: Vec::new(),
            taken: 0,
            is_taking: false,
            was_short: false,
            is_shut: false,
            closed: None,
            ending: None,
            transcript: Vec::new(),
            random,
        }
    }

    pub(crate) fn room(&self) -> usize {
        self.plan.capacity.saturating_sub(self.received.len() - self.taken)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.session.is_some() && self.closed.is_none()
    }

    pub(crate) fn has_something_to_read(&self) -> bool {
        self.read < self.said || (self.has_finished && !self.is_finish_read)
    }

    /// The frame that starts at a place.
    pub(crate) fn frame(&self, index: usize) -> &[u8] {
        let start = self.plan.frames[index];
        let end = self.plan.frames.get(index + 1).copied().unwrap_or(self.plan.stream.len());
        &self.plan.stream[start..end]
    }

    /// Where bursts of its stream may begin and end.
    pub(crate) fn borders(&self, max_frame: usize) -> BTreeSet<usize> {
        let cuts = |&start: &usize| (start..self.read).step_by(max_frame);
        self.read_starts.iter().flat_map(cuts).chain([self.read]).collect()
    }

    pub(crate) fn heal(&mut self) {
        self.plan.bite = 65_536;
        self.plan.tick_micros = 20;
    }
}
