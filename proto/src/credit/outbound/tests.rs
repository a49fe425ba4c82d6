use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::credit::{Accept, FRAME_COST, Inbound, Takes};

const KEEP: Keep = Keep::FrameStart(1 << 20);

fn line(text: &str) -> Chunk {
    Chunk::new(Bytes::copy_from_slice(text.as_bytes()), true, true, Vec::new())
}

fn part(text: &str, starts: bool, ends: bool) -> Chunk {
    Chunk::new(Bytes::copy_from_slice(text.as_bytes()), starts, ends, Vec::new())
}

fn send_all(outbound: &mut Outbound) -> Vec<(u64, String)> {
    let mut sent = Vec::new();
    while outbound
        .send(u64::MAX, |position, chunk| {
            sent.push((position, String::from_utf8_lossy(chunk.bytes()).into_owned()));
        })
        .is_some()
    {}
    sent
}

#[test]
fn nothing_is_sent_beyond_the_limit() {
    let mut outbound = Outbound::new(0, FRAME_COST + 3, KEEP);
    outbound.push(line("hello"));
    assert_eq!(send_all(&mut outbound), [(0, "hel".to_owned())]);
    assert!(!outbound.can_send() && outbound.has_unsent());
    outbound.on_totals(0, 0, FRAME_COST + 5).unwrap();
    assert_eq!(send_all(&mut outbound), [(FRAME_COST + 3, "lo".to_owned())]);
}

#[test]
fn a_start_waits_for_credit_for_its_first_byte() {
    let mut outbound = Outbound::new(0, FRAME_COST, KEEP);
    outbound.push(line("x"));
    assert!(!outbound.can_send());
    assert_eq!(send_all(&mut outbound), []);
}

#[test]
fn what_is_written_is_delivered_once_in_frames_and_bytes() {
    let mut outbound = Outbound::new(0, 10_000, KEEP);
    outbound.push(line("one"));
    outbound.push(line("two"));
    send_all(&mut outbound);
    assert_eq!(outbound.on_written(FRAME_COST + 3), Ok(Tally::new(1, 3)));
    assert_eq!(outbound.on_written(FRAME_COST + 3), Ok(Tally::ZERO));
    assert_eq!(outbound.on_written(2 * FRAME_COST + 4), Ok(Tally::new(1, 1)));
    assert_eq!(outbound.in_flight(), Tally::new(0, 2));
}

#[test]
fn a_receiver_that_claims_more_than_was_sent_is_refused() {
    let mut outbound = Outbound::new(0, 10_000, KEEP);
    outbound.push(line("one"));
    assert_eq!(outbound.on_written(1), Err(BeyondSent));
    assert_eq!(outbound.rewind(1), Err(BeyondSent));
}

#[test]
fn another_worker_begins_at_the_start_of_the_first_frame_not_written() {
    let mut outbound = Outbound::new(0, 10_000, KEEP);
    outbound.push(line("one"));
    outbound.push(part("tw", true, false));
    outbound.push(part("o", false, true));
    outbound.finish();
    send_all(&mut outbound);
    assert!(outbound.send_fin().is_some());
    outbound.on_written(2 * FRAME_COST + 4).unwrap();
    assert_eq!(outbound.restart(1000), Some((FRAME_COST + 3, Tally::new(1, 1))));
    assert_eq!(outbound.in_flight(), Tally::new(1, 3));
    assert_eq!(send_all(&mut outbound).into_iter().map(|(_, text)| text).collect::<String>(), "two");
    assert_eq!(outbound.send_fin(), Some(2 * FRAME_COST + 6));
}

#[test]
fn a_frame_start_inside_a_chunk_is_found_too() {
    let mut outbound = Outbound::new(0, 10_000, KEEP);
    outbound.push(Chunk::new(Bytes::from_static(b"abcdef"), true, true, vec![2, 4]));
    send_all(&mut outbound);
    outbound.on_written(2 * FRAME_COST + 3).unwrap();
    assert_eq!(outbound.restart(1000).unwrap().1, Tally::new(1, 1));
    assert_eq!(send_all(&mut outbound), [(FRAME_COST + 2, "cdef".to_owned())]);
}

