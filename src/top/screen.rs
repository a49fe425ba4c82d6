//! `pegloom top` on a terminal: a full screen that follows what is heard and what is typed.
//!
//! The terminal is given back as it was however this ends: by a key, a signal, a limit, a failure or a panic. Keys are
//! read on a thread of their own, which ends with the process.

use std::{io, thread};

use nix::sys::signal::{Signal, raise};
use ratatui::{
    DefaultTerminal,
    backend::CrosstermBackend,
    crossterm::{
        event::{self, Event, KeyEvent, KeyEventKind},
        execute,
        terminal::{EnterAlternateScreen, enable_raw_mode},
    },
};
use runtime::{
    clock::unix_millis,
    exit::{Exit, Failure},
    signals::Signals,
};
use tokio::{select, sync::mpsc};

use super::{
    Args, Feed, Limit,
    feed::Heard,
    keys::{Cursor, Step},
    place::Place,
    view::{self, Paint, Sight},
    watch::{Change, Watch},
};

/// Keys that may wait to be obeyed.
const TYPED_AHEAD: usize = 64;

/// Shows what is heard from there.
pub(crate) async fn run(place: &Place, paint: Paint, args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let limit = Limit::of(args);
    // Before the screen is taken: a taken port is told in two lines.
    let feed = Feed::open(place)?;
    let look = Look { feed, watch: Watch::default(), still: None, cursor: Cursor::default(), paint };
    let mut screen = Screen::open(look, limit)?;
    select! {
        ended = screen.run() => ended.map_err(lost)?,
        () = signals.drain() => {}
        () = limit.is_over() => {}
    }
    Ok(Exit::Clean)
}

fn lost(error: io::Error) -> Failure {
    Failure::cannot("use the terminal", error, "--plain")
}

/// What is looked at, and how.
struct Look {
    feed: Feed,
    watch: Watch,
    /// What was known when the screen was told to stand still.
    still: Option<Watch>,
    cursor: Cursor,
    paint: Paint,
}

impl Look {
    fn sight(&self) -> Sight<'_> {
        Sight {
            place: &self.feed.place,
            contact: &self.watch.contact,
            watch: self.still.as_ref().unwrap_or(&self.watch),
            cursor: &self.cursor,
            paint: self.paint,
            now: unix_millis(),
        }
    }

    /// Takes what was heard. Who reads a divergence that is not the latest goes on reading it.
    fn take(&mut self, heard: Heard) -> Change {
        let read = self.sight().read().cloned();
        let change = self.watch.take(heard);
        if let Some(row) = read.and_then(|told| self.sight().row_of(&told)) {
            self.cursor.go_to(row);
        }
        change
    }

    /// Takes a key, on what is shown now.
    fn press(&mut self, key: KeyEvent) -> Step {
        let (rows, chosen) = (self.sight().rows(), self.sight().chosen());
        let step = self.cursor.press(key, rows, chosen);
        if self.cursor.is_paused != self.still.is_some() {
            self.still = self.cursor.is_paused.then(|| self.watch.clone());
        }
        step
    }
}

struct Screen {
    terminal: DefaultTerminal,
    typed: mpsc::Receiver<io::Result<Event>>,
    look: Look,
    limit: Limit,
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has given it back before it said why; to do that twice would put the cursor above what it said.
        if !thread::panicking() {
            // Nobody is left to be told if the terminal is gone.
            let _ = ratatui::try_restore();
        }
    }
}

impl Screen {
    fn open(look: Look, limit: Limit) -> Result<Self, Failure> {
        let terminal = ratatui::try_init().map_err(lost)?;
        let (says, typed) = mpsc::channel(TYPED_AHEAD);
        let screen = Self { terminal, typed, look, limit };
        thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&says)).map_err(lost)?;
        Ok(screen)
    }

    /// Until it is told to end, by a key or by the number of statistics that were to be shown.
    async fn run(&mut self) -> io::Result<()> {
        loop {
            self.draw()?;
            let goes_on = select! {
                typed = self.typed.recv() => match typed {
                    Some(event) => self.obey(&event?)?,
                    None => false,
                },
                change = change(&mut self.look) => {
                    !matches!(change, Change::Summary(_)) || !self.limit.spend()
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let sight = self.look.sight();
        self.terminal.draw(|frame| view::draw(frame, &sight)).map(drop)
    }

    /// False if it is told to end.
    fn obey(&mut self, event: &Event) -> io::Result<bool> {
        let Event::Key(key @ KeyEvent { kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) = event
        else {
            // A new size: drawn anew.
            return Ok(true);
        };
        match self.look.press(*key) {
            Step::Quit => return Ok(false),
            Step::Suspend => self.suspend()?,
            Step::Stay => {}
        }
        Ok(true)
    }

    /// Gives the terminal to the shell, until it is called again.
    fn suspend(&mut self) -> io::Result<()> {
        ratatui::try_restore()?;
        raise(Signal::SIGTSTP)?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        // One that takes nothing for drawn. To clear the old one would ask the terminal where its cursor is, and the
        // answer would be read with the keys.
        self.terminal = DefaultTerminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(())
    }
}

/// The next change that is to be seen: what nodes tell is in the next statistics.
async fn change(look: &mut Look) -> Change {
    loop {
        let heard = look.feed.next().await;
        match look.take(heard) {
            Change::Told(_) | Change::None => {}
            change => return change,
        }
    }
}

/// Reads what is typed until nobody wants it, or the terminal is gone.
fn read_keys(says: &mpsc::Sender<io::Result<Event>>) {
    loop {
        let read = event::read();
        let is_over = read.is_err();
        if says.blocking_send(read).is_err() || is_over {
            return;
        }
    }
}
