//! How far a request has come on its way to a server, for those who do not carry it.

use std::cell::{Cell, RefCell};

use tokio::{sync::oneshot, task::AbortHandle};

use crate::answer::Refusal;

/// What is known of a request's body while it is passed on.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Pieces that were passed on.
    pub(crate) pieces: Cell<u64>,
    /// Some of it has not been read.
    pub(crate) is_partial: Cell<bool>,
    /// What was wrong with it.
    pub(crate) fault: Cell<Option<Refusal>>,
    /// What drives the connection that it is sent over.
    connection: RefCell<Option<AbortHandle>>,
    /// Who waits for that.
    to_tell: RefCell<Option<oneshot::Sender<()>>>,
}

impl Progress {
    /// The request is being sent to a server.
    pub(crate) fn note_sent(&self, connection: &AbortHandle) {
        self.connection.replace(Some(connection.clone()));
        if let Some(waiting) = self.to_tell.borrow_mut().take() {
            // Whoever waited may have left.
            let _ = waiting.send(());
        }
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.connection.borrow().is_some()
    }

    /// It was not sent after all, or the connection is no longer its own.
    pub(crate) fn forget(&self) {
        self.connection.take();
    }

    /// Resets the connection that it was sent over.
    pub(crate) fn abort(&self) {
        self.connection.borrow().iter().for_each(AbortHandle::abort);
    }

    /// Tells when it is being sent.
    pub(crate) fn sent(&self) -> oneshot::Receiver<()> {
        let (waiting, sent) = oneshot::channel();
        self.to_tell.replace(Some(waiting));
        sent
    }
}
