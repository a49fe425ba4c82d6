//! What an end does in each state, with each input.

use std::time::Duration;

use proto::time::Instant;
use runtime::zeromq::Connection;

use super::{Effect, End, Ending, News, Role};
use crate::{
    Name, PublicTone, Text,
    wire::p2p::{Frame, Hello, Say, Session},
};

const THEIRS: Connection = Connection(7);
const A_STRANGERS: Connection = Connection(8);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn text(words: &str) -> Text {
    Text::new(words).unwrap()
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

fn hello(who: &str, session: u64) -> Frame {
    Frame::Hello(Hello { name: name(who), session: Session(session), of: None, heard: 0 })
}

fn say(number: u64, words: &str) -> Frame {
    Frame::Say(Say { number, text: text(words), tone: PublicTone::Plain })
}

fn told(effects: &[Effect]) -> Vec<News> {
    let news = effects.iter().filter_map(|effect| match effect {
        Effect::Tell(news) => Some(news.clone()),
        _ => None,
    });
    news.collect()
}

fn sent(effects: &[Effect]) -> Vec<Frame> {
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Send(frame) => Some(frame.clone()),
        _ => None,
    });
    frames.collect()
}

fn waiting(role: Role) -> End {
    End::new(name("me"), role, fastrand::Rng::with_seed(1))
}

/// Connects at this time, to one that says this.
fn meets(end: &mut End, greeting: Frame, now: Instant) -> Vec<Effect> {
    if end.role() == Role::Listens {
        assert!(end.on_knock(now), "the line is free");
    }
    end.on_connected(THEIRS);
    end.on_ready(now);
    end.on_frame(greeting, Some(THEIRS), now);
    end.effects()
}

fn talking(role: Role) -> End {
    let mut end = waiting(role);
    meets(&mut end, hello("bob", 1), at(0));
    end
}

/// What became of the line without a word from the other end.
fn away(role: Role) -> End {
    let mut end = talking(role);
    end.on_disconnected(THEIRS, at(10));
    end.effects();
    end
}

/// Lets the time pass as a shell does.
fn pass(end: &mut End, from: u64, to: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for millis in (from..=to).step_by(50) {
        end.on_time(at(millis), true);
        effects.extend(end.effects());
    }
    effects
}

#[test]
fn who_comes_is_greeted_and_told_of() {
    for role in [Role::Listens, Role::Calls] {
        let mut end = waiting(role);
        let effects = meets(&mut end, hello("bob", 1), at(0));
        assert!(matches!(&sent(&effects)[..], [Frame::Hello(_)]), "{effects:?}");
        assert_eq!(told(&effects), [News::OnTheLine(name("bob"))]);
    }
}

#[test]
fn one_is_let_in_and_nobody_else_until_that_one_has_gone() {
    let mut end = waiting(Role::Listens);
    assert!(end.on_knock(at(0)));
    assert!(!end.on_knock(at(10)), "one is on the way");
    assert!(end.on_knock(at(6_000)), "who has not come by now does not");
    let mut end = talking(Role::Listens);
    assert!(!end.on_knock(at(1)));
    end.on_connected(A_STRANGERS);
    end.on_disconnected(A_STRANGERS, at(2));
    assert!(!end.on_knock(at(3)), "that was another's connection");
    end.on_disconnected(THEIRS, at(4));
    assert!(end.on_knock(at(5)));
}

#[test]
fn who_was_let_in_and_left_before_coming_does_not_hold_the_line() {
    let mut end = waiting(Role::Listens);
    end.on_connected(THEIRS);
    assert!(end.on_knock(at(0)));
    end.on_disconnected(THEIRS, at(1));
    assert!(end.on_knock(at(2)));
    end.on_connected(THEIRS);
    end.on_ready(at(3));
    end.on_disconnected(THEIRS, at(4));
    assert!(end.on_knock(at(5)), "it was ready, and never said a word");
}

#[test]
fn a_text_is_said_once_whatever_is_sent_again_and_each_time_known_to_be_heard() {
    let mut end = talking(Role::Calls);
    for (number, is_new) in [(1, true), (1, false), (2, true), (1, false), (9, true)] {
        end.on_frame(say(number, "x"), Some(THEIRS), at(1));
        let effects = end.effects();
        let said = effects.contains(&Effect::Said(name("bob"), text("x"), PublicTone::Plain));
        assert_eq!(said, is_new, "{number}");
        assert!(matches!(sent(&effects)[..], [Frame::Heard { .. }]));
    }
}

