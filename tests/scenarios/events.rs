//! What a listener hears of what happens, as it happens or a little later.

use std::collections::BTreeSet;

use runtime::event::{Diverged, Event, Sample};

use crate::harness::{Destination, Fabric, Meeting, Shape, eventually};
use crate::in_every_shape;

in_every_shape!(what_happens_is_told_to_who_listens_and_again_to_who_comes_late);

/// Fails if a notice is no event, its samples are cut or mixed up, or the last ones are not repeated.
fn what_happens_is_told_to_who_listens_and_again_to_who_comes_late(shape: Shape) {
    let (primary, mut secondary) = (Destination::silent(), Destination::silent());
    let meeting = Meeting::arranged();
    let listener = meeting.listen();
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary).stats(meeting.endpoint());
    let fabric = plan.start();
    let mut source = fabric.connect();

    secondary.say(b"GET \xff\n");
    source.expect(b"GET \xff\n");
    let asked = listener.expect("an ask", |event| match event {
        Event::Asked(asked) => Some(asked.clone()),
        _ => None,
    });
    assert_eq!((asked.destination.as_str(), asked.frame), ("secondary-1", Sample(b"GET \xff\n".to_vec())));

    source.send(b"which?\n");
    primary.expect(b"which?\n");
    secondary.expect(b"which?\n");
    primary.say(b"say A\n");
    secondary.say(b"say B\n");
    let diverged = listener.expect("a divergence", divergence);
    assert_eq!(diverged.finding, "different");
    assert_eq!((diverged.session, diverged.route), (asked.session, asked.route));
    assert_eq!([&diverged.request.0[..], &diverged.primary.0], [b"which?\n", &b"say A\n"[..]]);
    assert_eq!((&diverged.secondary.0[..], diverged.offset), (&b"say B\n"[..], Some(4)));

    secondary.die();
    source.send(b"lost\n");
    let address = listener.expect("an outage", |event| match event {
        Event::Away(outage) if outage.cause.is_some() => Some(outage.address.clone()),
        _ => None,
    });
    assert_eq!(address, secondary.address().to_string());
    secondary.start();
    listener.expect("its end", |event| matches!(event, Event::Back(_)).then_some(()));

    source.half_close();
    let ended = listener.expect("the end of the session", |event| match event {
        Event::SessionEnded(ended) => Some(ended.clone()),
        _ => None,
    });
    assert_eq!(
        (ended.by.as_str(), ended.ending.as_str(), ended.phase.as_str()),
        ("source", "closed", "open")
    );
    assert_eq!((ended.received.frames, ended.sent.frames), (2, 2));

    let told: BTreeSet<_> = listener.heard().iter().map(identity).collect();
    drop(listener);
    let late = meeting.listen();
    eventually("a late listener hears the same", || {
        late.heard().iter().map(identity).collect::<BTreeSet<_>>() == told
    });
}

fn divergence(event: &Event) -> Option<Diverged> {
    match event {
        Event::Diverged(diverged) => Some(diverged.clone()),
        _ => None,
    }
}

/// Whose it is, and which.
fn identity(published: &runtime::event::Published) -> (String, u16, u64) {
    (published.node.clone(), published.shard, published.sequence)
}

/// Fails if a worker that dies is in the log only.
#[test]
fn a_lost_worker_is_told_to_who_listens() {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let meeting = Meeting::arranged();
    let listener = meeting.listen();
    let plan = Fabric::shaped(Shape::Tcp).forward(&primary).forward(&secondary).stats(meeting.endpoint());
    let fabric = plan.start();
    let mut source = fabric.connect();
    source.send(b"hello\n");
    secondary.expect(b"hello\n");

    fabric.worker("secondary-1-0").process.kill9();
    let (worker, sessions) = listener.expect("a lost worker", |event| match event {
        Event::WorkerLost(lost) => Some((lost.worker.clone(), lost.sessions)),
        _ => None,
    });
    assert_eq!((worker.as_str(), sessions), ("secondary-1-0", 1));
}
