//! What stands on the screen, as text: with and without something to see, small and wide.

use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, crossterm::event::KeyCode, style::Color};
use stats_node::{Problem, State, Summary};

use super::*;
use crate::top::{
    feed::Heard,
    watch::tests::{diverged, http_summary, node, summary},
};

/// Now, in milliseconds since 1970: what is told began at 1 s.
const NOW: u64 = 63_000;

struct Shown(Buffer);

impl Shown {
    fn lines(&self) -> Vec<String> {
        let width = usize::from(self.0.area.width);
        let cells: Vec<&str> = self.0.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        cells.chunks(width).map(|line| line.concat().trim_end().to_owned()).collect()
    }

    #[track_caller]
    fn expect(&self, parts: &[&str]) {
        let text = self.lines().join("\n");
        let absent: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
        assert!(absent.is_empty(), "{absent:?} not in\n{text}");
    }
}

/// What is shown of this after these keys.
fn shown(watch: &Watch, keys: &str, (width, height): (u16, u16), paint: Paint) -> Shown {
    let mut cursor = Cursor::default();
    for key in keys.chars() {
        let sight = sight(watch, &cursor, paint);
        let (rows, chosen) = (sight.rows(), sight.chosen());
        cursor.press(KeyCode::Char(key).into(), rows, chosen);
    }
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, &sight(watch, &cursor, paint))).unwrap();
    Shown(terminal.backend().buffer().clone())
}

fn sight<'a>(watch: &'a Watch, cursor: &'a Cursor, paint: Paint) -> Sight<'a> {
    Sight { place: "http://gateway:8088", contact: &watch.contact, watch, cursor, paint, now: NOW }
}

fn watch(summaries: &[Summary]) -> Watch {
    let mut watch = Watch::default();
    for summary in summaries {
        watch.take(Heard::Summary(serde_json::to_string(summary).unwrap().into()));
    }
    watch
}

fn plain(watch: &Watch, keys: &str, size: (u16, u16)) -> Shown {
    shown(watch, keys, size, Paint::Plain)
}

#[test]
fn the_first_page_is_routes_with_their_destinations_and_how_all_of_it_is() {
    let watch = watch(&[summary(0), summary(120)]);
    let lines = plain(&watch, "", (130, 15)).lines();
    assert_eq!(lines[0], format!("{:<121} healthy", "pegloom top http://gateway:8088"));
    assert_eq!(lines[1], "120 frames/s · 1.2 KiB/s · 120 live · up 1 min");
    assert_eq!(lines[2], " 1 Routes  2 Divergences  3 Shed  4 Nodes 1");
    assert!(lines[4].starts_with("main tcp://127.0.0.1:7890"), "{}", lines[4]);
    assert!(lines[4].contains("120 live") && lines[4].contains("4µs     8µs  ▁█"), "{}", lines[4]);
    assert!(lines[5].starts_with("├ primary 10.0.0.1:1234") && lines[5].contains(" ok "), "{}", lines[5]);
    assert!(lines[6].starts_with("└ mirror 10.0.0.1:1234") && lines[6].contains(" away "), "{}", lines[6]);
}

/// Fails if requests are told in total and not a second, or a server that is out of the ring looks like the other.
#[test]
fn a_route_of_http_shows_requests_hits_failures_and_who_is_out_of_the_ring() {
    let watch = watch(&[http_summary(0), http_summary(40)]);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let shown = plain(&watch, "", (92, 15)).lines().iter().map(|line| words(line)).collect::<Vec<_>>();
    assert_eq!(shown[3][6..], ["SHED", "REQ/S", "HITS", "FAILED", "KEPT"]);
    assert_eq!(
        (&shown[4][2..4], &shown[4][7..]),
        (&["3", "live"].map(str::to_owned)[..], &["40", "50%", "20", "4.0", "KiB"].map(str::to_owned)[..])
    );
    assert_eq!((shown[5][3].as_str(), &shown[5][7..]), ("ok", &["40", "10"].map(str::to_owned)[..]));
    assert_eq!((shown[6][1].as_str(), shown[6][3].as_str()), ("server-2", "out"));
}

