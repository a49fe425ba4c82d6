//! What keys do: which page is looked at, what is chosen there, and whether time stands still.
//!
//! A value. It knows how many rows a page has only while a key is pressed, so that a choice outlives rows that go.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::past::Name;

/// Rows that a page up or down moves.
const PAGE: usize = 10;

/// All keys, for who asks.
pub(crate) const KEYS: [(&str, &str); 9] = [
    ("1 2 3 4", "routes, divergences, what was shed, nodes"),
    ("Tab, Shift-Tab", "the next page, the one before"),
    ("↑ ↓, k j", "move; also Page Up, Page Down, Home, End"),
    ("d, Enter", "the divergences of what is chosen"),
    ("Esc", "back to all divergences, or to the routes"),
    ("p, Space", "pause the screen, not the fabric"),
    ("Ctrl-Z", "back to the shell; `fg` comes back here"),
    ("?, h", "this"),
    ("q, Ctrl-C", "end"),
];

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Page {
    /// Routes and their destinations.
    #[default]
    Routes,
    /// Divergences, with both replies.
    Divergences,
    /// What was shed, by reason.
    Shed,
    /// Nodes.
    Nodes,
}

impl Page {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Routes, Self::Divergences, Self::Shed, Self::Nodes];

    fn beside(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }
}

/// What a key asks of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To go on.
    Stay,
    /// To give the terminal back until it is called again.
    Suspend,
    /// To end.
    Quit,
}

/// Where on the screen one is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// What is looked at.
    pub(crate) page: Page,
    /// What is chosen, by page.
    rows: [usize; Page::ALL.len()],
    /// Divergences of this only.
    pub(crate) only: Option<Name>,
    /// The screen stands still.
    pub(crate) is_paused: bool,
    /// The keys are shown.
    pub(crate) is_help: bool,
}

impl Cursor {
    /// What is chosen on this page, of so many rows.
    pub(crate) fn row(&self, rows: usize) -> Option<usize> {
        (rows > 0).then(|| self.rows[self.page as usize].min(rows - 1))
    }

    /// Chooses a row of this page.
    pub(crate) fn go_to(&mut self, row: usize) {
        self.rows[self.page as usize] = row;
    }

    /// Takes a key, on a page of so many rows, where this is chosen.
    pub(crate) fn press(&mut self, key: KeyEvent, rows: usize, chosen: Option<Name>) -> Step {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Step::Quit,
                KeyCode::Char('z') => Step::Suspend,
                _ => Step::Stay,
            };
        }
        if std::mem::take(&mut self.is_help) && key.code != KeyCode::Char('q') {
            return Step::Stay;
        }
        match key.code {
            KeyCode::Char('q') => return Step::Quit,
            KeyCode::Char('?' | 'h') => self.is_help = true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('d') | KeyCode::Enter => self.narrow(chosen),
            KeyCode::Esc => self.widen(),
            KeyCode::Tab => self.page = self.page.beside(1),
            KeyCode::BackTab => self.page = self.page.beside(Page::ALL.len() - 1),
            KeyCode::Char(number @ '1'..='4') => self.page = Page::ALL[number as usize - '1' as usize],
            code => self.travel(code, rows),
        }
        Step::Stay
    }

    fn narrow(&mut self, chosen: Option<Name>) {
        if let Some(name) = chosen {
            self.only = Some(name);
            self.page = Page::Divergences;
            self.rows[Page::Divergences as usize] = 0;
        }
    }

    fn widen(&mut self) {
        if self.page == Page::Divergences && self.only.is_some() {
            self.only = None;
        } else {
            self.page = Page::Routes;
        }
    }

    fn travel(&mut self, code: KeyCode, rows: usize) {
        let row = self.row(rows).unwrap_or(0);
        let to = match code {
            KeyCode::Down | KeyCode::Char('j') => row + 1,
            KeyCode::Up | KeyCode::Char('k') => row.saturating_sub(1),
            KeyCode::PageDown => row + PAGE,
            KeyCode::PageUp => row.saturating_sub(PAGE),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => rows,
            _ => return,
        };
        self.go_to(to.min(rows.saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror() -> Name {
        ("main".to_owned(), Some("mirror".to_owned()))
    }

    fn press(cursor: &mut Cursor, code: KeyCode) -> Step {
        cursor.press(KeyEvent::from(code), 3, Some(mirror()))
    }

    fn after(keys: &str) -> Cursor {
        let mut cursor = Cursor::default();
        keys.chars().for_each(|key| assert_eq!(press(&mut cursor, KeyCode::Char(key)), Step::Stay));
        cursor
    }

    #[test]
    fn numbers_and_tabs_turn_pages() {
        let pages = ["", "1", "2", "3", "4", "24"].map(|keys| after(keys).page);
        assert_eq!(
            pages,
            [Page::Routes, Page::Routes, Page::Divergences, Page::Shed, Page::Nodes, Page::Nodes]
        );
        let mut cursor = Cursor::default();
        press(&mut cursor, KeyCode::BackTab);
        assert_eq!(cursor.page, Page::Nodes);
        press(&mut cursor, KeyCode::Tab);
        assert_eq!(cursor.page, Page::Routes);
    }

    /// Fails if a choice runs off either end, or pages share one.
    #[test]
    fn a_choice_moves_within_the_rows_of_its_page() {
        let rows = ["", "j", "jj", "jjjjk", "k", "G", "Gg"].map(|keys| after(keys).row(3));
        assert_eq!(rows, [0, 1, 2, 1, 0, 2, 0].map(Some));
        assert_eq!(after("jj").row(2), Some(1), "a row has gone");
        assert_eq!(after("jj").row(0), None);
        assert_eq!(after("jj4j1").row(3), Some(2));
        let mut cursor = Cursor::default();
        let moved =
            [KeyCode::PageDown, KeyCode::PageUp, KeyCode::End, KeyCode::Up, KeyCode::Home].map(|code| {
                press(&mut cursor, code);
                cursor.row(3)
            });
        assert_eq!(moved, [2, 0, 2, 1, 0].map(Some));
    }

    #[test]
    fn d_shows_the_divergences_of_what_is_chosen_and_escape_all_of_them() {
        let mut cursor = after("d");
        assert_eq!((cursor.page, cursor.only.clone()), (Page::Divergences, Some(mirror())));
        press(&mut cursor, KeyCode::Esc);
        assert_eq!((cursor.page, cursor.only.clone()), (Page::Divergences, None));
        press(&mut cursor, KeyCode::Esc);
        assert_eq!(cursor.page, Page::Routes);
        cursor.press(KeyEvent::from(KeyCode::Enter), 0, None);
        assert_eq!(cursor.page, Page::Routes, "nothing is chosen");
    }

    #[test]
    fn help_goes_with_any_key_and_that_key_does_nothing_else() {
        assert!(after("?").is_help && after("4h").is_help);
        let cursor = after("?2");
        assert!(!cursor.is_help);
        assert_eq!(cursor.page, Page::Routes);
        assert_eq!([after("p").is_paused, after("pp").is_paused, after(" ").is_paused], [true, false, true]);
    }

    #[test]
    fn q_and_control_c_end_and_control_z_suspends() {
        for keys in ["", "?", "2p"] {
            let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
            assert_eq!(press(&mut after(keys), KeyCode::Char('q')), Step::Quit);
            assert_eq!(after(keys).press(control('c'), 3, None), Step::Quit);
            assert_eq!(after(keys).press(control('z'), 3, None), Step::Suspend);
            assert_eq!(after(keys).press(control('x'), 3, None), Step::Stay);
        }
    }
}