#[test]
fn what_is_said_before_anybody_comes_is_for_who_comes_first() {
    let mut end = waiting(Role::Listens);
    end.on_text(text("x"), PublicTone::Plain, at(0));
    assert_eq!(end.effects(), []);
    let effects = meets(&mut end, hello("bob", 1), at(5));
    assert!(sent(&effects).contains(&say(1, "x")));
}

#[test]
fn silence_of_three_seconds_is_an_absence_and_beats_are_none() {
    for role in [Role::Listens, Role::Calls] {
        let mut end = talking(role);
        let effects = pass(&mut end, 0, 2_900);
        assert_eq!(sent(&effects), [Frame::Beat { heard: 0 }, Frame::Beat { heard: 0 }]);
        end.on_frame(Frame::Beat { heard: 0 }, Some(THEIRS), at(2_900));
        assert_eq!(told(&pass(&mut end, 2_950, 5_800)), []);
        let effects = pass(&mut end, 5_850, 9_000);
        let (away, again) = (Effect::Tell(News::Away(name("bob"))), [Effect::Close, Effect::Open]);
        let from = effects.iter().position(|effect| *effect == away).expect("it is told");
        assert_eq!(effects[from + 1..], again);
    }
}

#[test]
fn nobody_is_dead_while_one_does_not_listen_oneself() {
    let mut end = talking(Role::Calls);
    for millis in (0..60_000).step_by(50) {
        end.on_time(at(millis), false);
    }
    end.on_time(at(600_000), true);
    assert_eq!(told(&end.effects()), []);
}

#[test]
fn who_calls_calls_again_and_later_each_time() {
    let mut end = away(Role::Calls);
    let first = end.next_deadline();
    assert!(first >= at(110) && first <= at(2_010));
    end.on_time(first, true);
    assert_eq!(end.effects(), [Effect::Open]);
}

#[test]
fn who_comes_back_is_back_and_gets_what_it_has_not_heard() {
    for role in [Role::Listens, Role::Calls] {
        let mut end = talking(role);
        (1..=3).for_each(|_| end.on_text(text("x"), PublicTone::Plain, at(1)));
        let Frame::Hello(mine) = greeting(&mut end) else { panic!("it is a hello") };
        let back = Hello { name: name("bob"), session: Session(1), of: Some(mine.session), heard: 2 };
        let effects = meets(&mut end, Frame::Hello(back), at(5_000));
        assert_eq!(told(&effects), [News::Back(name("bob"))]);
        assert_eq!(sent(&effects)[1..], [say(3, "x")]);
    }
}

/// Loses the connection and makes it ready again, to see how it greets.
fn greeting(end: &mut End) -> Frame {
    end.on_disconnected(THEIRS, at(10));
    pass(end, 50, 4_000);
    if end.role() == Role::Listens {
        assert!(end.on_knock(at(4_000)));
    }
    end.on_connected(THEIRS);
    end.on_ready(at(4_000));
    let greeting = sent(&end.effects()).remove(0);
    end.on_disconnected(THEIRS, at(4_001));
    pass(end, 4_050, 4_900);
    greeting
}

#[test]
fn a_claim_to_have_heard_somebody_elses_texts_is_none_about_ours() {
    let mut end = away(Role::Listens);
    end.on_text(text("x"), PublicTone::Plain, at(20));
    let other = Hello { name: name("bob"), session: Session(2), of: Some(Session(99)), heard: 50 };
    let effects = meets(&mut end, Frame::Hello(other), at(5_000));
    assert_eq!(told(&effects), [News::Back(name("bob"))], "started again, and called the same");
    assert!(sent(&effects).contains(&say(1, "x")));
}

#[test]
fn another_is_greeted_as_new_and_does_not_get_what_was_for_the_first() {
    let mut end = away(Role::Listens);
    end.on_text(text("x"), PublicTone::Plain, at(20));
    let effects = meets(&mut end, hello("eve", 2), at(5_000));
    assert_eq!(
        told(&effects),
        [News::Unheard(1, Some(name("bob"))), News::OnTheLine(name("eve"))],
        "{effects:?}"
    );
    assert!(matches!(sent(&effects)[..], [Frame::Hello(_)]));
}

#[test]
fn who_hangs_up_is_not_waited_for_and_the_next_is_new() {
    for role in [Role::Listens, Role::Calls] {
        let mut end = talking(role);
        end.on_text(text("x"), PublicTone::Plain, at(1));
        end.on_frame(Frame::Bye, Some(THEIRS), at(2));
        let effects = end.effects();
        let unheard = News::Unheard(1, Some(name("bob")));
        assert_eq!(told(&effects), [News::HungUp(name("bob")), unheard]);
        end.on_disconnected(THEIRS, at(3));
        pass(&mut end, 50, 4_000);
        let effects = meets(&mut end, hello("bob", 3), at(5_000));
        assert_eq!(told(&effects), [News::OnTheLine(name("bob"))]);
        assert_eq!(sent(&effects).len(), 1);
    }
}

