//! Where a chat meets a person, or a script: what is typed comes from here, and what is to be seen goes here.
//!
//! On a terminal there is an `editor`; in a pipe lines are `plain`. The chat never waits for a screen: lines that cannot
//! be shown yet wait in a `backlog`, and when that is full they are left out and counted. What is typed waits until it is
//! asked for. `commands` understands it and `completion` completes it; `format` puts lines into words with `colours`, and
//! `harmless` takes out of texts what could harm a terminal.

mod backlog;
mod colours;
mod commands;
mod completion;
mod editor;
mod format;
pub(crate) mod harmless;
mod plain;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    env,
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use runtime::{
    clock::unix_millis,
    exit::Failure,
    telemetry::{self, Color},
};
use tokio::sync::{mpsc, oneshot, watch};

use self::{backlog::Backlog, commands::Parsed, editor::Editor, format::Format};
use crate::{How, Line, Name, Said, Text, Tone, Typed};

/// How long the end waits for a screen that shows nothing.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A terminal, or what is in its place.
pub(crate) struct Terminal {
    heard: mpsc::Receiver<Heard>,
    backlog: Arc<Backlog>,
    /// Says when all is shown that will be, or can be.
    shown: oneshot::Receiver<()>,
    over: Over,
    who: Arc<Mutex<Who>>,
    format: Format,
    /// Whether something may be said to one only.
    has_private: bool,
    /// Where there is one; in a pipe there is none.
    editor: Option<Editor>,
}

/// Who types, and who may be named.
#[derive(Debug)]
struct Who {
    me: Name,
    names: BTreeSet<Name>,
}

/// Why nothing more is typed or shown, whatever waits to be: it is known to whoever looks, and at once.
type Over = watch::Sender<Option<Typed>>;

/// What was typed, before it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// This, with or without its line end.
    Line(String),
    /// Something that cannot be looked at, and why.
    Unfit(&'static str),
}

impl Terminal {
    /// An editor where stdin and stdout are terminals (and TERM is not dumb); plain lines elsewhere. `name` is shown in
    /// the prompt. Needs a tokio runtime.
    pub(crate) fn open(name: &Name) -> Result<Self, Failure> {
        let who = Arc::new(Mutex::new(Who { me: name.clone(), names: BTreeSet::new() }));
        let backlog = Arc::<Backlog>::default();
        let over = Over::default();
        if is_screen() {
            return Self::on_screen(who, backlog, over)
                .map_err(|error| Failure::cannot("use the terminal", error, "TERM=dumb, for plain lines"));
        }
        let shown = plain::write(Arc::clone(&backlog), over.clone()).map_err(Failure::cannot_start)?;
        let heard = plain::read().map_err(Failure::cannot_start)?;
        let format = Format::new(Color::Auto.is_wanted_on(&io::stdout()), None);
        Ok(Self { heard, backlog, shown, over, who, format, has_private: true, editor: None })
    }

    fn on_screen(who: Arc<Mutex<Who>>, backlog: Arc<Backlog>, over: Over) -> io::Result<Self> {
        let (editor, heard, shown) = Editor::open(&backlog, &who, &over)?;
        if telemetry::is_on(&io::stdout()) {
            let screen = Arc::clone(&backlog);
            telemetry::divert(Some(Box::new(move |line| screen.push(&harmless::log(line)))));
        }
        let format = Format::new(Color::Auto.is_wanted_on(&io::stdout()), Some(Editor::columns()));
        Ok(Self { heard, backlog, shown, over, who, format, has_private: true, editor: Some(editor) })
    }

    /// Whether something can be said to one only, as far as is known by now.
    pub(crate) fn expect_private(&mut self, has_private: bool) {
        self.has_private = has_private;
    }

    /// With colours as they were asked for.
    pub(crate) fn colored(mut self, color: Color) -> Self {
        self.format.is_colored = color.is_wanted_on(&io::stdout());
        self
    }

    /// Where nothing can be said to one only: what asks for it is shown as it was typed, and not as said.
    pub(crate) fn without_private(mut self) -> Self {
        self.has_private = false;
        self
    }

    /// The next thing typed; the end of the input is [`Typed::Quit`], and what [`Self::gone`] tells comes before all else.
    /// Cancel safe. What is not understood is answered here (with what to try) and not returned.
    pub(crate) async fn next(&mut self) -> Typed {
        let gone = self.gone();
        tokio::pin!(gone);
        loop {
            let heard = tokio::select! {
                biased;
                typed = &mut gone => return typed,
                heard = self.heard.recv() => heard,
            };
            let typed = match heard {
                None => return Typed::Quit,
                Some(Heard::Line(line)) => self.understand(&line),
                Some(Heard::Unfit(why)) => {
                    self.show(&Line::Warned(why.to_owned()));
                    None
                }
            };
            if let Some(typed) = typed {
                return typed;
            }
        }
    }

