//! A request's turn at a server: what the balance has to hear of it, whatever becomes of it.

use std::sync::Arc;

use proto::{balance::Sent, id::ServerIndex};

use crate::site::Site;

/// One request at one server. Dropped without a word, it is abandoned: its client has left.
pub(crate) struct Turn {
    site: Arc<Site>,
    // Invariant: there until its end is told.
    sent: Option<Sent>,
    server: ServerIndex,
}

impl Turn {
    /// The next server's turn, of those that were not tried.
    pub(crate) fn begin(site: &Arc<Site>, tried: &[ServerIndex]) -> Option<Self> {
        let sent = site.balance().choose(site.now(), tried)?;
        Some(Self { site: Arc::clone(site), server: sent.server(), sent: Some(sent) })
    }

    pub(crate) fn server(&self) -> ServerIndex {
        self.server
    }

    /// The server has begun to answer.
    pub(crate) fn begun(&self) {
        let Some(sent) = &self.sent else { return };
        let change = self.site.balance().on_begun(sent, self.site.now());
        self.site.tell(self.server, change);
    }

    /// The server has answered.
    pub(crate) fn done(mut self) {
        if let Some(sent) = self.sent.take() {
            let change = self.site.balance().on_done(sent, self.site.now());
            self.site.tell(self.server, change);
        }
    }

    /// The server has not.
    pub(crate) fn failed(mut self) {
        if let Some(sent) = self.sent.take() {
            let change = self.site.balance().on_failed(sent, self.site.now());
            self.site.tell(self.server, change);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(sent) = self.sent.take() {
            self.site.balance().on_abandoned(sent, self.site.now());
        }
    }
}
