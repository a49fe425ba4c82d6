//! Choices as a reader would count them, and what must hold whatever happens.

use proptest::prelude::*;

use super::*;

const CHECKS: HealthChecks =
    HealthChecks { interval: Duration::from_secs(5), unwell_after: 2, well_after: 2 };
const EJECTION: Ejection =
    Ejection { failures: 2, base: Duration::from_secs(1), cap: Duration::from_secs(4) };

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

fn settings(how: How, weights: &[u16]) -> Settings {
    Settings { how, weights: weights.to_vec(), ejection: Some(EJECTION), checks: Some(CHECKS) }
}

/// A balance, with words for what happens to it.
struct Rig {
    balance: Balance,
    now: Instant,
}

impl Rig {
    fn new(how: How, weights: &[u16]) -> Self {
        Self { balance: Balance::new(&settings(how, weights)), now: at(0) }
    }

    fn of(count: usize) -> Self {
        Self::new(How::RoundRobin, &vec![1; count])
    }

    #[track_caller]
    fn sent(&mut self, tried: &[u16]) -> Sent {
        let tried: Vec<_> = tried.iter().copied().map(ServerIndex).collect();
        self.balance.choose(self.now, &tried).expect("a server is left")
    }

    #[track_caller]
    fn answered(&mut self) -> u16 {
        let sent = self.sent(&[]);
        let server = sent.server().0;
        self.balance.on_done(sent, self.now);
        server
    }

    /// So many requests, one after the other, all answered.
    #[track_caller]
    fn answers(&mut self, count: usize) -> Vec<u16> {
        (0..count).map(|_| self.answered()).collect()
    }

    fn fails(&mut self, sent: Sent) -> Option<Change> {
        self.balance.on_failed(sent, self.now)
    }

    /// Requests to this server only fail until it is ejected.
    #[track_caller]
    fn eject(&mut self, server: u16) -> Option<Change> {
        let others: Vec<u16> = (0..self.balance.servers.len() as u16).filter(|&at| at != server).collect();
        let [first, second] = [self.sent(&others), self.sent(&others)];
        assert_eq!(self.fails(first), None);
        self.fails(second)
    }

    fn is_in_ring(&self, server: u16) -> bool {
        self.balance.is_in_ring(ServerIndex(server))
    }

    fn is_checked(&mut self, server: u16, is_well: bool) -> Option<Change> {
        self.balance.on_health(ServerIndex(server), is_well, self.now)
    }

    #[track_caller]
    fn is_unwell(&mut self, server: u16) {
        self.is_checked(server, false);
        assert_eq!(self.is_checked(server, false), Some(Change::Unwell));
    }
}

