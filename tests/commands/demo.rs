//! `pegloom demo`: what it shows is there, and it says so with its exit code.

use std::{path::Path, time::Duration};

use crate::{harness::Process, text};

/// Fails if a line of the story is missing, or the end does not add up.
#[test]
fn the_demo_shows_a_liar_and_an_ask_and_ends_by_itself() {
    let demo = Process::start(&["demo", "--for", "5s"], &[], Path::new("/"));

    let code = demo.exit_code_within(Duration::from_secs(30));
    let told = text(&demo.stdout());
    assert_eq!(code, Some(0), "{told}");
    for expected in [
        "mirror asks the device by itself, `GET BATTERY`",
        "platform asks the same. The device is not asked again.",
        "platform is given the answer",
        "beta does not answer what platform does",
        "it was asked once",
        "It adds up",
    ] {
        assert!(told.contains(expected), "without {expected:?}: {told}");
    }
}
