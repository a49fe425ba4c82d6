//! A line editor on a terminal that others write to as well: what is being typed stays below what they say.
//!
//! ```text
//! keyboard ─▶ thread "keys" ──▶ desk ──▶ what was typed, to the chat
//!                                ▲ │
//! backlog ──▶ thread "screen" ───┘ └──▶ the terminal
//! ```
//!
//! The desk has what is being typed and how it looks on the screen; both threads write under its lock, the chat never
//! takes it. Nothing is asked of the terminal but its size, so that one that answers nothing is one that works.

mod buffer;
mod keys;
mod picture;
mod raw;

use std::{
    io::{self, Read as _, Write as _},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use nix::sys::signal::{Signal, raise};
use tokio::{
    signal::unix::{self, SignalKind},
    sync::{mpsc, oneshot},
};

use self::{
    buffer::Buffer,
    keys::{Key, Keyboard},
    picture::Picture,
};
use super::{Heard, Over, Who, backlog::Backlog, completion};
use crate::Typed;

/// About how many bytes are shown between two looks at what was typed.
const MAX_PART: usize = 16 * 1024;

/// Lines that may wait to be taken; beyond that Enter rings, and the line stays where it is.
const TYPED_AHEAD: usize = 256;

/// Rings, where something cannot be.
const BELL: &str = "\x07";

/// A terminal that is taken; given back when this is dropped.
pub(super) struct Editor {
    desk: Arc<Mutex<Desk>>,
    signals: tokio::task::JoinHandle<()>,
}

/// What is being typed, and how it looks on the screen.
struct Desk {
    buffer: Buffer,
    /// What is on the screen.
    picture: Picture,
    who: Arc<Mutex<Who>>,
    /// Nobody once one has left.
    typed: Option<mpsc::Sender<Heard>>,
    over: Over,
    /// Whether nothing is typed any more, and the screen only shows what is left.
    is_closed: bool,
}

/// What comes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    GoOn,
    /// Nothing is typed any more.
    Quit,
    /// The same, and it is over.
    Leave,
    /// There is no terminal any more.
    Lost,
}

impl Editor {
    /// Takes the terminal: what comes of it, what is typed, and when all is shown.
    pub(super) fn open(
        backlog: &Arc<Backlog>,
        who: &Arc<Mutex<Who>>,
        over: &Over,
    ) -> io::Result<(Self, mpsc::Receiver<Heard>, oneshot::Receiver<()>)> {
        let (typed, heard) = mpsc::channel(TYPED_AHEAD);
        let (done, shown) = oneshot::channel();
        let desk = Desk {
            buffer: Buffer::default(),
            picture: Picture::default(),
            who: Arc::clone(who),
            typed: Some(typed),
            over: over.clone(),
            is_closed: false,
        };
        let desk = Arc::new(Mutex::new(desk));
        let is_resumed = Arc::<AtomicBool>::default();
        let signals = follow_signals(Arc::clone(backlog), over.clone(), Arc::clone(&is_resumed))?;
        let signals = tokio::spawn(signals);
        raw::take()?;
        let editor = Self { desk: Arc::clone(&desk), signals };
        let (of_keys, screens) = (Arc::clone(&desk), Arc::clone(backlog));
        thread::Builder::new().name("keys".to_owned()).spawn(move || read(&of_keys))?;
        thread::Builder::new().name("screen".to_owned()).spawn(move || {
            write(&desk, &screens, &is_resumed);
            // Nobody may be waiting for it.
            let _ = done.send(());
        })?;
        backlog.wake();
        Ok((editor, heard, shown))
    }

    /// How wide the screen is.
    pub(super) fn columns() -> usize {
        raw::size().0
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.signals.abort();
        // A screen that takes nothing has the desk; the modes are given back all the same.
        if let Ok(mut desk) = self.desk.try_lock() {
            desk.close();
        }
        raw::give_back();
    }
}

/// A terminal that has changed its size is drawn anew, and so is one that was another's for a while; one that the system
/// says is gone is. Nothing is written here: a screen that takes nothing would stop the chat.
fn follow_signals(
    backlog: Arc<Backlog>,
    over: Over,
    is_resumed: Arc<AtomicBool>,
) -> io::Result<impl Future<Output = ()>> {
    let mut resized = unix::signal(SignalKind::window_change())?;
    let mut lost = unix::signal(SignalKind::hangup())?;
    let mut resumed = unix::signal(SignalKind::from_raw(Signal::SIGCONT as i32))?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = resized.recv() => {}
                _ = lost.recv() => drop(over.send_replace(Some(Typed::Quit))),
                _ = resumed.recv() => is_resumed.store(true, Relaxed),
            }
            backlog.wake();
        }
    })
}

fn read(desk: &Mutex<Desk>) {
    let mut keyboard = Keyboard::default();
    let mut bytes = [0; 1024];
    loop {
        let step = match io::stdin().read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Step::GoOn,
            // A terminal that is gone has an end, or fails.
            Ok(0) | Err(_) => Step::Lost,
            Ok(count) => obey(desk, keyboard.hear(&bytes[..count])),
        };
        if step != Step::GoOn {
            return lock(desk).leave(step);
        }
    }
}

fn obey(desk: &Mutex<Desk>, keys: Vec<Key>) -> Step {
    let mut desk = lock(desk);
    for key in keys {
        let step = desk.press(key);
        if step != Step::GoOn {
            return step;
        }
    }
    match desk.redraw("") {
        Ok(()) => Step::GoOn,
        Err(_) => Step::Lost,
    }
}

