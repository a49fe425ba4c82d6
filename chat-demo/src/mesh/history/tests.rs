//! What is kept, forgotten and given.

use super::*;
use crate::{Name, PublicTone, Text};
use proptest::prelude::*;

const OWN: AuthorId = AuthorId([9; 16]);
const ANN: AuthorId = AuthorId([1; 16]);
const BOB: AuthorId = AuthorId([2; 16]);
const CID: AuthorId = AuthorId([3; 16]);
const DAN: AuthorId = AuthorId([4; 16]);

fn entry(number: u64, at: u64) -> Entry {
    let (name, text) = (Name::new("x").unwrap(), Text::new(&number.to_string()).unwrap());
    Entry { number, stamp: Stamp { at, counter: 0 }, name, tone: PublicTone::Plain, text }
}

fn bounded(texts: usize, bytes: usize, authors: usize) -> History {
    History::new(OWN, Bounds { texts, bytes, authors })
}

fn place(author: AuthorId, number: u64, at: u64) -> Place {
    Place { stamp: Stamp { at, counter: 0 }, author, number }
}

fn filled() -> History {
    let mut history = History::new(OWN, Bounds::default());
    for (author, number, at) in [(ANN, 1, 10), (ANN, 2, 30), (BOB, 1, 20), (BOB, 2, 40)] {
        assert!(matches!(history.take(author, entry(number, at)), Taken::New(_, 0)));
    }
    history.check();
    history
}

fn numbers(runs: &[Run]) -> Vec<(AuthorId, u64, Vec<u64>)> {
    let numbers = |run: &Run| run.entries.iter().map(|entry| entry.number).collect();
    runs.iter().map(|run| (run.author, run.after, numbers(run))).collect()
}

#[test]
fn the_order_is_by_stamp_whatever_came_first() {
    let history = filled();

    let order: Vec<_> = history.last(3).map(|(place, _)| (place.author, place.number)).collect();

    assert_eq!(order, [(BOB, 1), (ANN, 2), (BOB, 2)]);
}

#[test]
fn what_was_taken_once_is_not_taken_again() {
    let mut history = filled();

    assert_eq!(history.take(ANN, entry(2, 30)), Taken::Known);
    assert_eq!(history.len(), 4);
}

#[test]
fn what_somebody_lacks_is_given_in_the_agreed_order() {
    let runs = filled().lacking(&Clock::of_wire(&[(ANN, 1)]), None, |_| true, usize::MAX, None);

    assert_eq!(numbers(&runs), [(BOB, 0, vec![1]), (ANN, 1, vec![2]), (BOB, 1, vec![2])]);
}

#[test]
fn who_lacked_nothing_lacks_what_came_later_of_few_authors_or_of_all() {
    let mut history = filled();
    let (clock, before) = (Clock::of_wire(&[(ANN, 2)]), history.taken());
    let lacking =
        |history: &History, since| numbers(&history.lacking(&clock, None, |_| true, usize::MAX, since));
    assert_eq!(lacking(&history, Some(before)), []);

    history.take(CID, entry(1, 50));
    history.take(OWN, entry(1, 60));
    history.take(CID, entry(2, 70));
    let later = [(CID, 0, vec![1]), (OWN, 0, vec![1]), (CID, 1, vec![2])];
    assert_eq!(lacking(&history, Some(before)), later);
    assert_eq!(lacking(&history, Some(before + 1)), later, "in full, whichever of its texts came later");
    assert_eq!(lacking(&history, Some(before + 3)), []);

    for number in 3..=RECENT as u64 {
        history.take(CID, entry(number, 100 + number));
    }
    assert_eq!(lacking(&history, Some(before))[0].0, BOB, "whose were taken then is no longer known");
}

#[test]
fn what_is_given_at_once_is_bounded_but_never_nothing() {
    let runs = filled().lacking(&Clock::default(), None, |author| author == BOB, 1, None);

    assert_eq!(numbers(&runs), [(BOB, 0, vec![1])]);
}