    /// Waits until it is over, also while nothing typed is asked for: [`Typed::Leave`] when that was pressed,
    /// [`Typed::Quit`] when the terminal or the output is gone. Cancel safe; who asks again is told again.
    pub(crate) fn gone(&self) -> impl Future<Output = Typed> + use<> {
        let mut over = self.over.subscribe();
        async move {
            let told = over.wait_for(Option::is_some).await;
            // Nobody is left who could know, which only a terminal that is closed has.
            told.ok().and_then(|typed| typed.clone()).unwrap_or(Typed::Quit)
        }
    }

    fn understand(&mut self, line: &str) -> Option<Typed> {
        let parsed = commands::parse(line, &lock(&self.who).names);
        if self.editor.is_some() {
            self.leave_on_screen(line, &parsed);
        }
        match parsed {
            Parsed::Typed(typed) => return Some(typed),
            Parsed::Nothing => {}
            Parsed::Help(lines) => lines.into_iter().for_each(|line| self.show(&Line::Told(line))),
            Parsed::Wrong(why) => self.show(&Line::Warned(why)),
        }
        None
    }

    /// What was typed stays on the screen: what was said as others see it, all else as it was typed.
    fn leave_on_screen(&mut self, line: &str, parsed: &Parsed) {
        match parsed {
            Parsed::Nothing => {}
            Parsed::Typed(Typed::Say(text)) => self.say(text, Tone::Plain),
            Parsed::Typed(Typed::Act(text)) => self.say(text, Tone::Action),
            Parsed::Typed(Typed::Tell(name, text)) if self.has_private => {
                self.say(text, Tone::Private(name.clone()));
            }
            _ => {
                self.measure();
                self.backlog.push(&self.format.asked(line, unix_millis()));
            }
        }
    }

    fn say(&mut self, text: &Text, tone: Tone) {
        let name = lock(&self.who).me.clone();
        let said = Said { at: unix_millis(), name, text: text.clone(), tone, how: How::Mine };
        self.put(&Line::Said(said));
    }

    /// Shows a line, or leaves it out when the screen cannot follow. What this person has said is on the screen already,
    /// and not shown in a pipe.
    pub(crate) fn show(&mut self, line: &Line) {
        if !matches!(line, Line::Said(Said { how: How::Mine, .. })) {
            self.put(line);
        }
    }

    /// Shows what a program asked for: in a pipe as it is, for the next program.
    pub(crate) fn report(&mut self, json: &str) {
        match self.editor {
            Some(_) => self.put(&Line::Told(json.to_owned())),
            None => self.backlog.push(&format!("{json}\n")),
        }
    }

    fn put(&mut self, line: &Line) {
        self.measure();
        let words = self.format.in_words(line, &lock(&self.who).me, unix_millis());
        self.backlog.push(&words);
    }

    fn measure(&mut self) {
        if self.editor.is_some() {
            self.format.columns = Some(Editor::columns());
        }
    }

    /// Whether so much waits to be shown that it is time to ask for no more: what has not been acknowledged is not lost.
    pub(crate) fn is_behind(&self) -> bool {
        self.backlog.len() > backlog::FEW
    }

    /// How many lines were given to it so far, with its own.
    pub(crate) fn lines(&self) -> u64 {
        self.backlog.pushed()
    }

    /// How many of these were written, now and from now on: the others are lost with the process.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.backlog.written()
    }

    /// Who may be named when completing.
    pub(crate) fn know(&mut self, names: impl IntoIterator<Item = Name>) {
        lock(&self.who).names = names.into_iter().collect();
    }

    /// What one is called from now on (prompt, own colour).
    pub(crate) fn rename(&mut self, name: &Name) {
        lock(&self.who).me = name.clone();
        if self.editor.is_some() {
            self.backlog.wake();
        }
    }

    /// Shows what is left, but waits for nobody who does not read, and gives the terminal back as it was.
    pub(crate) async fn close(mut self) {
        self.backlog.close();
        if !self.shown.is_terminated() {
            // Whatever comes of it, it is over.
            let _ = tokio::time::timeout(LAST_WORDS, &mut self.shown).await;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Also where nobody came to close it.
        if self.editor.is_some() {
            telemetry::divert(None);
        }
        self.backlog.close();
    }
}

fn is_screen() -> bool {
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb
}

fn lock(who: &Mutex<Who>) -> MutexGuard<'_, Who> {
    // Nobody can panic half-way through a change.
    who.lock().unwrap_or_else(PoisonError::into_inner)
}
