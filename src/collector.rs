//! The statistics of `pegloom up`: what a stats-node does, without a socket in between.
//!
//! Ten times a second, and for each signal, every shard is asked what it has counted, and the answers go to the same desk.
//! A shard that ends says its last word by itself.

use std::{sync::Arc, time::Duration};

use proto::id::Incarnation;
use runtime::{
    clock::unix_millis,
    node::json,
    report::{Published, Report},
    shard::Shard,
};
use stats_node::{Desk, Office};
use tokio::{
    sync::{Mutex, mpsc},
    time::{MissedTickBehavior, interval},
};

/// How often shards are asked.
const COLLECT_INTERVAL: Duration = Duration::from_millis(100);

/// Where a shard says what it had counted when it ended.
pub(crate) type LastWords = mpsc::Sender<(u16, Report)>;

/// Asks the shards of this process, and tells the desk.
pub(crate) struct Collector {
    desk: Arc<Desk>,
    incarnation: Incarnation,
    /// How often they have been asked. Held while they are: answers are to come in the order of the questions.
    rounds: Mutex<u64>,
}

impl Collector {
    /// For the desk of this office. Whoever had reported to it was an earlier start of this process.
    pub(crate) fn new(office: &Office, incarnation: Incarnation) -> Self {
        let desk = Arc::clone(&office.desk);
        desk.statistics().bury();
        Self { desk, incarnation, rounds: Mutex::default() }
    }

    /// Collects, for ever.
    pub(crate) async fn run(&self, shards: &[Shard]) {
        let mut beat = interval(COLLECT_INTERVAL);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            self.collect(shards).await;
        }
    }

    /// Everything that was counted up to now, as one line.
    pub(crate) async fn line(&self, shards: &[Shard]) -> Option<String> {
        self.collect(shards).await;
        json(&self.desk.summary())
    }

    /// Takes events, as they are published, until there are no more.
    pub(crate) async fn overhear(&self, mut events: mpsc::Receiver<Vec<u8>>) {
        while let Some(event) = events.recv().await {
            self.desk.hear_event(&event);
        }
    }

    /// Takes what ended shards have said last.
    pub(crate) async fn hear_last_words(&self, mut last_words: mpsc::Receiver<(u16, Report)>) {
        let mut round = self.rounds.lock().await;
        *round += 1;
        while let Ok((shard, report)) = last_words.try_recv() {
            self.tell(shard, *round, report, true);
        }
    }

    async fn collect(&self, shards: &[Shard]) {
        let mut round = self.rounds.lock().await;
        *round += 1;
        for (index, shard) in shards.iter().enumerate() {
            if let Some(report) = shard.report().await {
                self.tell(index as u16, *round, report, false);
            }
        }
    }

    fn tell(&self, shard: u16, sequence: u64, report: Report, is_last: bool) {
        let (node, incarnation, time) = ("up".to_owned(), self.incarnation, unix_millis());
        self.desk.observe(Published { node, incarnation, shard, sequence, time, report, is_last });
    }
}
