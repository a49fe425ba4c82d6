//! The ingress's notices as events: those an observer may want to know at once.
//!
//! It copies and names. What is told how often, the machine and [`Events`] decide.

use proto::{
    id::{DestinationIndex, RouteIndex, SessionId},
    ingress::Notice,
};
use runtime::event::{Asked, Diverged, Event, Events, Sample, SessionEnded, WorkerLost};

use crate::log::{Names, phase};

/// Tells a notice, if it is one of those.
pub(crate) fn tell(notice: &Notice, names: &Names, events: &Events) {
    match notice {
        Notice::SessionEnded { session, route, by, ending, was_connecting, received, sent } => {
            events.tell_session_end(|left_out| SessionEnded {
                session: session.to_string(),
                route: names.route(*route).to_owned(),
                by: by.to_string(),
                ending: ending.to_string(),
                phase: phase(*was_connecting).to_owned(),
                received: *received,
                sent: *sent,
                left_out,
            });
        }
        Notice::Diverged { session, route, destination, divergence, request, left_out } => {
            events.tell(|| {
                Event::Diverged(Diverged {
                    session: session.to_string(),
                    route: names.route(*route).to_owned(),
                    destination: names.destination(*route, *destination).to_owned(),
                    finding: divergence.finding.name().to_owned(),
                    request: Sample::of(request),
                    primary: Sample::of(&divergence.primary),
                    secondary: Sample::of(&divergence.secondary),
                    offset: divergence.offset,
                    path: None,
                    left_out: *left_out,
                })
            });
        }
        Notice::Asked { session, route, destination, frame, left_out } => {
            let place = (*session, *route, *destination);
            events.tell(|| Event::Asked(asked(names, place, frame, None, *left_out)));
        }
        Notice::AskedAgain { session, route, destination, frame, answer, left_out } => {
            let place = (*session, *route, *destination);
            events.tell(|| Event::AskedAgain(asked(names, place, frame, answer.as_deref(), *left_out)));
        }
        Notice::WorkerLost { worker, why, sessions } => events.tell(|| {
            Event::WorkerLost(WorkerLost {
                worker: worker.name.clone(),
                route: names.route(worker.route).to_owned(),
                destination: names.destination(worker.route, worker.destination).to_owned(),
                why: (*why).to_owned(),
                sessions: *sessions as u64,
            })
        }),
        Notice::SessionOpened { .. }
        | Notice::WorkerLinked { .. }
        | Notice::WorkerDraining { .. }
        | Notice::WorkerRefused { .. }
        | Notice::PeerIgnored { .. } => {}
    }
}

fn asked(
    names: &Names,
    (session, route, destination): (SessionId, RouteIndex, DestinationIndex),
    frame: &[u8],
    answer: Option<&[u8]>,
    left_out: u64,
) -> Asked {
    Asked {
        session: session.to_string(),
        route: names.route(route).to_owned(),
        destination: names.destination(route, destination).to_owned(),
        frame: Sample::of(frame),
        answer: answer.map(Sample::of),
        left_out,
    }
}
