//! A source that talks without a pause: numbered lines out, replies in, until it is told to stop.
//!
//! It listens for a moment after each line, so it is slow enough never to be the load of a test.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::numbered::line;
use super::peer::End;
use super::source::{Heard, Source};
use super::{PATIENCE, eventually_within};

const MOMENT: Duration = Duration::from_millis(2);

pub(crate) struct Talker {
    session: usize,
    stops: Arc<AtomicBool>,
    transcript: Arc<Mutex<Transcript>>,
    thread: Option<JoinHandle<Source>>,
}

#[derive(Default)]
struct Transcript {
    sent: usize,
    heard: Vec<u8>,
    end: Option<End>,
}

impl Talker {
    pub(crate) fn start(session: usize, address: SocketAddr) -> Self {
        let mut source = Source::connect(address);
        let (stops, transcript) =
            (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Transcript::default())));
        let (flag, shared) = (Arc::clone(&stops), Arc::clone(&transcript));
        let thread = thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) && talk(&mut source, session, &shared) {}
            source
        });
        Self { session, stops, transcript, thread: Some(thread) }
    }

    /// How many lines it has sent.
    pub(crate) fn sent(&self) -> usize {
        self.transcript().sent
    }

    /// Everything it has heard.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.transcript().heard.clone()
    }

    /// How its conversation was ended by the other side, if it was.
    pub(crate) fn end(&self) -> Option<End> {
        self.transcript().end
    }

    /// Waits until a line that is not yet sent at this moment is echoed to it.
    #[track_caller]
    pub(crate) fn expect_fresh_reply(&self, limit: Duration) {
        let from = self.sent();
        let what = format!("session {} hears the echo of a line after number {from}", self.session);
        eventually_within(limit, &what, || {
            assert_eq!(self.end(), None, "session {} was ended", self.session);
            let (heard, sent) = (self.heard(), self.sent());
            (from..sent).any(|number| contains(&heard, &line(self.session, number)))
        });
    }

    /// No more lines; the connection stays with the caller. Returns it and how many lines were sent.
    pub(crate) fn hush(mut self) -> (Source, usize) {
        self.stops.store(true, Ordering::Relaxed);
        let source = self.thread.take().expect("it talks until now").join().expect("it talked");
        (source, self.sent())
    }

    /// No more lines, but every echo still to come, exactly: for where the primary was never disturbed.
    #[track_caller]
    pub(crate) fn hush_and_hear_everything(self) -> (Source, usize) {
        let transcript = Arc::clone(&self.transcript);
        let session = self.session;
        let (mut source, sent) = self.hush();
        let expected = super::lines(session, sent);
        let mut heard = transcript.lock().unwrap().heard.clone();
        heard.extend(source.read_bytes(expected.len().saturating_sub(heard.len())));
        super::destination::assert_same(&heard, &expected, "the echoes of a talker");
        (source, sent)
    }

    fn transcript(&self) -> MutexGuard<'_, Transcript> {
        self.transcript.lock().unwrap()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
    }
}

/// One line out, and what is there to hear; false once the conversation is over.
fn talk(source: &mut Source, session: usize, transcript: &Mutex<Transcript>) -> bool {
    let number = transcript.lock().unwrap().sent;
    if source.try_send(&line(session, number)).is_err() {
        transcript.lock().unwrap().end.get_or_insert(End::Reset);
        return false;
    }
    let heard = source.read(64 * 1024, MOMENT);
    let mut transcript = transcript.lock().unwrap();
    transcript.sent += 1;
    match heard {
        Heard::Bytes(bytes) => transcript.heard.extend(bytes),
        Heard::Nothing => {}
        Heard::End(end) => transcript.end = Some(end),
    }
    transcript.end.is_none()
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    // The newest replies are at the end; a search of everything would grow with the test.
    let recent = &all[all.len().saturating_sub(64 * 1024)..];
    recent.windows(part.len()).any(|window| window == part)
}

/// Waits until every one of `talkers` hears the echo of something it has yet to say.
#[track_caller]
pub(crate) fn expect_all_answered(talkers: &[Talker]) {
    for talker in talkers {
        talker.expect_fresh_reply(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Destination, numbers};
    use super::*;

    #[test]
    fn it_talks_hears_and_stops() {
        let echo = Destination::echo();
        let talker = Talker::start(5, echo.address());
        talker.expect_fresh_reply(PATIENCE);
        let (source, sent) = talker.hush_and_hear_everything();
        drop(source);
        echo.expect_ends();
        assert_eq!(numbers(&echo.received()), (5, (0..sent).collect()));
    }

    #[test]
    fn it_notices_that_it_was_ended() {
        let mut echo = Destination::echo();
        let talker = Talker::start(0, echo.address());
        talker.expect_fresh_reply(PATIENCE);
        echo.die();
        eventually_within(PATIENCE, "it is ended", || talker.end().is_some());
    }
}