#[test]
fn refusals_of_five_seconds_are_the_end_for_who_never_was_on_the_line() {
    let mut end = waiting(Role::Calls);
    end.on_refused(at(0));
    let taken = Effect::Tell(News::Refused(Duration::from_secs(5)));
    assert_eq!(end.effects(), [taken, Effect::Close]);
    assert_eq!(pass(&mut end, 0, 4_900), [Effect::Open]);
    end.on_refused(at(4_900));
    assert_eq!(end.effects(), [Effect::Close]);
    end.on_refused(at(5_000));
    assert_eq!(end.effects(), [Effect::End(Ending::Taken)]);
    let mut end = waiting(Role::Listens);
    end.on_refused(at(0));
    assert_eq!(end.effects(), [], "that was a third, and it was told");
}

#[test]
fn a_refusal_is_no_end_for_who_may_be_refused_because_of_its_own_old_connection() {
    let mut end = away(Role::Calls);
    end.on_refused(at(1_000));
    end.on_refused(at(10_900));
    assert!(!end.effects().contains(&Effect::End(Ending::Taken)));
    end.on_refused(at(11_000));
    assert_eq!(end.effects(), [Effect::End(Ending::Taken)]);
}

#[test]
fn only_refusals_in_a_row_are_counted_together() {
    let others: [fn(&mut End); 2] =
        [|end| end.on_disconnected(THEIRS, at(2_000)), |end| drop(meets(end, hello("bob", 1), at(2_000)))];
    for other in others {
        let mut end = away(Role::Calls);
        end.on_refused(at(1_000));
        other(&mut end);
        end.on_disconnected(THEIRS, at(60_000));
        end.on_refused(at(60_000));
        end.on_refused(at(69_900));
        assert!(!end.effects().contains(&Effect::End(Ending::Taken)));
        end.on_refused(at(70_000));
        assert_eq!(end.effects(), [Effect::End(Ending::Taken)]);
    }
}

#[test]
fn who_leaves_while_refused_has_not_said_anything() {
    let mut end = waiting(Role::Calls);
    end.on_refused(at(0));
    end.on_text(text("x"), PublicTone::Plain, at(0));
    end.on_leave(at(0));
    end.on_time(at(2_000), true);
    assert_eq!(end.effects().last(), Some(&Effect::End(Ending::Taken)));
}

#[test]
fn what_makes_no_sense_is_counted_and_told_once_and_is_no_sign_of_life() {
    let mut end = waiting(Role::Listens);
    end.on_frame(Frame::Bye, None, at(0));
    assert!(end.on_knock(at(0)));
    end.on_connected(THEIRS);
    end.on_ready(at(0));
    end.effects();
    for millis in (0..3_500).step_by(50) {
        end.on_frame(say(1, "before a hello"), Some(THEIRS), at(millis));
        end.on_unreadable();
        end.on_time(at(millis), true);
    }
    let effects = end.effects();
    assert!(effects.contains(&Effect::Close), "it does not hold the line");
    assert_eq!(told(&effects), []);
    assert!(end.counts().unreadable > 100);
    assert!(end.on_knock(at(4_000)));
}

#[test]
fn what_is_there_and_is_no_line_is_told_once() {
    let mut end = waiting(Role::Calls);
    let mut news = Vec::new();
    for attempt in 0..5 {
        let now = at(attempt * 10_000);
        end.on_connected(THEIRS);
        end.on_disconnected(THEIRS, now);
        end.on_time(now + Duration::from_secs(5), true);
        news.extend(told(&end.effects()));
    }
    assert_eq!(news, [News::NoLine]);
}

#[test]
fn a_new_name_is_told_and_the_same_one_is_not() {
    let mut end = talking(Role::Calls);
    end.on_frame(hello("bob", 1), Some(THEIRS), at(1));
    end.on_frame(hello("robert", 1), Some(THEIRS), at(1));
    end.on_frame(hello("eve", 2), Some(THEIRS), at(1));
    let effects = end.effects();
    assert_eq!(told(&effects), [News::Renamed(name("bob"), name("robert")), News::Unreadable]);
    end.on_rename(name("we"), at(2));
    assert!(matches!(&sent(&end.effects())[..], [Frame::Hello(hello)] if hello.name == name("we")));
}

