//! What may not reach the source (S10), and frames too long to be looked at (S12).

use super::{talk::*, *};

fn denied(destination: usize) -> Talk {
    Talk::with(Codec::Lines, 2, |route| route.destinations[destination].deny = patterns("^REBOOT"))
}

#[test]
fn what_is_denied_a_secondary_is_not_heard_from_it_and_is_from_others() {
    let mut talk = denied(S);
    talk.says(S, "REBOOT\nGET\n");
    assert_eq!((talk.told(), talk.said(S).filtered, talk.said(S).asks), ("GET\n".into(), 1, 1));
    talk.spells(P, "REBOOT\n");
    assert_eq!(talk.told(), "REBOOT\n");
    talk.rest();
}

#[test]
fn only_what_is_allowed_a_secondary_is_heard_from_it() {
    let mut talk = Talk::with(Codec::Lines, 2, |route| route.destinations[S].allow = patterns("^GET"));
    talk.says(S, "SET\n");
    talk.says(S, "GET\n");
    assert_eq!((talk.told(), talk.said(S).filtered), ("GET\n".into(), 1));
}

#[test]
fn a_primary_with_filters_is_heard_frame_by_frame() {
    let mut talk = denied(P);
    talk.spells(P, "SET");
    talk.pass(seconds(1));
    assert_eq!(talk.told(), "");
    talk.spells(P, "\n");
    assert_eq!(talk.told(), "SET\n");
    talk.spells(P, "REBOOT\n");
    talk.says(P, "REBOOT\nGET\nREBOOT\n");
    assert_eq!((talk.told(), talk.said(P).filtered), ("GET\n".into(), 3));
    talk.rest();
}

#[test]
fn a_single_destination_is_filtered_too() {
    let mut talk = Talk::with(Codec::Lines, 1, |route| route.destinations[P].deny = patterns("^REBOOT"));
    talk.says(P, "SET\nREBOOT\nGET\n");
    assert_eq!((talk.told(), talk.said(P).filtered), ("SET\nGET\n".into(), 1));
    talk.rest();
}

#[test]
fn what_is_filtered_is_compared() {
    let mut talk = denied(P);
    talk.source("Q\n");
    talk.says(P, "REBOOT\n");
    talk.says(S, "REBOOT\n");
    assert_eq!((talk.told(), talk.said(S).matched), (String::new(), 1));
}

/// Fails with: the beginning looked at only as far as it was gathered.
#[test]
fn of_a_denied_primarys_frame_that_is_too_long_nothing_is_heard_however_it_is_cut() {
    let long = "REBOOT".to_owned() + &"x".repeat(400);
    for piece in [1, 100, 299, 300, 301, 406, 407] {
        let mut talk = denied(P);
        let text = long.clone() + "\n";
        for at in (0..text.len()).step_by(piece) {
            talk.says(P, &text[at..text.len().min(at + piece)]);
        }
        assert_eq!(
            (talk.told(), talk.said(P).filtered, talk.said(P).oversized),
            (String::new(), 1, 1),
            "{piece}"
        );
        talk.says(P, "GET\n");
        assert_eq!(talk.told(), "GET\n");
        talk.rest();
    }
}

#[test]
fn what_is_too_long_and_not_denied_passes_however_it_is_cut() {
    let text = "x".repeat(400) + "\n";
    for piece in [1, 100, 299, 300, 301, 400, 401] {
        for is_filtered in [true, false] {
            let mut talk = if is_filtered { denied(P) } else { Talk::lines(2) };
            talk.says(S, "xx\n");
            assert_eq!(talk.told(), "xx\n");
            for at in (0..text.len()).step_by(piece) {
                talk.says(P, &text[at..text.len().min(at + piece)]);
            }
            assert_eq!((talk.told(), talk.said(P).oversized), (text.clone(), 1), "{piece} {is_filtered}");
            talk.rest();
        }
    }
}

#[test]
fn a_secondarys_frame_that_is_too_long_asks_nothing() {
    let mut talk = Talk::lines(2);
    talk.says(S, &("x".repeat(400) + "\nGET\n"));
    assert_eq!((talk.told(), talk.said(S).oversized, talk.said(S).asks), ("GET\n".into(), 1, 1));
    talk.rest();
}
