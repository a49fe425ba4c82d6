//! What happened in a run: a hash of everything, the last lines, and all of them when a seed is replayed.

use std::collections::VecDeque;

use proto::time::Instant;

use crate::random::mix;

const KEPT: usize = 60;

#[derive(Clone, Copy, Debug)]
struct Line {
    at: Instant,
    what: &'static str,
    who: usize,
    numbers: [u64; 2],
}

#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: VecDeque<Line>,
    hash: u64,
    is_loud: bool,
}

impl Trace {
    pub(crate) fn new(is_loud: bool) -> Self {
        Self { is_loud, ..Self::default() }
    }

    pub(crate) fn note(&mut self, at: Instant, what: &'static str, who: usize, a: u64, b: u64) {
        for number in [at.as_micros(), what.len() as u64, who as u64, a, b] {
            self.hash = mix(self.hash ^ number).wrapping_add(1);
        }
        let line = Line { at, what, who, numbers: [a, b] };
        if self.is_loud {
            line.print();
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// A line that only a replay shows.
    pub(crate) fn tell(&self, text: impl FnOnce() -> String) {
        if self.is_loud {
            println!("{:>13}   {}", "", text());
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn print_tail(&self) {
        self.lines.iter().for_each(Line::print);
    }
}

impl Line {
    fn print(&self) {
        let [a, b] = self.numbers;
        println!("{:>13} {} {} {a} {b}", self.at.to_string(), self.what, self.who);
    }
}
