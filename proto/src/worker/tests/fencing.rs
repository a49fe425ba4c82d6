//! A worker writes only while its lease holds (L4).

use super::*;

/// Fails with: `may_write` always true.
#[test]
fn without_a_lease_nothing_is_written_whatever_comes() {
    let mut rig = Rig::open();
    rig.shell.room = 0;
    rig.say(&[line(0, "one")]);
    rig.now += Duration::from_millis(2600);
    rig.writable(usize::MAX);
    assert_eq!(rig.written(), "");
    rig.say(&[line(67, "two")]);
    assert_eq!((rig.written(), rig.done()), (String::new(), vec!["lost: the lease is over".to_owned()]));
}

#[test]
fn the_lease_counts_from_the_sending_of_what_was_acknowledged() {
    let mut rig = Rig::open();
    // Batches after HELLO are sent and not acknowledged: only HELLO's time counts.
    rig.now += Duration::from_millis(2400);
    rig.shell.room = 0;
    rig.say_as(rig.epoch, rig.number + 1, &[line(0, "held")]);
    rig.number += 1;
    rig.writable(usize::MAX);
    assert_eq!(rig.written(), "held");
}

#[test]
fn a_welcome_that_names_the_connection_lets_it_write_on() {
    let mut rig = Rig::open();
    rig.shell.room = 0;
    rig.say(&[line(0, "held")]);
    rig.pass(3000);
    assert_eq!(rig.hear().last().unwrap(), "HELLO s0 a1 open 68/0/1000");
    rig.shell.room = usize::MAX;
    rig.say(&[welcome(&[standing(Phase::Open, 0)], true)]);
    assert_eq!(rig.written(), "held");
}

/// Fails with: `ORPHANED` never looked at.
#[test]
fn five_seconds_without_a_lease_abort_all_connections() {
    let mut rig = Rig::open();
    rig.pass(7_000);
    assert!(!rig.done().contains(&"abort c0".to_owned()));
    rig.pass(1000);
    assert_eq!(rig.done(), ["abort c0", "orphaned 1"]);
    assert!(rig.worker.is_idle());
}

/// Fails with: `leave` that does not bar its links.
#[test]
fn a_worker_that_has_said_goodbye_writes_no_more() {
    let mut rig = Rig::open();
    rig.shell.room = 0;
    rig.say(&[line(0, "held")]);
    rig.worker.leave(rig.now, &mut rig.shell);
    assert!(rig.hear().contains(&"BYE leaving".to_owned()));
    rig.writable(usize::MAX);
    assert_eq!(rig.written(), "");
}

#[test]
fn a_local_link_needs_no_lease_and_no_pings() {
    let mut rig = Rig::greeting(true);
    rig.welcome(&[]);
    rig.say(&[open(A1, Patience::Once)]);
    rig.connected();
    rig.hear();
    rig.pass(60_000);
    rig.say(&[line(0, "still here")]);
    assert_eq!((rig.written().as_str(), rig.hear().len()), ("still here", 0));
}
