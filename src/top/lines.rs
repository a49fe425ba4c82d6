//! `pegloom top` where nobody looks at a screen: lines on stdout, until it is told to end, or nobody reads them.

use std::io::{self, Write as _};

use runtime::{
    clock::unix_millis,
    exit::{Exit, Failure},
    signals::Signals,
};
use tokio::{select, task::spawn_blocking};
use tracing::{info, warn};

use super::{
    Args, Feed, Limit,
    feed::Heard,
    place::Place,
    plain,
    watch::{Change, Contact, Watch},
};

/// Prints what is heard from there.
pub(crate) async fn run(place: &Place, args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let limit = Limit::of(args);
    let feed = Feed::open(place)?;
    let mut printer = Printer { feed, watch: Watch::default(), limit, is_json: args.json };
    let ended = select! {
        ended = printer.run() => Some(ended?),
        () = signals.drain() => Some(Exit::Clean),
        () = limit.is_over() => None,
    };
    ended.map_or_else(|| printer.at_the_end(), Ok)
}

struct Printer {
    feed: Feed,
    watch: Watch,
    limit: Limit,
    is_json: bool,
}

impl Printer {
    /// Until nothing more is to be printed, or nobody reads it.
    async fn run(&mut self) -> Result<Exit, Failure> {
        loop {
            let heard = self.feed.next().await;
            let (text, is_summary) = self.lines(heard);
            if !text.is_empty() && !print(text).await? {
                return Ok(Exit::Clean);
            }
            if is_summary && self.limit.spend() {
                return Ok(Exit::Clean);
            }
        }
    }

    /// What is to be printed, and whether it is statistics.
    fn lines(&mut self, heard: Heard) -> (String, bool) {
        if let (true, Heard::Summary(text)) = (self.is_json, &heard) {
            let line = format!("{text}\n");
            self.take(heard);
            return (line, true);
        }
        match self.take(heard) {
            Change::Summary(told) => {
                let told: String = told.iter().filter_map(plain::event).collect();
                (told + &plain::routes(&self.watch.past, unix_millis()), true)
            }
            Change::Told(told) if !self.is_json => (plain::event(&told).unwrap_or_default(), false),
            _ => (String::new(), false),
        }
    }

    /// Takes what was heard. When nothing comes any more that is logged once, and when it comes again.
    fn take(&mut self, heard: Heard) -> Change {
        let was_lost = matches!(self.watch.contact, Contact::Lost(_));
        let change = self.watch.take(heard);
        let place = &self.feed.place;
        match &change {
            Change::Lost(why) => warn!(place, why, "no statistics come, trying again"),
            Change::Summary(_) if was_lost => info!(place, "statistics come again"),
            _ => {}
        }
        change
    }

    /// The time is over: who has seen nothing at all has failed.
    fn at_the_end(&self) -> Result<Exit, Failure> {
        let why = match &self.watch.contact {
            _ if self.watch.past.latest().is_some() => return Ok(Exit::Clean),
            Contact::Lost(why) => why.clone(),
            _ => "nothing was heard in time".to_owned(),
        };
        let what = format!("look at {}", self.feed.place);
        Err(Failure::cannot(what, why, "pegloom up --http 127.0.0.1:8088, or the address of a stats-node"))
    }
}

/// On a thread of its own: a stdout that nobody reads must not keep signals from being heard. False if it is closed.
async fn print(text: String) -> Result<bool, Failure> {
    let printed = spawn_blocking(move || {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
    });
    match printed.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(Failure::cannot("write to stdout", error, "a place with room left, or another one"))
        }
    }
}