#[test]
fn where_it_is_full_the_first_goes_and_its_absence_is_told() {
    let mut history = bounded(3, usize::MAX, 9);
    for number in 1..=4 {
        history.take(ANN, entry(number, number));
    }
    history.check();

    let runs = history.lacking(&Clock::default(), None, |_| true, usize::MAX, None);

    assert_eq!(numbers(&runs), [(ANN, 0, vec![2, 3, 4])]);
    assert_eq!(history.floor(), Some(place(ANN, 2, 2)));
}

#[test]
fn what_is_kept_is_the_same_whatever_came_first() {
    let texts = [(ANN, 1, 1, 5), (BOB, 1, 2, 10), (CID, 1, 3, 10), (DAN, 1, 4, 1)];
    let kept = |order: [usize; 4]| {
        let mut history = bounded(9, 12 + 2 * (OVERHEAD + 1), 9);
        for (author, number, at, bytes) in order.map(|at| texts[at]) {
            let text = Text::new(&"x".repeat(bytes)).unwrap();
            history.take(author, Entry { text, ..entry(number, at) });
            history.check();
        }
        history.last(9).map(|(place, _)| place.author).collect::<Vec<_>>()
    };

    assert_eq!(kept([0, 1, 2, 3]), [BOB, CID, DAN]);
    assert_eq!(kept([2, 3, 1, 0]), [BOB, CID, DAN]);
}

#[test]
fn where_there_are_too_many_authors_those_who_spoke_last_are_kept_and_the_others_forgotten() {
    let mut history = bounded(99, usize::MAX, 3);
    let said = [(ANN, 1, 1), (BOB, 1, 2), (ANN, 2, 3), (CID, 1, 4), (DAN, 1, 5), (ANN, 3, 6)];
    for (author, number, at) in said {
        assert!(matches!(history.take(author, entry(number, at)), Taken::New(_, 0)));
        history.check();
    }

    let kept: Vec<_> = history.last(9).map(|(place, _)| place.author).collect();
    assert_eq!(kept, [CID, DAN, ANN], "ann has said something since");
    assert!(!history.clock().knows(BOB));
    assert_eq!(history.take(BOB, entry(1, 2)), Taken::Below, "it may have been had");
    assert_eq!(history.take(BOB, entry(5, 7)), Taken::New(place(BOB, 5, 7), 0), "and so may 2 to 4");
    assert_eq!(history.take(BOB, entry(7, 8)), Taken::New(place(BOB, 7, 8), 1), "6 was not");
    history.check();
}

#[test]
fn who_is_held_is_not_forgotten_and_heard_though_it_stands_before_the_floor() {
    let mut history = bounded(2, usize::MAX, 9);
    history.hold(BOB, 0);
    for (author, number, at) in [(BOB, 1, 1), (ANN, 1, 10), (ANN, 2, 20), (BOB, 2, 2)] {
        assert!(matches!(history.take(author, entry(number, at)), Taken::New(_, 0)));
        history.check();
    }
    assert_eq!(history.clock().of(BOB), 2);

    history.release(BOB);
    history.check();
    assert!(!history.clock().knows(BOB) && history.clock().knows(ANN));
}

#[test]
fn of_who_is_met_again_after_it_was_forgotten_nothing_is_taken_twice() {
    let mut history = bounded(2, usize::MAX, 9);
    for (author, number, at) in [(BOB, 1, 1), (ANN, 1, 10), (ANN, 2, 20)] {
        history.take(author, entry(number, at));
    }

    history.hold(BOB, 4);

    assert_eq!(history.take(BOB, entry(1, 1)), Taken::Known, "whether or not it was had");
    assert_eq!(history.take(BOB, entry(3, 30)), Taken::New(place(BOB, 3, 30), 0), "2 may have been had");
    assert_eq!(history.take(BOB, entry(6, 6)), Taken::New(place(BOB, 6, 6), 1), "5 was said since");
    history.check();
}

