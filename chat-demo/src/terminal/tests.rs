//! The editor on a terminal of the kernel's: this program starts itself there, as one of its own tests.

use std::{
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::{
        signal::{Signal, kill},
        termios::{Termios, tcgetattr},
    },
    unistd::Pid,
};
use runtime::{clock::Clock, shard::run_local};
use rustix::termios::{Winsize, tcsetwinsize};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

const COLUMNS: u16 = 60;
const ROWS: u16 = 12;

/// A chat with somebody who counts to nine and says again what is typed.
#[test]
#[ignore = "is started on a terminal by the tests below"]
fn a_chat_on_a_terminal() {
    run_local(async {
        let mut terminal = Terminal::open(&Name::new("ann").unwrap()).unwrap();
        terminal.know(["bob", "John Doe"].map(|name| Name::new(name).unwrap()));
        let mut beat = tokio::time::interval(Duration::from_millis(50));
        let (mut count, mut is_full) = (0, false);
        let how = loop {
            tokio::select! {
                how = terminal.gone() => break how,
                typed = terminal.next(), if !is_full => match typed {
                    Typed::Quit | Typed::Leave => break typed,
                    Typed::Act(_) => is_full = true,
                    Typed::Who => panics(),
                    Typed::History(lines) => (0..lines).for_each(|line| terminal.show(&said(&line.to_string()))),
                    Typed::Rename(name) => terminal.rename(&name),
                    typed => terminal.show(&Line::Told(format!("{typed:?}"))),
                },
                _ = beat.tick(), if count < 9 => {
                    count += 1;
                    terminal.show(&said(&format!("number {count} \x1b[2J\nann> forged")));
                }
            }
        };
        terminal.show(&Line::Told(format!("{how:?}, and good bye.")));
        terminal.close().await;
    })
    .unwrap();
    // What the test's own program has to say of it may find no screen that takes it.
    std::process::exit(0);
}

/// Ends as a release does, where a panic drops nothing.
fn panics() -> ! {
    let _ = thread::spawn(|| panic!("told to")).join();
    std::process::exit(1)
}

fn said(text: &str) -> Line {
    let (name, text) = (Name::new("bob").unwrap(), Text::new(text).unwrap());
    Line::Said(Said { at: unix_millis(), name, text, tone: Tone::Plain, how: How::Live })
}

/// Both ends of a terminal. Neither is left to processes that other tests start meanwhile: what one of them held open
/// would not be gone.
fn pair() -> (File, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY;
    let keyboard = posix_openpt(flags | OFlag::O_CLOEXEC).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let device = ptsname_r(&keyboard).unwrap();
    let device = File::options().read(true).write(true).custom_flags(flags.bits()).open(device).unwrap();
    let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&device, size).unwrap();
    (OwnedFd::from(keyboard).into(), device)
}

/// The chat, its keyboard and its screen.
struct Person {
    child: Child,
    keyboard: File,
    /// Kept open, so that its modes can be asked for when the process has gone.
    device: File,
    before: Termios,
    screen: vt100::Parser,
}

