//! What is known of a request when its reply has ended: counted, and told.

use std::rc::Rc;

use http::StatusCode;

use crate::{counters::Counters, watch::Watch};

/// Counted when it is dropped, which is when the last of the reply has gone, or its client has.
pub(crate) struct Account {
    counters: Rc<Counters>,
    watch: Rc<Watch>,
    status: StatusCode,
    sent: u64,
    is_torn: bool,
}

impl Account {
    pub(crate) fn new(counters: &Rc<Counters>, watch: &Rc<Watch>, status: StatusCode) -> Self {
        Self { counters: Rc::clone(counters), watch: Rc::clone(watch), status, sent: 0, is_torn: false }
    }

    /// So many bytes of the body are on their way.
    pub(crate) fn note_sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// The body broke.
    pub(crate) fn note_torn(&mut self) {
        self.is_torn = true;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let class = usize::from(self.status.as_u16() / 100);
        if let Some(replies) = self.counters.replies.get(class) {
            replies.bump();
        }
        self.counters.sent.add(self.sent);
        if self.is_torn {
            self.counters.torn.bump();
        }
        self.watch.is_idle();
    }
}
