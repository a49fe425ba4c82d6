//! The disk of a room: one batch at a time goes there with the store, on a thread that may wait for it, and both come back.

use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    Batch,
    store::{self, Store},
};

/// The store, or the thread that has it now.
pub(super) enum Disk {
    /// There is none: everything is stored at once, until the end of the process.
    None,
    Idle(Box<Store>),
    Writing(JoinHandle<(Box<Store>, Result<(), store::Error>)>),
}

#[derive(PartialEq, Eq)]
pub(super) enum Begun {
    IsDone,
    IsWriting,
}

impl Disk {
    pub(super) fn idle(store: Option<Store>) -> Self {
        store.map_or(Self::None, |store| Self::Idle(Box::new(store)))
    }

    pub(super) fn begin(&mut self, batch: Batch) -> Begun {
        match std::mem::replace(self, Self::None) {
            Self::None => Begun::IsDone,
            Self::Idle(mut store) => {
                *self = Self::Writing(spawn_blocking(move || {
                    let written = store.write(&batch);
                    (store, written)
                }));
                Begun::IsWriting
            }
            writing @ Self::Writing(_) => {
                debug_assert!(false, "one batch at a time");
                *self = writing;
                Begun::IsWriting
            }
        }
    }

    pub(super) fn is_writing(&self) -> bool {
        matches!(self, Self::Writing(_))
    }

    /// What became of the batch; never, if there is none. May be dropped at any point.
    pub(super) async fn written(&mut self) -> Result<(), store::Error> {
        let Self::Writing(writing) = self else { return std::future::pending().await };
        match writing.await {
            Ok((store, written)) => {
                *self = Self::Idle(store);
                written
            }
            // A thread that panicked: the room is not to go on as if it kept something.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
