//! A client at a terminal of the kernel's, as a person sees it; and what others say that could harm one.

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use nix::sys::termios::Termios;
use tempfile::TempDir;

use crate::harness::chat::{Chatter, ClassicMember, ClassicRoom, ROOM, Room};
use crate::harness::{Terminal, eventually};

const SIZE: (u16, u16) = (80, 24);

/// A client in a terminal, the terminal's settings before it, and the home of whom it is for.
struct Seat {
    terminal: Terminal,
    before: Termios,
    _home: TempDir,
}

impl Seat {
    #[track_caller]
    fn taken(room: &Room, name: &str) -> Self {
        Self::taken_with(room, name, &[])
    }

    #[track_caller]
    fn taken_with(room: &Room, name: &str, env: &[(&str, &str)]) -> Self {
        Self::taken_at(room.address(), name, env)
    }

    #[track_caller]
    fn taken_at(address: SocketAddr, name: &str, env: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = address.port().to_string();
        let args = ["chat", "client", "--ip", "127.0.0.1", "--port", &port, "--name", name];
        let env = [&[("XDG_DATA_HOME", home.path().to_str().unwrap())], env].concat();
        let terminal = Terminal::start(&args, &env, SIZE);
        let before = terminal.settings();
        terminal.shows_text("You are now online.");
        Self { terminal, before, _home: home }
    }

    /// The rows that are not empty.
    fn rows(&self) -> Vec<String> {
        let text = self.terminal.text();
        text.lines().map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
    }

    /// Waits until the lowest row ends so: it is the one that is typed in.
    #[track_caller]
    fn has_typed(&self, text: &str) {
        let is_typed = |screen: &str| screen.trim_end().ends_with(text).then_some(());
        self.terminal.shows(&format!("{text:?} being typed"), is_typed);
    }

    #[track_caller]
    fn ends(&mut self) {
        assert_eq!(self.terminal.exit_code(), Some(0));
        self.terminal.is_given_back(&self.before);
    }
}

/// Fails if a private text looks as if it had been said where nothing can be said to one only.
#[test]
fn what_a_classic_room_would_show_to_all_is_not_shown_as_said_to_one() {
    let room = ClassicRoom::start();
    let mut ann = Seat::taken_at(room.address(), "ann", &[]);

    ann.terminal.type_in("/msg bob psst\r");
    ann.terminal.shows_text("no /msg");

    assert!(!ann.terminal.text().contains("(to bob)"), "{}", ann.terminal.text());
    ann.terminal.type_in("/quit\r");
    ann.ends();
}

/// Fails if a line of others goes into what is being typed, or takes some of it away.
#[test]
fn what_is_being_typed_stays_while_others_speak() {
    let room = Room::open();
    let bob = ClassicMember::join(room.address(), "bob");
    let mut ann = Seat::taken(&room, "ann");

    ann.terminal.type_in("half a sent");
    ann.has_typed("half a sent");
    for number in 0..10 {
        bob.say(&format!("line {number}"));
    }
    ann.terminal.shows_text("line 9");
    ann.has_typed("half a sent");
    ann.terminal.type_in("ence\r");

    bob.expect("ann", "half a sentence");
    let rows = ann.rows();
    let own = rows.iter().filter(|row| row.contains("half a sentence")).count();
    assert_eq!(own, 1, "{rows:#?}");
    ann.terminal.type_in("/quit\r");
    ann.ends();
    bob.expect(ROOM, "ann left the room. 1 online.");
}

/// Fails if names have no colours, the same name has two, or `NO_COLOR` is not heeded.
#[test]
fn names_have_colours_unless_they_are_not_wanted() {
    let room = Room::open();
    let bob = ClassicMember::join(room.address(), "bob");
    let colored = Seat::taken(&room, "ann");
    let plain = Seat::taken_with(&room, "eve", &[("NO_COLOR", "1")]);

    bob.say("hello");
    colored.terminal.shows_text("hello");
    plain.terminal.shows_text("hello");

    assert!(colored.terminal.is_colored());
    assert!(!plain.terminal.is_colored());
}