impl Person {
    fn sits_down() -> Self {
        let (keyboard, device) = pair();
        rustix::io::ioctl_fionbio(&keyboard, true).unwrap();
        let before = tcgetattr(&device).unwrap();
        let stdio = || Stdio::from(device.try_clone().unwrap());
        let child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact", "terminal::tests::a_chat_on_a_terminal"])
            .env("TERM", "xterm")
            // As a shell has it: what nobody could have go on is not stopped.
            .process_group(0)
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        let [rows, columns] = [ROWS, COLUMNS].map(|cells| cells.try_into().unwrap());
        Self { child, keyboard, device, before, screen: vt100::Parser::new(rows, columns, 0) }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Puts on the screen what was written to it, and returns what is seen there.
    fn look(&mut self) -> String {
        let mut part = [0; 4096];
        loop {
            match self.keyboard.read(&mut part) {
                Ok(count @ 1..) => self.screen.process(&part[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return self.screen.screen().contents(),
            }
        }
    }

    #[track_caller]
    fn eventually(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let clock = Clock::start();
        while !holds(self) {
            let is_late = clock.now().as_micros() > PATIENCE.as_micros() as u64;
            assert!(!is_late, "never {what}:\n{}", self.look());
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn sees(&mut self, words: &str) {
        self.eventually(&format!("seen {words:?}"), |person| person.look().contains(words));
    }

    /// What is seen in the last row that is not empty.
    #[track_caller]
    fn sees_last(&mut self, words: &str) {
        let last = |screen: &str| screen.lines().last().unwrap_or_default().trim_end().to_owned();
        self.eventually(&format!("last {words:?}"), |person| last(&person.look()) == words);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"))
    }

    /// The process ends, and the terminal is as it was before.
    #[track_caller]
    fn gets_it_back(&mut self) {
        self.eventually("ended", |person| {
            person.look();
            person.child.try_wait().unwrap().is_some()
        });
        self.look();
        assert!(tcgetattr(&self.device).unwrap() == self.before, "the modes are given back");
        assert!(!self.screen.screen().bracketed_paste(), "pastes come as they are");
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_being_typed_stays_below_what_others_say() {
    let mut person = Person::sits_down();
    person.types("hel");

    person.sees("bob: number 9 ␛[2J\n  | ann> forged\nann> hel");
    assert_eq!(person.look().lines().filter(|row| row.starts_with("ann>")).count(), 1, "{}", person.look());
    person.types("lo wörld\x1b[D\x7fl\r");

    person.sees("ann: hello wörld");
    person.sees_last("ann>");
}

#[test]
fn keys_do_what_the_document_says() {
    let mut person = Person::sits_down();
    person.sees("number 9");

    person.types("forgotten\x03/msg jo\thi\r");
    person.sees("ann (to John Doe): hi");
    person.types("\x1b[200~one\r\ntwo\r\n\x1b[201~");
    person.sees_last("  | two");
    person.types("\r");
    person.sees("* Say(Text(\"one\\ntwo\"))");
    person.types("/hepl\r");
    person.sees("Did you mean /help?");
    person.types("/nick zoë\r");
    person.sees_last("zoë>");
    person.types("\x1b[A\x1b[A\x1b[A");
    person.sees_last("  | two");
    assert!(!person.look().contains("forgotten"));
}

#[test]
fn a_burst_is_shown_to_its_last_line() {
    let mut person = Person::sits_down();
    person.sees("number 9");
    person.types("/history 10000\rnext");

    person.sees("bob: 9999\nann> next");
    person.types("\x15\x04");
    person.gets_it_back();
}

#[test]
fn the_terminal_is_given_back_when_one_leaves() {
    for (leaves, how) in [("/quit\r", "Quit"), ("\x04", "Quit"), ("\x03", "Leave"), ("half\x03\x03", "Leave")]
    {
        let mut person = Person::sits_down();
        person.sees_last("ann>");
        person.types(leaves);

        person.sees(&format!("* {how}, and good bye."));
        person.gets_it_back();
    }
}

#[test]
fn one_leaves_at_once_also_while_nothing_typed_is_taken() {
    let mut person = Person::sits_down();
    person.sees("number 9");
    person.types("/me fills the outbox\rnever taken\r");
    person.sees_last("ann>");
    person.types("\x03");

    person.sees("* Leave, and good bye.");
    person.gets_it_back();
}

#[test]
fn the_terminal_is_given_back_by_a_panic() {
    let mut person = Person::sits_down();
    person.sees("number 9");
    person.types("/who\r");

    person.sees("told to");
    person.gets_it_back();
}

#[test]
fn the_terminal_is_the_shells_while_one_is_stopped() {
    let mut person = Person::sits_down();
    person.sees("number 9");
    person.types("hel");
    for _ in 0..4 {
        person.sees_last("ann> hel");
        person.types("\x1a");

        person.eventually("stopped", |person| person.is_stopped());
        assert!(tcgetattr(&person.device).unwrap() == person.before, "the modes are the shell's");
        person.signal(Signal::SIGCONT);
        person.eventually("taken again", |person| tcgetattr(&person.device).unwrap() != person.before);
    }
    person.types("lo\r");
    person.sees("ann: hello");
}

#[test]
fn a_screen_that_takes_nothing_keeps_nobody() {
    let mut person = Person::sits_down();
    person.sees("number 9");
    person.types("/history 10000\r");
    // The kernel holds some pages for a screen, and this is more. Nobody looks while it lasts.
    person.eventually("much", |person| rustix::io::ioctl_fionread(&person.keyboard).unwrap() > 2000);
    // Nor is a shell that had it stopped for a while a reason to wait for the screen.
    person.signal(Signal::SIGCONT);
    person.eventually("ended", |person| {
        person.signal(Signal::SIGHUP);
        person.child.try_wait().unwrap().is_some()
    });

    assert!(tcgetattr(&person.device).unwrap() == person.before, "the modes are given back");
}

#[test]
fn a_terminal_that_is_gone_is_left() {
    for typed in ["", "/me fills the outbox\r"] {
        let mut person = Person::sits_down();
        person.sees("number 9");
        person.types(typed);
        person.sees_last("ann>");

        // The other end of another terminal takes the place of this one's, which is closed so.
        person.keyboard = pair().0;

        person.eventually("ended", |person| person.child.try_wait().unwrap().is_some());
    }
}