#[test]
fn a_frame_too_long_to_keep_cannot_be_begun_again() {
    let mut outbound = Outbound::new(0, 10_000, Keep::FrameStart(100));
    outbound.push(part(&"x".repeat(200), true, false));
    outbound.push(part(&"y".repeat(200), false, false));
    send_all(&mut outbound);
    outbound.on_written(FRAME_COST + 300).unwrap();
    assert_eq!(outbound.restart(1000), None);
}

#[test]
fn a_link_that_keeps_nothing_still_counts() {
    let mut outbound = Outbound::new(0, 10_000, Keep::Nothing);
    outbound.push(line("one"));
    outbound.push(line("two"));
    send_all(&mut outbound);
    assert_eq!(outbound.on_written(FRAME_COST + 2), Ok(Tally::new(1, 2)));
    assert_eq!(outbound.discard(), Tally::new(1, 4));
    assert_eq!(outbound.outstanding(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Push { len: usize, cut: Option<u32>, starts: bool },
    Send(u64),
    Write(u64),
    Lose,
    Move,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1usize..40, proptest::option::of(1u32..40), any::<bool>())
            .prop_map(|(len, cut, starts)| Step::Push { len, cut: cut.filter(|&cut| (cut as usize) < len), starts }),
        3 => (1u64..300).prop_map(Step::Send),
        3 => (1u64..300).prop_map(Step::Write),
        1 => Just(Step::Lose),
        1 => Just(Step::Move),
    ]
}

/// The receiver of the model: takes chunks as they come, writes them bytewise.
struct Receiver {
    inbound: Inbound,
    backlog: Vec<Chunk>,
    text: Vec<u8>,
}

impl Receiver {
    fn take(&mut self, position: u64, chunk: &Chunk) {
        match self.inbound.accept(position, chunk.cost()) {
            Accept::Take { skip: 0 } => self.backlog.push(chunk.clone()),
            other => panic!("{other:?} for {chunk:?} at {position}"),
        }
    }

    fn write(&mut self, mut bytes: usize) {
        while bytes > 0 && !self.backlog.is_empty() {
            let mut chunk = self.backlog.remove(0);
            if chunk.len() > bytes {
                self.backlog.insert(0, chunk.split_off(bytes));
            }
            bytes -= chunk.len();
            self.inbound.wrote(chunk.cost());
            self.text.extend_from_slice(chunk.bytes());
        }
    }
}

#[test]
fn a_receiver_cannot_stand_before_what_it_said_was_written() {
    let mut outbound = Outbound::new(0, 10_000, KEEP);
    outbound.push(line("hello"));
    send_all(&mut outbound);
    outbound.on_written(FRAME_COST + 2).unwrap();
    assert_eq!(outbound.rewind(FRAME_COST + 1), Err(BeyondSent));
    assert_eq!(outbound.rewind(FRAME_COST + 2), Ok(()));
}

#[test]
fn a_receiver_cannot_stand_inside_a_frames_start() {
    let mut outbound = Outbound::new(0, 10_000, KEEP);
    outbound.push(line("one"));
    outbound.push(line(""));
    send_all(&mut outbound);
    for inside in [1, FRAME_COST, FRAME_COST + 4, 2 * FRAME_COST] {
        assert_eq!(outbound.rewind(inside), Err(BeyondSent), "{inside}");
    }
    assert_eq!(outbound.rewind(FRAME_COST + 3), Ok(()));
    assert_eq!(send_all(&mut outbound), [(FRAME_COST + 3, String::new())]);
}

#[test]
fn what_a_local_link_has_let_go_cannot_be_sent_again() {
    let sent = || {
        let mut outbound = Outbound::new(0, 10_000, Keep::Nothing);
        outbound.push(line("one"));
        send_all(&mut outbound);
        outbound
    };
    assert_eq!(sent().rewind(0), Err(BeyondSent));
    assert_eq!(sent().rewind(FRAME_COST + 3), Ok(()));
    assert_eq!(sent().restart(1000), None);
}