fn write(desk: &Mutex<Desk>, backlog: &Backlog, is_resumed: &AtomicBool) {
    while let Some(words) = backlog.wait() {
        if is_resumed.swap(false, Relaxed) {
            let _desk = lock(desk);
            // Fails where the terminal is another's; then it is not ours to draw on either.
            let _ = raw::take_again();
        }
        if parts(&words).try_for_each(|part| lock(desk).redraw(part)).is_err() {
            backlog.close();
            lock(desk).over.send_replace(Some(Typed::Quit));
        } else {
            backlog.has_written();
        }
    }
    lock(desk).close();
}

/// The words in parts that end with a line, at least one, so that whoever types waits for one part and not for all.
fn parts(words: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(words);
    std::iter::from_fn(move || {
        let all = rest?;
        let bytes = all.as_bytes();
        let end = bytes.get(MAX_PART..).and_then(|late| late.iter().position(|byte| *byte == b'\n'));
        let (part, left) = all.split_at(end.map_or(all.len(), |end| MAX_PART + end + 1));
        rest = (!left.is_empty()).then_some(left);
        Some(part)
    })
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    // The process ends with whoever panics on it.
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// Takes a key; the screen is drawn later.
    fn press(&mut self, key: Key) -> Step {
        let has_room = match key {
            Key::Insert(character) => self.buffer.insert(character.encode_utf8(&mut [0; 4])),
            Key::Paste(text) => return self.paste(&text),
            Key::Complete => self.complete(),
            Key::Search => self.buffer.search(),
            Key::PutBack => self.buffer.put_back(),
            Key::Enter => return self.enter(),
            Key::Suspend => return self.suspend(),
            Key::Interrupt => return self.interrupt(),
            Key::EndOfInput if self.buffer.text().is_empty() => return Step::Quit,
            Key::Clear => {
                self.clear();
                true
            }
            key => {
                self.buffer.edit(&key);
                true
            }
        };
        if !has_room {
            ring();
        }
        Step::GoOn
    }

    fn paste(&mut self, text: &str) -> Step {
        if !self.buffer.insert(text.trim_end_matches('\n')) {
            let why = Heard::Unfit("Not pasted: it is longer than a text can be.".to_owned());
            // Where that finds no room either, the bell has to do.
            if self.typed.as_ref().is_none_or(|typed| typed.try_send(why).is_err()) {
                ring();
            }
        }
        Step::GoOn
    }

    /// Gives the terminal to the shell until that says go on, and takes it again.
    fn suspend(&mut self) -> Step {
        let stopped = self.erase().and_then(|()| {
            raw::give_back();
            // In this thread, which goes on only when the process does: another would stop it a moment later, with the
            // terminal taken again.
            Ok(raise(Signal::SIGTSTP)?)
        });
        if stopped.and_then(|()| raw::take()).is_ok() { Step::GoOn } else { Step::Lost }
    }

    fn clear(&mut self) {
        self.picture = Picture::default();
        // As above: who reads it notices.
        let _ = put("\x1b[H\x1b[2J");
    }

    fn complete(&mut self) -> bool {
        let who = Arc::clone(&self.who);
        self.buffer.complete(|before| completion::candidates(before, &super::lock(&who).names))
    }

    /// Hands on what was typed; while nobody takes it, it stays here.
    fn enter(&mut self) -> Step {
        match self.typed.as_ref().map(mpsc::Sender::try_reserve) {
            Some(Ok(place)) => place.send(Heard::Line(self.buffer.take())),
            Some(Err(mpsc::error::TrySendError::Full(()))) => ring(),
            Some(Err(mpsc::error::TrySendError::Closed(()))) | None => return Step::Quit,
        }
        Step::GoOn
    }

    /// Forgets what was typed; leaves where there is nothing.
    fn interrupt(&mut self) -> Step {
        if self.buffer.text().is_empty() {
            return Step::Leave;
        }
        self.buffer.forget();
        Step::GoOn
    }

    /// What is typed has come to its end. The terminal is given back at once, so that Ctrl-C is the system's again if the
    /// chat should not end by itself.
    fn leave(&mut self, step: Step) {
        match step {
            Step::GoOn | Step::Quit => {}
            Step::Leave => drop(self.over.send_replace(Some(Typed::Leave))),
            Step::Lost => drop(self.over.send_replace(Some(Typed::Quit))),
        }
        self.typed = None;
        self.close();
        raw::give_back();
    }

    fn close(&mut self) {
        if raw::has_room() {
            // A screen that is gone needs no erasing.
            let _ = self.erase();
        }
        self.is_closed = true;
    }

    fn erase(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        put(&mem::take(&mut self.picture).erase(raw::size().0))
    }

    /// Shows these lines, and what is being typed below them.
    fn redraw(&mut self, words: &str) -> io::Result<()> {
        let words = words.replace('\n', "\r\n");
        if self.is_closed {
            return put(&words);
        }
        let size = raw::size();
        let prompt = format!("{}> ", super::lock(&self.who).me);
        let picture = Picture::of(&prompt, self.buffer.text(), self.buffer.cursor(), size);
        let before = mem::replace(&mut self.picture, picture);
        put(&format!("{}{words}{}", before.erase(size.0), self.picture.draw()))
    }
}

fn ring() {
    // Who reads a terminal that is gone notices.
    let _ = put(BELL);
}

fn put(words: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(words.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_much_is_shown_in_parts_that_end_with_a_line() {
        let words = "some words ñ\n".repeat(10_000);

        let parts: Vec<_> = parts(&words).collect();

        assert!(parts.len() > 3 && parts.iter().all(|part| part.ends_with('\n')));
        assert!(parts.iter().all(|part| part.len() < MAX_PART + 16));
        assert_eq!(parts.concat(), words);
        assert_eq!(super::parts("").collect::<Vec<_>>(), [""]);
    }
}