/// Fails if a narrow screen loses what matters most, or a column is drawn over another.
#[test]
fn on_the_smallest_screen_there_is_state_rate_held_and_shed() {
    let lines = plain(&watch(&[summary(120)]), "", (60, 15)).lines();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&lines[3]), ["ROUTE", "/", "DESTINATION", "STATE", "FRAMES/S", "HELD", "SHED"]);
    assert_eq!(words(&lines[6])[2..], ["10.0.0.1:1234", "away", "120", "0", "120"]);
    assert!(lines[14].starts_with("q end"), "{}", lines[14]);
}

#[test]
fn a_smaller_screen_says_what_it_takes() {
    for size in [(59, 15), (60, 14), (20, 3), (1, 1)] {
        let shown = plain(&watch(&[summary(1)]), "", size);
        assert!(size.0 < 20 || shown.lines()[1] == "It takes 60×15.", "{:?}", shown.lines());
    }
}

#[test]
fn before_anything_is_heard_it_says_what_it_waits_for() {
    let mut watch = Watch::default();
    plain(&watch, "", (80, 24)).expect(&["waiting", "Waiting for http://gateway:8088 …"]);
    watch.take(Heard::Silence("connection refused".to_owned()));
    plain(&watch, "2", (80, 24)).expect(&[
        "not heard",
        "Cannot look at http://gateway:8088: connection refused",
        "Trying again",
    ]);
}

/// Fails if old numbers look like new ones.
#[test]
fn what_was_known_stays_while_nothing_is_heard_and_the_foot_says_why() {
    let mut watch = watch(&[summary(7)]);
    watch.take(Heard::Silence("connection refused".to_owned()));
    let shown = plain(&watch, "", (80, 24));
    shown.expect(&["not heard", "7 live"]);
    assert_eq!(shown.lines()[23], "connection refused; trying again");
}

#[test]
fn what_is_wrong_is_in_the_first_line() {
    let mut sick = summary(1);
    let (route, destination) = ("main".to_owned(), "primary".to_owned());
    sick.problems.push(Problem::PrimaryAway { route, destination });
    plain(&watch(std::slice::from_ref(&sick)), "", (80, 24)).expect(&["primary away: main"]);
    sick.problems.insert(0, Problem::NodeStale { node: "gateway".to_owned(), silent_seconds: 9 });
    plain(&watch(std::slice::from_ref(&sick)), "", (80, 24)).expect(&["gateway silent for 9 s +1"]);
    sick.destinations[1].is_balanced = false;
    plain(&watch(&[sick]), "", (80, 24)).expect(&["an account is off"]);
}

/// Fails if the mark is elsewhere, or in one reply only.
#[test]
fn a_divergence_shows_both_replies_with_the_first_difference_marked_in_both() {
    let mut diverse = summary(1);
    diverse.divergences = vec![
        diverged(1, "old", "older", Some(3)),
        diverged(2, "A\\n\\x1b7", "A\\nB", Some(2)),
        diverged(3, "newest", "", None),
    ];
    let watch = watch(&[diverse]);
    let shown = shown(&watch, "2j", (80, 24), Paint::Plain);
    shown.expect(&["2 Divergences 3", "│A\\n\\x1b7", "│A\\nB", "asked which?\\n", "┌ mirror "]);
    let marks = marked(&shown.0);
    assert_eq!(marks, ["\\x1b", "B"]);
    plain(&watch, "2", (120, 24)).expect(&["ROUTE         DESTINATION     FINDING", "REQUEST\n"]);
    plain(&watch, "2", (60, 15)).expect(&["AT BYTE\n", "│newest", "(nothing)", "different"]);
}

