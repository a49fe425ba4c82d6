//! What goes wrong, and what is said meanwhile.

use std::time::Duration;

use super::world::{QUIET, World};
use crate::{Text, Typed, mesh::Input};

impl World {
    /// All of it, and what must hold at its end.
    pub(super) fn run(&mut self) {
        while self.is_troubled() {
            self.trouble();
            let pause = Duration::from_millis(self.chance.u64(0..1_000));
            self.run_until(self.now + pause);
        }
        self.cuts.clear();
        (0..self.members.len()).for_each(|at| self.input(at, Input::Behind(false)));
        self.note(|| "all is whole".to_owned());
        self.run_until(self.now + QUIET);
        self.expect_agreement();
        self.expect_silence();
    }

    /// Something goes wrong, or is said.
    fn trouble(&mut self) {
        let (members, at) = (self.members.len(), self.chance.usize(0..self.members.len()));
        if self.chance.u64(0..self.plan.cut_one_in) == 0 {
            self.cut();
        }
        if self.chance.u64(0..self.plan.kill_one_in) == 0 {
            self.kill(at);
        }
        let is_behind = self.chance.u64(0..8) == 0;
        self.input(at, Input::Behind(is_behind));
        for _ in 0..self.chance.usize(0..3) {
            self.talk(self.now.as_micros() as usize % members);
            self.talk(at);
        }
    }

    /// Two sides, or two members, or one that is not heard; or all is whole again.
    fn cut(&mut self) {
        let members = self.members.len();
        let (one, other) = (self.chance.usize(0..members), self.chance.usize(0..members));
        match self.chance.usize(0..4) {
            0 => self.cuts.clear(),
            1 => self.cuts.extend([(one, other), (other, one)]),
            2 => drop(self.cuts.insert((one, other))),
            _ => {
                let side: Vec<bool> = (0..members).map(|_| self.chance.bool()).collect();
                let pairs = (0..members).flat_map(|one| (0..members).map(move |other| (one, other)));
                self.cuts.extend(pairs.filter(|&(one, other)| side[one] != side[other]));
            }
        }
        let cuts = self.cuts.len();
        self.note(|| format!("{cuts} cuts"));
    }

    pub(super) fn kill(&mut self, at: usize) {
        self.note(|| format!("{at} is killed"));
        self.members[at] = self.start(at);
    }

    pub(super) fn talk(&mut self, at: usize) {
        self.texts += 1;
        let text = format!("text {} of {at}", self.texts);
        self.members[at].said.push(text.clone());
        let text = Text::new(&text).unwrap();
        let typed = if self.chance.bool() { Typed::Say(text) } else { Typed::Act(text) };
        self.input(at, Input::Typed(typed));
    }
}