#[test]
fn what_one_says_below_the_floor_is_given_until_all_who_are_here_have_it() {
    let mut history = bounded(2, usize::MAX, 9);
    for (author, number, at) in [(ANN, 1, 10), (ANN, 2, 20), (OWN, 1, 1), (OWN, 2, 30), (OWN, 3, 2)] {
        assert!(matches!(history.take(author, entry(number, at)), Taken::New(_, 0)));
        history.check();
    }
    let knows_own = Clock::of_wire(&[(OWN, 0)]);
    let given = |history: &History, floor| {
        let runs = history.lacking(&knows_own, floor, |author| author == OWN, usize::MAX, None);
        runs.iter().flat_map(|run| run.entries.iter().map(|entry| entry.number)).collect::<Vec<_>>()
    };
    assert_eq!(given(&history, history.floor()), [1, 2, 3]);

    history.on_heard(1);
    assert_eq!(given(&history, None), [2, 3]);
    history.on_heard(3);
    assert_eq!(given(&history, None), [2], "what is kept is given to whoever comes");
    assert_eq!(history.last(9).count(), 2);
}

#[test]
fn so_much_of_ones_own_waits_below_the_floor() {
    let mut history = bounded(1, usize::MAX, 9);
    history.take(ANN, entry(1, 9_999));
    for number in 1..=MAX_ASIDE as u64 + 5 {
        history.take(OWN, entry(number, number));
    }
    history.check();
    assert_eq!(history.after(OWN, 0).next(), Some(place(OWN, 6, 6)));
}

#[test]
fn of_who_is_not_known_nothing_is_given_from_before_the_floor() {
    let floor = Some(place(BOB, 1, 20));

    let runs = filled().lacking(&Clock::default(), floor, |_| true, usize::MAX, None);
    assert_eq!(numbers(&runs), [(BOB, 0, vec![1]), (ANN, 0, vec![2]), (BOB, 1, vec![2])]);

    let runs = filled().lacking(&Clock::of_wire(&[(ANN, 0)]), floor, |_| true, usize::MAX, None);
    assert_eq!(numbers(&runs)[0], (ANN, 0, vec![1]), "who is known is heard");
}

#[test]
fn a_stranger_whose_stamps_fall_costs_nobody_the_bounds() {
    let mut history = bounded(2, usize::MAX, 9);
    for number in 1..=9 {
        history.take(ANN, entry(number, 100 - number));
        history.check();
    }
}

/// Texts of few authors, at times that mean something: (author, number, time, bytes), each number after the one before.
fn said() -> impl Strategy<Value = Vec<(AuthorId, Entry)>> {
    let texts = prop::collection::vec((0..6_u8, 0..3_u64, 1..80_usize), 1..60);
    texts.prop_map(|texts| {
        let (mut numbers, mut at) = ([0; 6], 0);
        let said = texts.into_iter().map(|(author, pause, bytes)| {
            let number = &mut numbers[usize::from(author)];
            (*number, at) = (*number + 1, at + pause);
            let text = Text::new(&"x".repeat(bytes)).unwrap();
            let stamp = Stamp { at, counter: *number as u32 };
            (AuthorId([author; 16]), Entry { stamp, text, ..entry(*number, at) })
        });
        said.collect()
    })
}

fn kept(history: &History) -> Vec<Place> {
    history.last(usize::MAX).map(|(place, _)| *place).collect()
}

proptest! {
    /// Fails if two who have different texts, and give one another what they keep, do not then keep the same.
    #[test]
    fn what_two_keep_has_the_same_end_as_all_that_was_said(
        said in said(),
        sides in prop::collection::vec(0..3_u8, 60),
        (texts, bytes, authors) in (1..20_usize, 1..5_000_usize, 1..6_usize),
    ) {
        let [mut one, mut other, mut all] = [(); 3].map(|()| bounded(texts, bytes, authors));
        for ((author, entry), side) in said.iter().zip(sides) {
            if side != 1 { one.take(*author, entry.clone()); }
            if side != 0 { other.take(*author, entry.clone()); }
            all.take(*author, entry.clone());
        }
        let [from_one, from_other] = [&one, &other].map(|history| history.order.clone());
        for (history, given) in [(&mut one, from_other), (&mut other, from_one)] {
            // Each is kept as if it had come first: what a clock says is another matter.
            history.clock = Clock::default();
            for (place, entry) in given {
                if !history.order.contains_key(&place) {
                    history.keep(place, entry);
                }
            }
        }
        prop_assert_eq!(kept(&one), kept(&all));
        prop_assert_eq!(kept(&other), kept(&all));
        prop_assert_eq!(one.floor(), all.floor());
    }
}
