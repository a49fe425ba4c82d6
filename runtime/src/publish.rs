//! Publishing: what a shard has counted and been told goes out ten times a second, to whoever listens.
//!
//! It never waits and is never missed: reports are cumulative, and PUB drops for a listener that is slow or gone. What the
//! numbers are is `report`'s business, what the events are `event`'s.

use std::time::Duration;

use proto::id::Incarnation;
use tokio::sync::mpsc;

use crate::{
    clock::unix_millis,
    event::{Events, Speaker},
    report::{Published, Report, TOPIC},
    zeromq::{Context, Publisher},
};

/// Every shard publishes this often.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// Who hears what a shard has to say; nobody, if nothing is named.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    /// Where reports and events are published.
    pub endpoint: Option<String>,
    /// Who in this process hears the events, as they are published. What is not fetched in time is lost.
    pub tap: Option<mpsc::Sender<Vec<u8>>>,
}

impl Audience {
    /// Whoever listens at the endpoint, if there is one.
    pub fn at(endpoint: Option<String>) -> Self {
        Self { endpoint, tap: None }
    }

    /// Whether there may be somebody.
    pub fn is_there(&self) -> bool {
        self.endpoint.is_some() || self.tap.is_some()
    }
}

/// Publishes what `report` returns and what `events` are told, for ever, and once more when it is dropped. Without an
/// audience, or an endpoint that can be published to, it ends at once: reports are no reason not to run. A listener that
/// is slow or gone costs nothing: PUB drops.
pub async fn publish(
    context: Context,
    audience: Audience,
    node: String,
    incarnation: Incarnation,
    shard: u16,
    events: Events,
    report: impl Fn() -> Report,
) {
    let Audience { endpoint, tap } = audience;
    let publisher = endpoint.and_then(|endpoint| connect(&context, &endpoint));
    if publisher.is_none() && tap.is_none() {
        return;
    }
    let mut beat = tokio::time::interval(PUBLISH_INTERVAL);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let speaker = Speaker::new(events, node.clone(), incarnation, shard, PUBLISH_INTERVAL);
    let mut reporter = Reporter { publisher, tap, speaker, node, incarnation, shard, sequence: 0, report };
    loop {
        beat.tick().await;
        reporter.say(false);
    }
}

fn connect(context: &Context, endpoint: &str) -> Option<Publisher> {
    let publisher = Publisher::connect(context, endpoint);
    publisher.inspect_err(|error| tracing::error!(%error, endpoint, "cannot publish reports")).ok()
}

/// Says what a shard has counted and been told, and when it goes, that it goes.
struct Reporter<R: Fn() -> Report> {
    publisher: Option<Publisher>,
    tap: Option<mpsc::Sender<Vec<u8>>>,
    speaker: Speaker,
    node: String,
    incarnation: Incarnation,
    shard: u16,
    sequence: u64,
    report: R,
}

impl<R: Fn() -> Report> Reporter<R> {
    fn say(&mut self, is_last: bool) {
        self.speaker.beat(self.publisher.as_ref(), self.tap.as_ref());
        let Some(publisher) = &self.publisher else { return };
        self.sequence += 1;
        let published = Published {
            node: self.node.clone(),
            incarnation: self.incarnation,
            shard: self.shard,
            sequence: self.sequence,
            time: unix_millis(),
            report: (self.report)(),
            is_last,
        };
        match rmp_serde::to_vec_named(&published) {
            // Reports are cumulative: one that is dropped costs nothing.
            Ok(body) => drop(publisher.try_send(TOPIC, &body)),
            Err(error) => tracing::error!(%error, "a report cannot be encoded"),
        }
    }
}

impl<R: Fn() -> Report> Drop for Reporter<R> {
    fn drop(&mut self) {
        self.say(true);
    }
}

/// Bytes of a node's name. With a shard's number behind it the link takes it, which has 128 for a worker's.
const MAX_NODE_NAME: usize = 120;

/// A name that is given to a node on the command line: others refuse what is longer, and nobody sees what is empty.
pub fn node_name(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a name is not empty".to_owned()),
        1..=MAX_NODE_NAME => Ok(text.to_owned()),
        len => Err(format!("a name has at most {MAX_NODE_NAME} bytes, and this one {len}")),
    }
}

/// What a node is called in reports where nothing else is said: the same after a restart on the same host and port.
pub fn default_node_name(kind: &str, endpoint: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let place = endpoint.rsplit_once(['/', ':']).map_or(endpoint, |(_, place)| place);
    format!("{kind}@{}:{place}", if host.trim().is_empty() { "localhost" } else { host.trim() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails if a name passes that the other end of a link does not take, or nobody can see.
    #[test]
    fn a_name_that_others_refuse_is_refused_where_it_is_given() {
        let longest = "ü".repeat(MAX_NODE_NAME / 2);
        assert_eq!(node_name(&longest), Ok(longest.clone()));
        assert_eq!(
            node_name(&format!("{longest}x")),
            Err("a name has at most 120 bytes, and this one 121".to_owned())
        );
        assert!(node_name("").is_err());
    }

    #[test]
    fn a_node_is_named_after_its_host_and_port() {
        let name = default_node_name("ingress", "tcp://127.0.0.1:7100");
        assert!(name.starts_with("ingress@") && name.ends_with(":7100"), "{name}");
        assert!(default_node_name("ingress", "ipc:///run/link").ends_with(":link"));
    }
}
