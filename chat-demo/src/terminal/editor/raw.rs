//! The modes of a terminal: taken while there is an editor, and given back however that ends, by a panic as well.

use std::{
    io::{self, Write as _},
    panic,
    sync::{Mutex, Once, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr},
};

/// Pastes come between brackets from now on.
const BRACKETS: &[u8] = b"\x1b[?2004h";
const NO_BRACKETS: &[u8] = b"\x1b[?2004l";

/// How it was; there is one terminal for a process.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Takes the terminal: each key comes as it is pressed, and nothing shows by itself.
pub(super) fn take() -> io::Result<()> {
    let now = tcgetattr(io::stdin())?;
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
    give_back_at_a_panic();
    take_again()
}

/// Takes it once more, if it was taken and not given back: a shell may have changed it since.
pub(super) fn take_again() -> io::Result<()> {
    if BEFORE.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
        return Ok(());
    }
    let mut modes = tcgetattr(io::stdin())?;
    modes.make_raw();
    tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
    io::stdout().write_all(BRACKETS)?;
    io::stdout().flush()
}

/// Gives it back as it was, without waiting for a screen that takes nothing. Without effect if it is given back already,
/// or gone.
pub(super) fn give_back() {
    let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    if has_room() {
        // Not through stdout, which whoever is stuck in it has locked.
        let _ = rustix::io::write(io::stdout(), NO_BRACKETS);
    }
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
}

/// Whether the screen takes anything now.
pub(super) fn has_room() -> bool {
    let stdout = io::stdout();
    let mut look = [PollFd::new(&stdout, PollFlags::OUT)];
    poll(&mut look, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn give_back_at_a_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let says = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            says(panic);
        }));
    });
}

/// Its columns and rows; what terminals have had since there were terminals where it does not say.
pub(super) fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}
