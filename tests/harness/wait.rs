//! Waiting without sleeping blindly: ask again until it holds or the deadline passes.
//!
//! The pause between two questions is the only sleep of the harness; no test's outcome depends on its length.

use std::thread;
use std::time::{Duration, Instant};

/// How long a thing that should happen soon may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(5);

#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, holds);
}

#[track_caller]
pub(crate) fn eventually_within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    eventually_some(limit, what, || holds().then_some(()));
}

#[track_caller]
pub(crate) fn eventually_some<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// For what must *not* happen: there is no event to wait for, so it is watched for a while.
#[track_caller]
pub(crate) fn always_for(span: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while begin.elapsed() < span {
        assert!(holds(), "after {:?} no longer: {what}", begin.elapsed());
        thread::sleep(PAUSE);
    }
}

/// Waits until `value` has not changed for `quiet`, and returns it.
#[track_caller]
pub(crate) fn settles<T: PartialEq>(quiet: Duration, what: &str, mut value: impl FnMut() -> T) -> T {
    let (mut last, mut since) = (value(), Instant::now());
    eventually_some(PATIENCE, what, || {
        let now = value();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() >= quiet).then_some(())
    });
    last
}

/// A stopwatch, so that the clock is read in this file only.
pub(crate) fn since() -> impl Fn() -> Duration {
    let begin = Instant::now();
    move || begin.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "not within 20ms: pigs fly")]
    fn what_never_holds_fails_at_its_deadline_and_says_what_it_was() {
        eventually_within(Duration::from_millis(20), "pigs fly", || false);
    }

    #[test]
    #[should_panic(expected = "no longer: the count is below three")]
    fn what_must_not_happen_fails_as_soon_as_it_does() {
        let mut count = 0;
        always_for(PATIENCE, "the count is below three", || {
            count += 1;
            count < 3
        });
    }

    #[test]
    fn a_value_settles_once_it_stays() {
        let mut calls = 0;
        let settled = settles(Duration::from_millis(20), "the count stays", || {
            calls += 1;
            calls.min(7)
        });
        assert_eq!(settled, 7);
    }
}