/// Fails with: the ring turned anywhere but in `choose`.
#[test]
fn requests_go_to_servers_in_turn() {
    assert_eq!(Rig::of(3).answers(4), [0, 1, 2, 0]);
    assert_eq!(Rig::new(How::RoundRobin, &[5, 1, 1]).answers(7), [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn a_request_is_never_sent_to_the_same_server_twice() {
    let mut rig = Rig::of(3);
    let mut tried = Vec::new();
    for _ in 0..3 {
        let sent = rig.sent(&tried);
        assert!(!tried.contains(&sent.server().0));
        tried.push(sent.server().0);
        rig.fails(sent);
    }
    assert!(rig.balance.choose(rig.now, &[0, 1, 2].map(ServerIndex)).is_none());
}

#[test]
fn without_servers_there_is_no_choice() {
    let mut balance = Balance::new(&settings(How::LeastRequests, &[]));
    assert!(balance.choose(at(0), &[]).is_none());
    assert_eq!((balance.next_check(at(0)), balance.deadline()), (None, Instant::NEVER));
}

/// Fails with: loads compared without weights.
#[test]
fn the_server_with_the_fewest_requests_for_its_weight_is_next() {
    let mut rig = Rig::new(How::LeastRequests, &[2, 1, 1]);
    let sent: Vec<Sent> = (0..8).map(|_| rig.sent(&[])).collect();
    assert_eq!([0, 1, 2].map(|server| rig.balance.in_progress(ServerIndex(server))), [4, 2, 2]);
    for done in sent.into_iter().filter(|sent| sent.server().0 == 2) {
        rig.balance.on_done(done, rig.now);
    }
    let next = [rig.sent(&[]), rig.sent(&[])];
    assert_eq!(next.each_ref().map(|sent| sent.server().0), [2, 2]);
}

/// Fails with: the first of the least loaded instead of their turn; an idle fabric would use one server only.
#[test]
fn idle_servers_take_turns() {
    assert_eq!(Rig::new(How::LeastRequests, &[1, 1, 1]).answers(6), [0, 1, 2, 0, 1, 2]);
}

/// Fails with: `is_probe_due` not asked in `choose`, or answered yes while a probe is under way.
#[test]
fn an_ejected_server_gets_nothing_but_one_probe_and_then_its_turn() {
    let mut rig = Rig::of(2);
    assert_eq!(rig.eject(0), Some(Change::Ejected { until: at(1000) }));
    assert_eq!(rig.answers(3), [1, 1, 1]);
    rig.now = at(1000);
    let probe = rig.sent(&[]);
    assert_eq!((probe.server().0, probe.is_probe()), (0, true));
    assert_eq!(rig.answers(3), [1, 1, 1], "the probe has no outcome yet");
    assert_eq!(rig.balance.on_done(probe, rig.now), Some(Change::Back));
    assert!(rig.answers(2).contains(&0));
}

#[test]
fn failures_that_are_not_in_a_row_eject_nobody() {
    let mut rig = Rig::of(1);
    for _ in 0..5 {
        let sent = rig.sent(&[]);
        assert_eq!(rig.fails(sent), None);
        rig.answered();
    }
    assert!(rig.is_in_ring(0));
}

/// Fails with: eras left out.
#[test]
fn requests_that_fail_together_eject_once() {
    let mut rig = Rig::of(1);
    let sent: Vec<Sent> = (0..10).map(|_| rig.sent(&[])).collect();
    let changes: Vec<_> = sent.into_iter().filter_map(|sent| rig.fails(sent)).collect();
    assert_eq!(changes, [Change::Ejected { until: at(1000) }]);
    assert_eq!(
        rig.balance.servers[0].standing.due(),
        at(1000),
        "and for no longer than one failure too many does"
    );
}

/// Fails with: eras left out.
#[test]
fn an_answer_to_what_was_sent_before_the_ejection_brings_nobody_back() {
    let mut rig = Rig::of(2);
    let early = rig.sent(&[1]);
    rig.eject(0);
    assert_eq!(rig.balance.on_done(early, rig.now), None);
    assert!(!rig.is_in_ring(0));
}

/// Fails with: the span doubled without the cap, or never started over.
#[test]
fn ejections_grow_to_the_cap_and_start_over_after_a_good_time() {
    let mut rig = Rig::of(1);
    rig.eject(0);
    let mut spans = Vec::new();
    for _ in 0..3 {
        rig.now = rig.balance.servers[0].standing.due();
        let probe = rig.sent(&[]);
        assert_eq!(rig.fails(probe), None, "it was out already");
        spans.push(rig.balance.servers[0].standing.due().since(rig.now).as_secs());
    }
    assert_eq!(spans, [2, 4, 4]);

    rig.now = at(20_000);
    rig.answered();
    assert_eq!(rig.eject(0), Some(Change::Ejected { until: at(24_000) }), "no good time between");
    rig.now = at(30_000);
    rig.answered();
    rig.now = at(34_000);
    assert_eq!(rig.eject(0), Some(Change::Ejected { until: at(35_000) }));
}

/// Fails with: `soonest` left out of `choose`.
#[test]
fn where_all_are_ejected_the_one_due_first_is_tried_all_the_same() {
    let mut rig = Rig::of(2);
    rig.eject(1);
    rig.now = at(100);
    rig.eject(0);
    let first = rig.sent(&[]);
    assert_eq!((first.server().0, first.is_probe()), (1, true));
    assert_eq!(rig.sent(&[1]).server().0, 0, "and then the other");
    assert_eq!(rig.balance.on_done(first, rig.now), Some(Change::Back));
}

/// Fails if the end of a probe's reply is waited for, if it is told twice, or if any other reply's head says as much.
#[test]
fn a_server_is_back_when_it_begins_to_answer_its_probe() {
    let mut rig = Rig::of(2);
    let long = rig.sent(&[1]);
    rig.eject(0);
    assert_eq!(rig.balance.on_begun(&long, rig.now), None);
    rig.now += EJECTION.base;
    let probe = rig.sent(&[]);
    assert_eq!((probe.server().0, rig.is_in_ring(0)), (0, false));

    assert_eq!(rig.balance.on_begun(&probe, rig.now), Some(Change::Back));
    assert!(rig.is_in_ring(0));
    assert_eq!(rig.balance.on_done(probe, rig.now), None);
    assert_eq!(rig.balance.on_failed(long, rig.now), None);
    assert!(rig.is_in_ring(0));
}

/// Fails with: `on_abandoned` that leaves the server to a probe that is gone.
#[test]
fn a_probe_that_is_abandoned_leaves_its_place_to_the_next_request() {
    let mut rig = Rig::of(2);
    rig.eject(0);
    rig.now = at(1000);
    let probe = rig.sent(&[]);
    rig.balance.on_abandoned(probe, rig.now);
    assert!(rig.sent(&[]).is_probe());
}

#[test]
fn without_a_rule_failures_eject_nobody() {
    let mut balance = Balance::new(&Settings { ejection: None, ..settings(How::RoundRobin, &[1]) });
    for _ in 0..10 {
        let sent = balance.choose(at(0), &[]).unwrap();
        assert_eq!(balance.on_failed(sent, at(0)), None);
    }
    assert!(balance.is_in_ring(ServerIndex(0)));
}

#[test]
fn an_unwell_server_gets_nothing_until_its_checks_pass() {
    let mut rig = Rig::of(2);
    assert_eq!(rig.is_checked(0, false), None);
    assert_eq!(rig.answers(2), [0, 1], "one failed check is not enough");
    assert_eq!(rig.is_checked(0, false), Some(Change::Unwell));
    assert_eq!(rig.answers(2), [1, 1]);
    assert_eq!(rig.is_checked(0, true), None);
    assert_eq!(rig.is_checked(0, true), Some(Change::Well));
    assert!(rig.answers(2).contains(&0));
}

#[test]
fn where_all_are_unwell_requests_are_tried_all_the_same() {
    let mut rig = Rig::of(2);
    (0..2).for_each(|server| rig.is_unwell(server));
    let both = [rig.sent(&[]), rig.sent(&[])];
    assert_eq!(both.each_ref().map(|sent| sent.server().0), [0, 1]);
}

/// Fails with: `hasten` left out.
#[test]
fn an_ejected_server_that_turns_well_is_probed_at_once() {
    let mut rig = Rig::of(2);
    rig.eject(0);
    rig.is_unwell(0);
    rig.is_checked(0, true);
    assert_eq!(rig.is_checked(0, true), Some(Change::Well));
    let probe = rig.sent(&[]);
    assert_eq!((probe.server().0, probe.is_probe()), (0, true));
}

/// Fails with: checks that bring back what requests took out.
#[test]
fn checks_that_always_passed_end_no_ejection() {
    let mut rig = Rig::of(2);
    rig.eject(0);
    (0..10).for_each(|_| assert_eq!(rig.is_checked(0, true), None));
    assert_eq!(rig.answers(3), [1, 1, 1]);
}

#[test]
fn each_server_has_one_check_under_way_at_a_time() {
    let mut rig = Rig::of(2);
    assert_eq!(rig.balance.deadline(), at(0));
    let asked: Vec<_> = std::iter::from_fn(|| rig.balance.next_check(rig.now)).collect();
    assert_eq!(asked, [0, 1].map(ServerIndex));
    rig.now = at(60_000);
    assert_eq!(rig.balance.next_check(rig.now), None);
    rig.is_checked(1, true);
    assert_eq!(rig.balance.deadline(), at(65_000));
    rig.now = at(65_000);
    assert_eq!(rig.balance.next_check(rig.now), Some(ServerIndex(1)));
}

#[derive(Clone, Debug)]
enum Step {
    Send { tried: u8 },
    Done(usize),
    Fail(usize),
    Abandon(usize),
    Check { server: u16, is_well: bool },
    Wait(u64),
}

fn steps(servers: u16) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u8>().prop_map(|mask| Step::Send { tried: mask & mask.rotate_left(3) }),
        2 => any::<usize>().prop_map(Step::Done),
        3 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Abandon),
        1 => (0..servers, any::<bool>()).prop_map(|(server, is_well)| Step::Check { server, is_well }),
        1 => (0..3_000_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

/// A balance in a world that does anything, and the requests that are under way.
struct World {
    rig: Rig,
    under_way: Vec<Sent>,
}

impl World {
    fn run(&mut self, step: &Step) {
        match *step {
            Step::Send { tried } => self.send(tried),
            Step::Done(any) => self.end(any, |rig, sent| _ = rig.balance.on_done(sent, rig.now)),
            Step::Fail(any) => self.end(any, |rig, sent| _ = rig.fails(sent)),
            Step::Abandon(any) => self.end(any, |rig, sent| rig.balance.on_abandoned(sent, rig.now)),
            Step::Check { server, is_well } => _ = self.rig.is_checked(server, is_well),
            Step::Wait(millis) => self.rig.now += Duration::from_millis(millis),
        }
        self.audit();
    }

    fn end(&mut self, any: usize, tell: impl FnOnce(&mut Rig, Sent)) {
        if !self.under_way.is_empty() {
            let sent = self.under_way.swap_remove(any % self.under_way.len());
            tell(&mut self.rig, sent);
        }
    }

    /// Whoever is out gets the request only if it is due, or nobody is in the ring that the request was not tried on.
    fn send(&mut self, tried: u8) {
        let Rig { balance, now } = &mut self.rig;
        let (tried, left): (Vec<u16>, Vec<u16>) =
            (0..balance.servers.len() as u16).partition(|server| tried >> server & 1 == 1);
        let is_any_left_in_ring = left.iter().any(|&server| balance.is_in_ring(ServerIndex(server)));
        let was_out_until: Vec<_> = balance
            .servers
            .iter()
            .map(|server| (!server.is_in_ring()).then(|| server.standing.due()))
            .collect();
        let tried: Vec<_> = tried.into_iter().map(ServerIndex).collect();
        let Some(sent) = balance.choose(*now, &tried) else {
            return assert!(left.is_empty());
        };
        assert!(left.contains(&sent.server().0));
        if let Some(due) = was_out_until[usize::from(sent.server().0)] {
            assert!(!is_any_left_in_ring || (sent.is_probe() && due <= *now));
        }
        self.under_way.push(sent);
    }

    fn audit(&self) {
        for (at, server) in self.rig.balance.servers.iter().enumerate() {
            let count = self.under_way.iter().filter(|sent| usize::from(sent.server().0) == at).count();
            assert_eq!(server.in_progress, count as u64);
            let until = server.standing.due();
            assert!(until == Instant::NEVER || until <= self.rig.now + EJECTION.cap);
        }
    }

    /// Whatever has happened, servers that work from now on are all in the ring again, and take turns.
    fn recover(mut self) {
        let count = self.rig.balance.servers.len();
        while !self.under_way.is_empty() {
            self.run(&Step::Abandon(0));
        }
        for server in (0..count as u16).flat_map(|server| [server; 2]) {
            self.rig.is_checked(server, true);
        }
        self.rig.now += EJECTION.cap;
        self.rig.answers(count);
        let mut answers = self.rig.answers(8 * count);
        answers.sort_unstable();
        answers.dedup();
        assert_eq!(answers.len(), count, "{answers:?}");
    }
}

proptest! {
    #[test]
    fn whatever_happens_counts_hold_and_all_come_back(
        (servers, steps) in (1..6_u16).prop_flat_map(|servers| (Just(servers), steps(servers))),
        is_in_turn: bool,
    ) {
        let how = if is_in_turn { How::RoundRobin } else { How::LeastRequests };
        let mut world = World { rig: Rig::new(how, &vec![1; servers.into()]), under_way: Vec::new() };
        for step in &steps {
            world.run(step);
        }
        world.recover();
    }
}