/// Runs of cells that are bold and reversed.
fn marked(buffer: &Buffer) -> Vec<String> {
    let difference = Paint::Plain.difference().add_modifier;
    let mut runs = vec![String::new()];
    for cell in &buffer.content {
        if cell.modifier.contains(difference) {
            runs.last_mut().unwrap().push_str(cell.symbol());
        } else if runs.last().is_some_and(|run| !run.is_empty()) {
            runs.push(String::new());
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Fails if what one reads is replaced by what is told meanwhile.
#[test]
fn a_divergence_that_is_read_is_found_again_when_there_are_later_ones() {
    let told = [1, 2, 3].map(|number| diverged(number, "A", "B", Some(0)));
    let mut before = summary(1);
    before.divergences = told[..2].to_vec();
    let mut cursor = Cursor::default();
    cursor.page = Page::Divergences;
    let watch = watch(&[before.clone()]);
    assert_eq!(sight(&watch, &cursor, Paint::Plain).read(), None, "the latest, whichever it is");
    cursor.go_to(1);
    assert_eq!(sight(&watch, &cursor, Paint::Plain).read(), Some(&told[0]));

    before.divergences.push(told[2].clone());
    let later = self::watch(&[before]);
    assert_eq!(sight(&later, &cursor, Paint::Plain).row_of(&told[0]), Some(2));
    cursor.page = Page::Nodes;
    assert_eq!(sight(&later, &cursor, Paint::Plain).row_of(&told[0]), None);
}

#[test]
fn d_narrows_divergences_to_what_is_chosen() {
    let mut diverse = summary(1);
    diverse.divergences = vec![diverged(1, "A", "B", Some(0))];
    let watch = watch(&[diverse]);
    plain(&watch, "jjd", (80, 24)).expect(&["Divergences of main → mirror", "│A"]);
    plain(&watch, "jd", (80, 24)).expect(&["No divergences of main → primary."]);
    plain(&watch, "d", (80, 24)).expect(&["Divergences of main ", "│A"]);
    plain(&watch, "3d", (80, 24)).expect(&["Divergences of main → mirror"]);
}

#[test]
fn what_was_shed_is_by_reason_with_what_is_of_late() {
    let shown = plain(&watch(&[summary(20), summary(50)]), "3", (80, 24));
    let row = shown.lines()[4].split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(row, ["main", "mirror", "away", "50", "30", "500", "B"]);
    plain(&watch(&[summary(0)]), "3", (80, 24)).expect(&["away"]);
}

#[test]
fn nodes_say_how_they_are_and_strangers_names_do_nothing() {
    let mut nodes = summary(1);
    nodes.nodes =
        vec![node("gateway", State::Live), node("bad\u{1b}[2J", State::Stale), node("w", State::Gone)];
    nodes.nodes[2].is_balanced = false;
    let shown = plain(&watch(&[nodes.clone()]), "4", (100, 24));
    shown.expect(&["gateway", "live", "bad\\u{1b}[2J", "stale", "gone", "1 min", "balanced", "off"]);
    nodes.nodes.clear();
    plain(&watch(&[nodes]), "4", (80, 24)).expect(&["No node has reported."]);
}

#[test]
fn help_names_every_key() {
    let keys: Vec<_> = crate::top::keys::KEYS.iter().map(|(_, does)| *does).collect();
    plain(&watch(&[summary(1)]), "?", (60, 15)).expect(&keys);
}

/// Fails if `NO_COLOR` is coloured, or colours are lost where they are wanted.
#[test]
fn without_colours_there_are_none_and_with_them_there_are() {
    let watch = watch(&[summary(1)]);
    for keys in ["", "2", "3", "4", "?"] {
        let has_color = |paint| {
            let shown = shown(&watch, keys, (120, 24), paint);
            shown.0.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
        };
        assert_eq!([Paint::Plain, Paint::Colored].map(has_color), [false, true], "page {keys}");
    }
}
