//! What comes from a place: statistics once a second, what nodes tell, and why nothing comes.
//!
//! A site says all of that itself. For an endpoint there is a desk in this process, as a stats-node has one, and what lies
//! on it is said in the same words: JSON.

use std::{sync::Arc, time::Duration};

use runtime::{clock::Clock, exit::Failure};
use stats_node::{Desk, Hearing, News};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc::{self, Receiver, Sender},
    },
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{place::Place, web};

/// What may wait to be shown; then who says it waits.
const WAITING: usize = 64;
const SECOND: Duration = Duration::from_secs(1);
/// For who cannot listen on an endpoint.
const ADVICE: &str =
    "the http:// address of the stats-node that has it, or another endpoint that nodes are told with --stats";

/// One thing that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Everything, as one line of JSON.
    Summary(Arc<str>),
    /// What a node told, as one line of JSON.
    Told(Arc<str>),
    /// Nothing comes, and why. It is being tried again.
    Silence(String),
}

/// What comes from a place, as long as this is kept.
pub(crate) struct Feed {
    /// Where it comes from, with the real port.
    pub(crate) place: String,
    heard: Receiver<Heard>,
    _tasks: JoinSet<()>,
}

impl Feed {
    /// Begins to listen; needs a local runtime.
    pub(crate) fn open(place: &Place) -> Result<Self, Failure> {
        let (says, heard) = mpsc::channel(WAITING);
        let mut tasks = JoinSet::new();
        let place = match place {
            Place::Site(site) => {
                tasks.spawn_local(web::follow(site.clone(), says));
                site.to_string()
            }
            Place::Endpoint(endpoint) => add_up(endpoint, says, &mut tasks)?,
        };
        Ok(Self { place, heard, _tasks: tasks })
    }

    /// The next, which may be long in coming. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Some(heard) => heard,
            // Whoever says something does so for ever.
            None => std::future::pending().await,
        }
    }
}

/// Does what a stats-node does, for us alone.
fn add_up(endpoint: &str, says: Sender<Heard>, tasks: &mut JoinSet<()>) -> Result<String, Failure> {
    let hearing = Hearing::open(endpoint, ADVICE)?;
    hearing.log();
    let bound = hearing.endpoint().to_owned();
    let desk = Arc::new(Desk::open("top", None, Clock::start()));
    tasks.spawn_local(pass_on(desk.subscribe(), says));
    tasks.spawn_local(hearing.run(Arc::clone(&desk)));
    tasks.spawn_local(keep(desk));
    Ok(bound)
}

async fn keep(desk: Arc<Desk>) {
    let mut beat = interval(SECOND);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        desk.on_second();
    }
}

async fn pass_on(mut news: broadcast::Receiver<News>, says: Sender<Heard>) {
    loop {
        let heard = match news.recv().await {
            Ok(News { kind: "stats", data }) => Heard::Summary(data),
            Ok(News { data, .. }) => Heard::Told(data),
            // The next statistics have it all again.
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        if says.send(heard).await.is_err() {
            return;
        }
    }
}
