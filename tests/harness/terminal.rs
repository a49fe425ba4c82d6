//! A terminal that `pegloom` is started in, and what would be seen on it.
//!
//! It is a pseudo-terminal of the kernel's, and what is written to it is put on a screen in memory, as a real one would.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    num::NonZeroU16,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use nix::{
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{Termios, tcgetattr},
    },
    unistd::Pid,
};

use super::{PATIENCE, eventually_some, eventually_within, process::dies_with_this_thread};

/// A running process and its terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    /// Kept open, so that its settings can be asked for when the process has gone.
    device: File,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts `pegloom` with these arguments on a screen of so many columns and rows.
    #[track_caller]
    pub(crate) fn start(args: &[&str], env: &[(&str, &str)], (columns, rows): (u16, u16)) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("the kernel has a terminal left");
        let (keyboard, device) = (File::from(pair.master), File::from(pair.slave));
        let stdio = || Stdio::from(device.try_clone().expect("a descriptor is left"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_pegloom"));
        command.args(args).env_clear().env("TERM", "xterm-256color").envs(env.iter().copied());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        dies_with_this_thread(&mut command);
        let child = command.spawn().expect("the pegloom binary starts");
        let [high, wide] = [rows, columns].map(|cells| NonZeroU16::new(cells).expect("a screen has cells"));
        let screen = Arc::new(Mutex::new(vt100::Parser::new(high, wide, 0)));
        let reader = read(keyboard.try_clone().expect("a descriptor is left"), Arc::clone(&screen));
        Self { child, keyboard, device, screen, reader }
    }

    /// What is on the screen now.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Whether the screen is one that leaves no traces.
    pub(crate) fn is_alternate(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// Whether the cursor is to be seen.
    pub(crate) fn has_cursor(&self) -> bool {
        !self.screen.lock().unwrap().screen().hide_cursor()
    }

    /// Whether anything on the screen has a colour.
    pub(crate) fn is_colored(&self) -> bool {
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        let mut cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        cells.any(|(row, column)| {
            let cell = screen.cell(row, column).expect("it is on the screen");
            cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default
        })
    }

    /// How the terminal treats what is typed.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(&self.device).expect("a terminal has settings")
    }

    /// Waits until the screen `holds`, and returns what it found.
    #[track_caller]
    pub(crate) fn shows<T>(&self, what: &str, holds: impl Fn(&str) -> Option<T>) -> T {
        let found = || holds(&self.text());
        let is_over = || self.reader.is_finished();
        eventually_some(PATIENCE, &format!("the screen shows {what}"), || {
            let ended = is_over();
            let found = found();
            assert!(found.is_some() || !ended, "it ended, and never showed {what}:\n{}", self.text());
            found
        })
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn shows_text(&self, text: &str) {
        self.shows(&format!("{text:?}"), |screen| screen.contains(text).then_some(()));
    }

    pub(crate) fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("keys are taken");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid fits");
        kill(Pid::from_raw(pid), signal).expect("the process can be signalled");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let status = eventually_some(PATIENCE, "it ends", || child.try_wait().expect("it can be waited for"));
        status.code()
    }

    /// Waits until the terminal is as it was before.
    #[track_caller]
    pub(crate) fn is_given_back(&self, before: &Termios) {
        eventually_within(PATIENCE, "the terminal is given back", || {
            !self.is_alternate() && self.has_cursor() && self.settings() == *before
        });
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the screen:\n{}", self.text());
        }
    }
}

fn read(mut output: File, screen: Arc<Mutex<vt100::Parser>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut part) {
            screen.lock().unwrap().process(&part[..count]);
        }
    })
}
