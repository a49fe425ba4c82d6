//! Plain lines, for pipes and files: what comes from stdin is typed, what is shown goes to stdout.
//!
//! Two threads wait for the two, so that the chat never does. What is read ahead is one line and a buffer; the thread that
//! reads may wait for ever, and ends with the process.

use std::{
    io::{self, BufRead, Read as _, Write as _},
    sync::Arc,
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::{mpsc, oneshot};

use super::{Heard, Over, backlog::Backlog};
use crate::{Text, Typed};

/// The longest line that is read, in bytes: a text, the longest command before it, and its end.
pub(super) const MAX_LINE: usize = Text::MAX_BYTES + 256;

/// Starts to read lines from stdin.
pub(super) fn read() -> io::Result<mpsc::Receiver<Heard>> {
    let (heard, typed) = mpsc::channel(1);
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut stdin = io::stdin().lock();
        for number in 1.. {
            let Some(line) = next(&mut stdin, number) else { return };
            if heard.blocking_send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(typed)
}

/// Starts to write to stdout what is in the backlog, until it is closed and empty, or nobody reads any more.
pub(super) fn write(backlog: Arc<Backlog>, over: Over) -> io::Result<oneshot::Receiver<()>> {
    let (done, is_done) = oneshot::channel();
    let is_gone = over.clone();
    thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        let mut stdout = io::stdout();
        while let Some(words) = backlog.wait() {
            if stdout.write_all(words.as_bytes()).and_then(|()| stdout.flush()).is_err() {
                backlog.close();
                over.send_replace(Some(Typed::Quit));
                break;
            }
            backlog.has_written();
        }
        // Nobody may be waiting for it.
        let _ = done.send(());
    })?;
    thread::Builder::new().name("reader".to_owned()).spawn(move || {
        if wait_for_its_end() {
            is_gone.send_replace(Some(Typed::Quit));
        }
    })?;
    Ok(is_done)
}

/// Waits until nobody reads stdout any more, whether or not anything is written; a file is never left so. False if that
/// cannot be known.
fn wait_for_its_end() -> bool {
    let stdout = io::stdout();
    let mut look = [PollFd::new(&stdout, PollFlags::empty())];
    loop {
        match poll(&mut look, None) {
            Err(Errno::INTR) => {}
            outcome => return outcome.is_ok(),
        }
    }
}

/// The next line, which is the one of that number, or why it is none; nothing at the end of the input.
fn next(input: &mut impl BufRead, number: u64) -> Option<Heard> {
    let mut line = Vec::new();
    // A terminal or pipe that cannot be read from any more has ended.
    let count = input.take(MAX_LINE as u64).read_until(b'\n', &mut line).ok()?;
    if count == 0 {
        return None;
    }
    if count == MAX_LINE && line.last() != Some(&b'\n') {
        input.skip_until(b'\n').ok()?;
        let most = Text::MAX_BYTES;
        return Some(Heard::Unfit(format!("Line {number} is not said: a text has at most {most} bytes.")));
    }
    let unfit = |_| Heard::Unfit(format!("Line {number} is not said: it is not in UTF-8."));
    Some(String::from_utf8(line).map_or_else(unfit, Heard::Line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_as_they_are_until_the_end() {
        let mut input = "one\n\nthree".as_bytes();

        let heard: Vec<_> = (1..).map_while(|number| next(&mut input, number)).collect();

        assert_eq!(heard, ["one\n", "\n", "three"].map(|line| Heard::Line(line.to_owned())));
    }

    #[test]
    fn what_cannot_be_said_is_skipped_to_its_end_and_told() {
        let long = "x".repeat(3 * MAX_LINE);
        let input = [long.as_bytes(), b"\n\xff\nnext\n"].concat();
        let mut input = io::BufReader::with_capacity(100, input.as_slice());

        let heard: Vec<_> = (1..).map_while(|number| next(&mut input, number)).collect();

        let [Heard::Unfit(long), Heard::Unfit(bytes), Heard::Line(line)] = heard.as_slice() else {
            panic!("{heard:?}")
        };
        assert_eq!(long, "Line 1 is not said: a text has at most 8192 bytes.");
        assert_eq!(bytes, "Line 2 is not said: it is not in UTF-8.");
        assert_eq!(line, "next\n");
    }
}
