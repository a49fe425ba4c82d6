//! What was said of late, as this process has seen it: for `/history` where nobody else keeps one.

use std::collections::VecDeque;

use crate::{How, Line, Said};

/// The most lines that are kept.
const MAX_LINES: usize = 1000;

/// The last lines.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Invariant: at most [`MAX_LINES`].
    said: VecDeque<Said>,
}

impl Recent {
    /// Keeps the line, if somebody said it.
    pub(crate) fn observe(&mut self, line: &Line) {
        let Line::Said(said) = line else { return };
        if self.said.len() == MAX_LINES {
            self.said.pop_front();
        }
        self.said.push_back(said.clone());
    }

    /// The last so many lines, to be shown once more.
    pub(crate) fn last(&self, most: usize) -> Vec<Line> {
        let from = self.said.len().saturating_sub(most);
        let again = |said: &Said| Line::Said(Said { how: How::Again, ..said.clone() });
        self.said.range(from..).map(again).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Text, Tone};

    #[test]
    fn the_last_lines_are_kept_and_shown_again() {
        let mut recent = Recent::default();
        recent.observe(&Line::Told("somebody came".to_owned()));
        for at in 0..=MAX_LINES as u64 {
            let (name, text) = (Name::new("ann").unwrap(), Text::new("hi").unwrap());
            recent.observe(&Line::Said(Said { at, name, text, tone: Tone::Plain, how: How::Live }));
        }

        let times = |lines: Vec<Line>| -> Vec<u64> {
            let time = |line| if let Line::Said(Said { at, how: How::Again, .. }) = line { at } else { 0 };
            lines.into_iter().map(time).collect()
        };
        assert_eq!(times(recent.last(2)), [999, 1000]);
        assert_eq!(times(recent.last(5000)), (1..=1000).collect::<Vec<_>>());
    }
}