#[test]
fn one_of_the_same_name_is_shown_with_another_while_it_is_the_same() {
    let mut end = waiting(Role::Calls);
    let effects = meets(&mut end, hello("ME", 1), at(0));
    let other = name("ME~2");
    assert_eq!(told(&effects), [News::OnTheLine(other.clone()), News::Alike(name("ME"), other.clone())]);
    end.on_frame(say(1, "x"), Some(THEIRS), at(1));
    assert!(end.effects().contains(&Effect::Said(other.clone(), text("x"), PublicTone::Plain)));
    end.on_rename(name("we"), at(2));
    assert_eq!(told(&end.effects()), [News::Renamed(other, name("ME"))]);

    let long = "x".repeat(32);
    let mut end = End::new(name(&long), Role::Calls, fastrand::Rng::with_seed(1));
    meets(&mut end, hello(&long, 1), at(0));
    assert_eq!(end.other(), Some((&name(&format!("{}~2", "x".repeat(30))), false)));
}

#[test]
fn who_leaves_says_bye_when_all_is_heard_or_after_two_seconds() {
    let bye = [Effect::Send(Frame::Bye), Effect::End(Ending::Left)];
    let mut end = talking(Role::Calls);
    end.on_leave(at(0));
    assert_eq!(end.effects(), bye);

    let mut end = talking(Role::Calls);
    end.on_text(text("x"), PublicTone::Plain, at(0));
    end.on_leave(at(0));
    assert!(!end.takes_texts());
    end.effects();
    end.on_frame(Frame::Heard { number: 1 }, Some(THEIRS), at(5));
    assert_eq!(end.effects(), bye);

    let mut end = waiting(Role::Calls);
    end.on_text(text("x"), PublicTone::Plain, at(0));
    end.on_leave(at(0));
    assert_eq!(end.effects(), []);
    end.on_time(at(2_000), true);
    assert_eq!(end.effects(), [Effect::Tell(News::Unheard(1, None)), Effect::End(Ending::Unheard)]);

    let mut end = talking(Role::Calls);
    end.on_text(text("x"), PublicTone::Plain, at(0));
    end.on_leave(at(0));
    end.on_frame(Frame::Bye, Some(THEIRS), at(5));
    assert_eq!(end.effects().last(), Some(&Effect::End(Ending::Unheard)), "the other hung up first");
}

#[test]
fn an_interrupt_waits_for_nothing() {
    let mut end = talking(Role::Listens);
    end.on_text(text("x"), PublicTone::Plain, at(0));
    end.effects();
    end.on_interrupt(at(0));
    let effects = end.effects();
    assert_eq!(sent(&effects), [Frame::Bye]);
    assert_eq!(effects.last(), Some(&Effect::End(Ending::Left)));
}

#[test]
fn what_the_socket_does_not_take_ends_the_connection_so_that_nothing_follows_a_gap() {
    let mut end = talking(Role::Listens);
    end.on_unsent(at(1));
    assert_eq!(end.effects(), [Effect::Tell(News::Away(name("bob"))), Effect::Close, Effect::Open]);
    end.on_unsent(at(1));
    assert_eq!(end.effects(), [], "it was closed by then");
}

/// Each input in each state: nothing panics, and nobody is told twice of the same absence.
#[test]
fn every_input_is_taken_in_every_state() {
    type Input = fn(&mut End, Instant);
    let inputs: [Input; 13] = [
        |end, now| assert!(!end.on_knock(now) || !end.on_knock(now)),
        |end, _| end.on_connected(THEIRS),
        |end, now| end.on_ready(now),
        |end, now| end.on_disconnected(THEIRS, now),
        |end, now| end.on_disconnected(A_STRANGERS, now),
        |end, now| end.on_frame(hello("bob", 1), Some(THEIRS), now),
        |end, now| end.on_frame(say(u64::MAX, "x"), Some(THEIRS), now),
        |end, now| end.on_frame(Frame::Heard { number: u64::MAX }, Some(THEIRS), now),
        |end, now| end.on_frame(Frame::Bye, None, now),
        |end, now| end.on_time(now + Duration::from_secs(10), true),
        |end, now| end.on_unsent(now),
        |end, now| end.on_text(text("x"), PublicTone::Action, now),
        |end, _| end.on_unreadable(),
    ];
    for role in [Role::Listens, Role::Calls] {
        for state in [waiting, talking, away] {
            for (first, second) in inputs.iter().flat_map(|one| inputs.iter().map(move |two| (one, two))) {
                let mut end = state(role);
                first(&mut end, at(100));
                second(&mut end, at(200));
                let aways = told(&end.effects()).iter().filter(|news| matches!(news, News::Away(_))).count();
                assert!(aways <= 1);
            }
        }
    }
}