/// Fails if Tab does not complete what it could.
#[test]
fn commands_and_names_are_completed() {
    let room = Room::open();
    let bob = Chatter::join(room.address(), "bobby");
    let mut ann = Seat::taken(&room, "ann");

    ann.terminal.type_in("/wh\t\r");
    ann.terminal.shows_text("2 online: bobby, ann.");
    ann.terminal.type_in("/msg bob\t");
    ann.has_typed("/msg bobby");
    ann.terminal.type_in(" psst\r");

    bob.expect("ann (to you): psst");
}

/// Fails if a command is said to all, or what is no command is passed over in silence.
#[test]
fn commands_are_told_from_texts() {
    let room = Room::open();
    let bob = ClassicMember::join(room.address(), "bob");
    let mut ann = Seat::taken(&room, "ann");

    ann.terminal.type_in("/help\r");
    ann.terminal.shows_text("/history");
    ann.terminal.type_in("/whoo\r");
    ann.terminal.shows_text("/who");
    ann.terminal.type_in("//not a command\r");

    bob.expect("ann", "/not a command");
    assert_eq!(bob.texts_of("ann"), ["/not a command"]);
}

/// Fails if several pasted lines are said as several texts, or with the marks of the terminal in them.
#[test]
fn lines_that_are_pasted_are_one_text() {
    let room = Room::open();
    let bob = ClassicMember::join(room.address(), "bob");
    let mut ann = Seat::taken(&room, "ann");

    ann.terminal.type_in("\x1b[200~one\rtwo\rthree\x1b[201~");
    ann.terminal.shows_text("three");
    ann.terminal.type_in("\r");

    // As simple clients hear it: rows that are set in cannot pass for lines of others.
    bob.expect("ann", "one\n  | two\n  | three");
    assert_eq!(bob.texts_of("ann").len(), 1);
}

/// Fails if Ctrl-C or Ctrl-D do not leave at once, or a terminal is left as a chat needs it.
#[test]
fn however_it_ends_the_terminal_is_given_back() {
    let room = Room::open();
    let bob = ClassicMember::join(room.address(), "bob");
    for (number, keys) in ["\x03", "\x04", "/quit\r"].iter().enumerate() {
        let name = format!("guest {number}");
        let mut seat = Seat::taken(&room, &name);
        seat.terminal.type_in(keys);
        seat.ends();
        bob.expect(ROOM, &format!("{name} left the room. 1 online."));
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut seat = Seat::taken(&room, "guest");
        seat.terminal.signal(signal);
        seat.ends();
    }
}

/// Fails if a text can pass for another's, for an announcement, or for a command to the terminal.
#[test]
fn a_text_can_neither_forge_a_line_nor_harm_a_terminal() {
    let room = Room::open();
    let mallory = ClassicMember::join(room.address(), "mallory");
    let piped = Chatter::join(room.address(), "piped");
    let seat = Seat::taken(&room, "ann");
    mallory.say("a first line");
    seat.terminal.shows_text("a first line");

    let bad = [
        "x\nbob: I owe mallory a beer",
        "x\n* bob left the room. 0 online.",
        "x\r! Server is off.",
        "\u{1b}[2J\u{1b}[H\u{1b}[31mcleared",
        "\u{1b}]0;title\u{7}\u{1b}]52;c;aGk=\u{7}\u{1b}[6n",
        "\u{9b}2J\u{90}q\u{9c}",
        "back\u{8}\u{8}\u{8}\u{8}space\u{7f}",
        "\u{202e}turned\u{2066}around",
        "\u{2028}bob: forged\u{85}bob: forged",
    ];
    for text in bad {
        mallory.say(text);
    }
    mallory.say("a last line");
    seat.terminal.shows_text("a last line");
    piped.expect("mallory: a last line");

    for line in piped.shown() {
        assert!(
            !line.chars().any(|it| it.is_control() || ('\u{202a}'..='\u{202e}').contains(&it)),
            "{line:?}"
        );
        assert!(
            line.starts_with("mallory: ")
                || line.starts_with("  | ")
                || line.starts_with("* ann joined")
                || line.starts_with("* You"),
            "{line:?}"
        );
    }
    let rows = seat.rows();
    assert!(rows.iter().any(|row| row.contains("a first line")), "the screen was cleared: {rows:#?}");
    let forged: Vec<_> = rows.iter().filter(|row| !begins_as_a_row_may(row)).collect();
    assert!(forged.is_empty(), "{forged:#?}");
    for row in [
        "12:00 bob: I owe",
        "12:00 * bob left the room. 0 online.",
        "12:00 ! Server is off.",
        "bob: x",
        "* bob left",
        "! Server is off.",
        "cleared",
    ] {
        assert!(!begins_as_a_row_may(row), "{row} would not be seen");
    }
}

