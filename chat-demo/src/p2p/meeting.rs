//! Who the other is: the one of before, or another, and under which name it is shown.

use std::mem;

use proto::time::Instant;

use super::{End, News, end::Other};
use crate::{
    Name,
    wire::p2p::{Frame, Hello, Session},
};

impl End {
    pub(super) fn on_hello(&mut self, hello: Hello, now: Instant) {
        let heard = if hello.of == Some(self.session) { hello.heard } else { 0 };
        self.meet(hello.name, hello.session);
        self.stillborn = 0;
        self.redial.reset();
        if let Some(up) = self.link.up() {
            up.is_greeted = true;
        }
        self.outbox.rewind(heard);
        self.send_texts(now);
        self.leave_if_heard(now);
    }

    /// Finds out whether this is who was there before.
    fn meet(&mut self, says: Name, session: Session) {
        let name = apart(&says, &self.name);
        match self.other.take() {
            Some(other) if other.session == session => {
                self.tell(News::Back(name.clone()));
                self.other = Some(Other { says, name, is_away: false, ..other });
                return;
            }
            // Started again: what it was to hear is for it still.
            Some(other) if other.says.is_like(&says) => self.tell(News::Back(name.clone())),
            before => {
                if let Some(other) = before {
                    self.give_up(Some(other.name));
                }
                self.tell(News::OnTheLine(name.clone()));
                self.tell_alike(&says, &name);
            }
        }
        self.other = Some(Other { says, name, session, heard: 0, is_away: false });
    }

    fn tell_alike(&mut self, says: &Name, name: &Name) {
        if says != name {
            self.tell(News::Alike(says.clone(), name.clone()));
        }
    }

    pub(super) fn rename_other(&mut self, says: &Name) {
        let Some(other) = &mut self.other else { return };
        let name = apart(says, &self.name);
        other.says = says.clone();
        let was = mem::replace(&mut other.name, name.clone());
        if was != name {
            self.tell(News::Renamed(was, name.clone()));
            self.tell_alike(says, &name);
        }
    }

    pub(super) fn on_new_name(&mut self, hello: &Hello) {
        match &self.other {
            Some(other) if other.session == hello.session => self.rename_other(&hello.name),
            _ => self.on_unreadable(),
        }
    }

    pub(super) fn say_hello(&mut self, now: Instant) {
        let (of, heard) = self.other.as_ref().map_or((None, 0), |other| (Some(other.session), other.heard));
        let hello = Hello { name: self.name.clone(), session: self.session, of, heard };
        self.send(Frame::Hello(hello), now);
    }
}

/// What one of this name is shown as to one who is called `own`.
fn apart(name: &Name, own: &Name) -> Name {
    const SECOND: &str = "~2";
    if !name.is_like(own) {
        return name.clone();
    }
    let kept: String = name.as_str().chars().take(Name::MAX_CHARS - SECOND.len()).collect();
    Name::new(&format!("{}{SECOND}", kept.trim_end())).unwrap_or_else(|_| name.clone())
}
