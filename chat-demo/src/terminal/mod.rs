//! Where a chat meets a person, or a script: what is typed comes from here, and what is to be seen goes here.
//!
//! The chat never waits for a screen: lines that cannot be shown yet wait in a `backlog`, and when that is full they are
//! left out and counted. What is typed waits until it is asked for. `commands` understands it, `format` puts lines into
//! words, `harmless` takes out of texts what could harm a terminal.

mod backlog;
mod commands;
mod format;
mod harmless;
mod plain;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use runtime::exit::Failure;
use tokio::sync::{mpsc, oneshot};

use self::{backlog::Backlog, commands::Parsed};
use crate::{Line, Name, Typed};

/// How long the end waits for a screen that shows nothing.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A terminal, or what is in its place.
pub(crate) struct Terminal {
    heard: mpsc::Receiver<Heard>,
    backlog: Arc<Backlog>,
    /// Says when all is shown that will be, or can be.
    shown: oneshot::Receiver<()>,
    me: Name,
    names: BTreeSet<Name>,
}

/// What was typed, before it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// This, with or without its line end.
    Line(String),
    /// Something that cannot be looked at, and why.
    Unfit(&'static str),
}

impl Terminal {
    /// Plain lines on stdin and stdout.
    pub(crate) fn open(name: &Name) -> Result<Self, Failure> {
        let backlog = Arc::<Backlog>::default();
        let shown = plain::write(Arc::clone(&backlog)).map_err(Failure::cannot_start)?;
        let heard = plain::read().map_err(Failure::cannot_start)?;
        Ok(Self { heard, backlog, shown, me: name.clone(), names: BTreeSet::new() })
    }

    /// The next thing typed; the end of the input is [`Typed::Quit`], and so is an output nobody reads any more. Cancel
    /// safe. What is not understood is answered here (with what to try) and not returned.
    pub(crate) async fn next(&mut self) -> Typed {
        loop {
            let heard = tokio::select! {
                heard = self.heard.recv() => heard,
                _ = &mut self.shown, if !self.shown.is_terminated() => None,
            };
            let parsed = match heard {
                None => return Typed::Quit,
                Some(Heard::Line(typed)) => commands::parse(&typed, &self.names),
                Some(Heard::Unfit(why)) => Parsed::Wrong(why.to_owned()),
            };
            match parsed {
                Parsed::Typed(typed) => return typed,
                Parsed::Nothing => {}
                Parsed::Help(lines) => lines.into_iter().for_each(|line| self.show(&Line::Told(line))),
                Parsed::Wrong(why) => self.show(&Line::Warned(why)),
            }
        }
    }

    /// Shows a line, or leaves it out when the screen cannot follow.
    pub(crate) fn show(&mut self, line: &Line) {
        if let Some(words) = format::in_words(line, &self.me) {
            self.backlog.push(&words);
        }
    }

    /// Whether so much waits to be shown that it is time to ask for no more: what has not been acknowledged is not lost.
    pub(crate) fn is_behind(&self) -> bool {
        self.backlog.len() > backlog::FEW
    }

    /// Who may be named when completing.
    pub(crate) fn know(&mut self, names: impl IntoIterator<Item = Name>) {
        self.names = names.into_iter().collect();
    }

    /// What one is called from now on.
    pub(crate) fn rename(&mut self, name: &Name) {
        self.me = name.clone();
    }

    /// Shows what is left, but waits for nobody who does not read, and gives the terminal back as it was.
    pub(crate) async fn close(self) {
        self.backlog.close();
        // Whatever comes of it, it is over.
        let _ = tokio::time::timeout(LAST_WORDS, self.shown).await;
    }
}
