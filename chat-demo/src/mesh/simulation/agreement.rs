//! What must hold when all is whole again and quiet.

use std::{collections::BTreeSet, time::Duration};

use super::world::World;
use crate::{Typed, mesh::Input};

impl World {
    pub(super) fn expect_agreement(&mut self) {
        for at in 0..self.members.len() {
            self.input(at, Input::Typed(Typed::History(usize::MAX)));
            while self.members[at].mesh.screen.is_telling() {
                self.input(at, Input::Tick);
            }
        }
        let history = self.members[0].again.clone();
        let counted: BTreeSet<_> = history.iter().collect();
        assert_eq!(counted.len(), history.len(), "each text is there once");
        for (at, member) in self.members.iter().enumerate() {
            assert_eq!(member.mesh.online(), self.members.len(), "{at} hears all");
            assert_eq!(member.again, history, "{at} has the same history in the same order as 0");
            assert_eq!(member.mesh.history.floor(), self.members[0].mesh.history.floor());
            let shown: BTreeSet<_> = member.shown.iter().map(|(_, text)| text).collect();
            assert_eq!(shown.len(), member.shown.len(), "{at} was shown each text once");
            assert!(shown.is_superset(&counted), "{at} was shown them all");
            let lacks = self.texts - shown.len() as u64;
            assert!(member.mesh.counts().missed <= lacks, "{at} is told of no more than it lacks, {lacks}");
            if self.plan.is_bounded() {
                continue;
            }
            let said: BTreeSet<_> = member.said.iter().collect();
            let own: Vec<_> = history.iter().filter(|text| said.contains(text)).cloned().collect();
            assert_eq!(own, member.said, "what {at} said is there, once, in its order");
            assert_eq!(shown, counted, "{at} was shown nothing else");
            let counts = member.mesh.counts();
            assert_eq!((counts.missed, counts.below), (0, 0));
        }
    }

    /// Nobody gives anything any more.
    pub(super) fn expect_silence(&mut self) {
        let frames = self.frames;
        self.run_until(self.now + Duration::from_secs(15));
        assert_eq!(self.frames, frames, "what all have is not given again");
    }
}
