//! An endpoint that nodes publish to, and what is heard there, taken to the desk.
//!
//! A stats-node has one, and so has who watches nodes without a stats-node. It binds: nodes connect, for ever again, so that
//! whoever listens next under the same endpoint hears them.

use std::{error::Error as _, sync::Arc};

use runtime::{
    event,
    exit::Failure,
    report,
    zeromq::{Batch, Context, Error, Malformed, Subscriber},
};
use tracing::{info, warn};

use crate::desk::Desk;

/// Reports taken before others have their turn.
const REPORTS_A_TURN: usize = 64;

/// A bound endpoint.
pub struct Hearing {
    subscriber: Subscriber,
}

impl Hearing {
    /// Binds `endpoint`; `advice` says what to try where that cannot be.
    pub fn open(endpoint: &str, advice: &str) -> Result<Self, Failure> {
        let topics = [report::TOPIC, event::TOPIC];
        let subscriber = Subscriber::bind(&Context::new(), endpoint, &topics)
            .map_err(|error| cannot_bind(endpoint, &error, advice))?;
        Ok(Self { subscriber })
    }

    /// The endpoint as it became, with the real port.
    pub fn endpoint(&self) -> &str {
        self.subscriber.endpoint()
    }

    /// Logs where it listens, and warns if others can reach that.
    pub fn log(&self) {
        let endpoint = self.endpoint();
        info!(endpoint, "listening to reports");
        let is_inside = ["tcp://127.", "tcp://[::1]", "tcp://localhost", "ipc://", "inproc://"];
        if !is_inside.iter().any(|prefix| endpoint.starts_with(prefix)) {
            warn!(endpoint, "reports are not encrypted, keep them on a network of your own");
        }
    }

    /// Listens, for ever.
    pub async fn run(self, desk: Arc<Desk>) {
        loop {
            self.subscriber.readable().await;
            for _ in 0..REPORTS_A_TURN {
                let Some(received) = self.subscriber.try_receive() else { break };
                if !hear(&received, &desk) {
                    desk.statistics().malformed += 1;
                }
            }
        }
    }
}

fn cannot_bind(endpoint: &str, error: &Error, advice: &str) -> Failure {
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Failure::cannot(format!("listen to reports on {endpoint}"), why, advice)
}

/// Takes one message. False if it cannot be read.
fn hear(received: &Result<(Batch, Batch), Malformed>, desk: &Desk) -> bool {
    let Ok((topic, body)) = received else { return false };
    match &**topic {
        report::TOPIC => desk.hear_report(body),
        event::TOPIC => desk.hear_event(body),
        _ => false,
    }
}