proptest! {
    /// Fails if a datagram is cut by the limit, the quantum, or a receiver that asks for a part of it again.
    #[test]
    fn datagrams_arrive_whole_whatever_is_asked_for(
        lengths in proptest::collection::vec(0usize..200, 1..20), window in 264u64..2000, quantum in 1u64..600,
        rewinds in proptest::collection::vec(0u64..4000, 0..6),
    ) {
        let ends: Vec<u32> = lengths.iter().scan(0, |end, &len| { *end += len as u32; Some(*end) }).collect();
        let bytes = Bytes::from(vec![b'x'; *ends.last().unwrap() as usize]);
        let mut outbound = Outbound::new(0, window, KEEP).of_datagrams();
        crate::credit::datagram_chunks(&bytes, &ends).for_each(|chunk| outbound.push(chunk));
        let (mut inbound, mut heard, mut rewinds) = (Inbound::new(0, window, Takes::Written), vec![], rewinds.into_iter());
        while outbound.has_unsent() {
            prop_assert!(outbound.can_send());
            outbound.send(quantum, |position, chunk| {
                assert!(chunk.starts() && chunk.ends() && (!chunk.is_empty() || chunk.cuts().is_empty()));
                if matches!(inbound.accept(position, chunk.cost()), Accept::Take { skip: 0 }) {
                    let cuts = chunk.cuts().iter().map(|&cut| cut as usize).chain([chunk.len()]);
                    heard.extend(cuts.scan(0, |from, end| Some(end - std::mem::replace(from, end))));
                }
            }).unwrap();
            if let Some(at) = rewinds.next() {
                // Refused, or to a boundary, from which everything is sent again.
                let _ = outbound.rewind(at);
            }
            inbound.wrote(inbound.received() - inbound.written());
            let totals = inbound.announce();
            // What it sends again is known to be written already.
            let _ = outbound.on_totals(totals.taken, totals.written, totals.limit);
        }
        prop_assert_eq!(heard, lengths);
        prop_assert!(outbound.in_flight().is_zero());
    }

    /// Whatever is lost or moved, the receiver has every byte of the last attempt in order, the sender never sends beyond
    /// its credit, and what it holds plus what was written is what was pushed.
    #[test]
    fn loss_and_moving_never_leave_a_hole(steps in proptest::collection::vec(step(), 1..120)) {
        const WINDOW: u64 = 400;
        let mut outbound = Outbound::new(0, WINDOW, KEEP);
        let mut receiver = Receiver { inbound: Inbound::new(0, WINDOW, Takes::Written), backlog: vec![], text: vec![] };
        let (mut stream, mut attempt_start, mut started) = (Vec::new(), 0, false);
        let (mut accepted, mut delivered) = (Tally::ZERO, Tally::ZERO);
        for step in steps {
            match step {
                Step::Push { len, cut, starts } => {
                    let bytes: Vec<u8> = (0..len).map(|i| (stream.len() + i) as u8).collect();
                    stream.extend_from_slice(&bytes);
                    let chunk = Chunk::new(bytes.into(), starts || !started, false, cut.into_iter().collect());
                    started = true;
                    accepted += chunk.tally();
                    outbound.push(chunk);
                }
                Step::Send(quantum) => {
                    outbound.send(quantum, |position, chunk| receiver.take(position, chunk));
                }
                Step::Write(bytes) => {
                    receiver.write(bytes as usize);
                    let totals = receiver.inbound.announce();
                    delivered += outbound.on_totals(totals.taken, totals.written, totals.limit).unwrap();
                }
                Step::Lose => outbound.rewind(receiver.inbound.received()).unwrap(),
                Step::Move => {
                    let (position, replayed) = outbound.restart(WINDOW).unwrap();
                    accepted += replayed;
                    attempt_start = stream.len() - (outbound.in_flight().bytes as usize);
                    receiver = Receiver { inbound: Inbound::new(position, WINDOW, Takes::Written), backlog: vec![], text: vec![] };
                }
            }
            let upto = attempt_start + receiver.text.len();
            prop_assert_eq!(&receiver.text[..], &stream[attempt_start..upto]);
            prop_assert_eq!(accepted, delivered + outbound.in_flight());
        }
    }
}
