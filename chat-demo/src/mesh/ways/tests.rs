use super::*;

const ANN: AuthorId = AuthorId([1; 16]);
const BOB: AuthorId = AuthorId([2; 16]);

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

fn ways(given: &[&str]) -> Ways {
    let given = given.iter().map(|address| address.parse().unwrap()).collect();
    Ways::new(given, fastrand::Rng::with_seed(1), at(0))
}

fn dialled(steps: &[Step]) -> Vec<WayId> {
    steps.iter().filter_map(|step| if let Step::Dial(way, ..) = step { Some(*way) } else { None }).collect()
}

/// Lets time pass until something is dialled.
fn next_dial(ways: &mut Ways, now: &mut Instant) -> WayId {
    loop {
        *now = ways.deadline();
        assert_ne!(*now, Instant::NEVER);
        if let [way, ..] = dialled(&ways.expire(*now))[..] {
            return way;
        }
    }
}

#[test]
fn a_given_address_is_tried_for_ever_and_greeted_while_it_does_not_answer() {
    let mut ways = ways(&["a:1"]);
    let mut now = at(0);
    let first = ways.expire(now);
    let way = dialled(&first)[0];
    assert_eq!(first, [Step::Dial(way, "a:1".parse().unwrap(), 0), Step::Greet(way)]);
    assert_eq!(ways.expire(ways.deadline()), [Step::Greet(way)]);

    let end = at(24 * 3600 * 1000);
    let mut dials = 0;
    while now < end {
        next_dial(&mut ways, &mut now);
        dials += 1;
    }
    assert!(dials > 24 * 3600 / 10, "{dials}");
}

#[test]
fn an_address_that_was_heard_of_is_forgotten_after_an_hour() {
    let mut ways = ways(&[]);
    ways.hear_of("10.0.0.1:1".parse().unwrap(), at(0));
    let mut now = at(0);
    while ways.deadline() != Instant::NEVER {
        now = ways.deadline();
        ways.expire(now);
    }
    assert!(now.since(at(0)) >= TRIED_FOR && now.since(at(0)) < TRIED_FOR + Duration::from_secs(10));
}

#[test]
fn a_way_that_leads_somewhere_is_left_alone_until_its_author_is_lost() {
    let mut ways = ways(&["a:1"]);
    let way = dialled(&ways.expire(at(0)))[0];
    ways.found(way, ANN, at(0));
    assert_eq!((ways.deadline(), ways.author_of(way)), (Instant::NEVER, Some(ANN)));

    assert_eq!(ways.lose(ANN, false, at(10)), [Step::HangUp(way)]);

    let next = next_dial(&mut ways, &mut at(10));
    assert_eq!((ways.has(way), ways.has(next)), (false, true));
}

#[test]
fn a_second_way_to_one_author_rests_and_one_to_oneself_ends() {
    let mut ways = ways(&["a:1", "b:1", "10.0.0.9:1"]);
    let made = dialled(&ways.expire(at(0)));
    ways.found(made[0], ANN, at(0));

    assert_eq!(ways.rest(made[1], ANN), Some(Step::HangUp(made[1])));
    assert_eq!(ways.is_own(made[2], at(0)), Some(Step::HangUp(made[2])));
    assert_eq!(ways.deadline(), Instant::NEVER);

    assert_eq!(ways.lose(ANN, true, at(5)), [Step::HangUp(made[0])]);
    let again = dialled(&ways.expire(at(10_000)));
    assert_eq!(again.len(), 2, "both that were given, and not oneself");
}

#[test]
fn a_name_of_which_one_address_is_ones_own_is_tried_at_the_next() {
    let mut ways = ways(&["all:1"]);
    let own = dialled(&ways.expire(at(0)))[0];

    assert_eq!(ways.is_own(own, at(1)), Some(Step::HangUp(own)));

    let again = ways.expire(ways.deadline());
    let next = dialled(&again)[0];
    assert_eq!(again, [Step::Dial(next, "all:1".parse().unwrap(), 1), Step::Greet(next)]);
    ways.found(next, ANN, at(0));
    assert_eq!(ways.author_of(next), Some(ANN));
}

/// Fails if a new start at an address hears texts before a hello, and takes what was there for new.
#[test]
fn who_is_there_in_place_of_another_may_be_greeted_at_once() {
    let mut ways = ways(&["a:1"]);
    let way = dialled(&ways.expire(at(0)))[0];
    ways.found(way, ANN, at(1));
    assert_eq!([1, 2, 3].map(|millis| ways.may_answer(way, at(millis))), [true, false, false]);

    ways.found(way, BOB, at(4));

    assert_eq!([4, 5].map(|millis| ways.may_answer(way, at(millis))), [true, false]);
}

#[test]
fn who_has_left_is_only_called_where_its_address_was_given() {
    let mut ways = ways(&[]);
    ways.call("10.0.0.1:1".parse().unwrap(), at(0));
    let way = dialled(&ways.expire(at(0)))[0];
    ways.found(way, ANN, at(0));

    assert_eq!(ways.lose(ANN, true, at(1)), [Step::HangUp(way)]);
    assert_eq!(ways.deadline(), Instant::NEVER);
}

#[test]
fn no_more_addresses_are_known_than_the_most() {
    let mut ways = ways(&[]);
    for port in 1..=2_000 {
        ways.hear_of(SocketAddr::from(([10, 0, 0, 1], port)), at(0));
    }
    assert_eq!(dialled(&ways.expire(at(0))).len(), MAX_CONTACTS);

    // None of them is there.
    ways.expire(at(4_000));
    ways.call("10.0.0.2:1".parse().unwrap(), at(4_000));
    assert_eq!(dialled(&ways.expire(at(4_000))).len(), 1, "hearsay keeps out nobody who is there");
}