/// Whether one who was told of nobody but mallory and of no end may have this row on the screen.
fn begins_as_a_row_may(row: &str) -> bool {
    let is_time =
        |time: &str| time.bytes().map(|it| if it.is_ascii_digit() { b'0' } else { it }).eq(*b"00:00 ");
    let of_a_line = row.split_at_checked(6).filter(|(time, _)| is_time(time)).map(|(_, line)| line);
    let begins = ["mallory: ", "* You are now online. ", "* ann joined the room. "];
    row.starts_with("  | ")
        || row == "ann>"
        || of_a_line.is_some_and(|line| begins.iter().any(|begin| line.starts_with(begin)))
}

/// Fails if letters beyond ASCII are lost on their way in or out.
#[test]
fn letters_of_any_kind_are_typed_and_shown() {
    let room = Room::open();
    let bob = Chatter::join(room.address(), "bob");
    let mut zoe = Seat::taken(&room, "Zoë");

    zoe.terminal.type_in("¡hola! ñ € 🦀\r");
    bob.expect("Zoë: ¡hola! ñ € 🦀");
    bob.say("日本語 👋🏽 é");
    zoe.terminal.shows_text("日本語");

    zoe.terminal.type_in("añ🦀\x7f\x7f!\r");
    bob.expect("Zoë: a!");
}

/// Fails if a flood stops the keys, or the client's heartbeat, or leaves the screen torn.
#[test]
fn a_flood_of_lines_does_not_stop_the_keyboard() {
    let room = Room::open();
    let bob = Chatter::join(room.address(), "bob");
    let mut ann = Seat::taken(&room, "ann");

    for number in 0..5_000 {
        bob.say(&format!("flood {number}"));
    }
    ann.terminal.type_in("in the middle\rstill here");
    for number in 5_000..10_000 {
        bob.say(&format!("flood {number}"));
        if number == 9_000 {
            bob.expect("ann: in the middle");
        }
    }
    ann.terminal.shows_text("flood 9999");
    ann.has_typed("still here");
    ann.terminal.type_in("\r");

    bob.expect("ann: still here");
    eventually("nobody was missed", || bob.shown().iter().all(|line| !line.contains("ann left")));
}

/// Fails if what was shown cannot be seen again.
#[test]
fn the_last_lines_are_shown_again_on_demand() {
    let room = Room::open();
    let ann = Chatter::join(room.address(), "ann");
    let bob = ClassicMember::join(room.address(), "bob");
    for number in 0..5 {
        bob.say(&format!("line {number}"));
    }
    ann.expect("bob: line 4");

    ann.say("/history 2");

    ann.expect("bob (again): line 4");
    let again: Vec<_> = ann.shown().into_iter().filter(|line| line.contains("(again)")).collect();
    assert_eq!(again, ["bob (again): line 3", "bob (again): line 4"]);
}
