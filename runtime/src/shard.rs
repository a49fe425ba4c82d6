//! Shards: one OS thread each, with a single-threaded runtime and everything it needs of its own.
//!
//! The process tells a shard three things: drain, leave, report. Nothing else goes from thread to thread, and none of
//! it on the data path. What a shard does is its tenant's business.

use std::{future::Future, io, thread, time::Duration};

use tokio::{
    runtime::Builder,
    select,
    sync::{mpsc, oneshot},
    task::LocalSet,
    time::sleep,
};

use crate::report::Report;

/// While it drains, a shard looks this often whether it is idle.
const LOOK: Duration = Duration::from_millis(10);

/// What a shard said last is on its way out of the process for so long.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What the process asks of a shard.
#[derive(Debug)]
pub enum Command {
    /// Finish old work, take no new.
    Drain,
    /// The grace is over: let go of what is left.
    Leave,
    /// Say what was counted.
    Report(oneshot::Sender<Report>),
}

/// Where a shard is told what to do.
pub type Commands = mpsc::Receiver<Command>;

/// What a shard's main task answers commands with.
pub trait Tenant {
    /// Takes no new work from now on.
    fn drain(&self);
    /// Lets go of the work that is left, as decently as it can.
    fn leave(&self);
    /// Whether no work is left.
    fn is_idle(&self) -> bool;
    /// What was counted.
    fn report(&self) -> Report;
}

/// A running shard, as the process sees it.
#[derive(Clone, Debug)]
pub struct Shard {
    commands: mpsc::Sender<Command>,
}

impl Shard {
    /// Starts a thread called `name` that runs what `main` makes of its commands. When that is done, `ended` hears of it.
    pub fn start<F, Fut>(name: String, ended: mpsc::Sender<()>, main: F) -> io::Result<Self>
    where
        F: FnOnce(Commands) -> Fut + Send + 'static,
        Fut: Future<Output = ()>,
    {
        crate::memory::keep_what_is_freed();
        let (commands, receiver) = mpsc::channel(16);
        thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = run_local(main(receiver)) {
                tracing::error!(%error, "a shard cannot start");
            }
            // The process may have stopped listening: it is ending too.
            let _ = ended.blocking_send(());
        })?;
        Ok(Self { commands })
    }

    /// Tells it something. A shard that has ended does not hear it, and need not.
    pub async fn tell(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    /// What it has counted; `None` if it has ended.
    pub async fn report(&self) -> Option<Report> {
        let (sender, receiver) = oneshot::channel();
        self.tell(Command::Report(sender)).await;
        receiver.await.ok()
    }
}

/// Answers commands until the shard is drained and idle, has been told to leave, or the process is gone.
pub async fn attend(mut commands: Commands, tenant: &impl Tenant) {
    let mut is_draining = false;
    loop {
        select! {
            command = commands.recv() => match command {
                Some(Command::Drain) => {
                    is_draining = true;
                    tenant.drain();
                }
                Some(Command::Report(answer)) => drop(answer.send(tenant.report())),
                Some(Command::Leave) => {
                    tenant.leave();
                    return sleep(LAST_WORDS).await;
                }
                None => return,
            },
            () = sleep(LOOK), if is_draining => {
                if tenant.is_idle() {
                    tenant.leave();
                    return sleep(LAST_WORDS).await;
                }
            }
        }
    }
}

/// Runs a future on this thread, in a runtime of its own, with `spawn_local`. When it is done the rest is dropped.
pub fn run_local<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let result = LocalSet::new().block_on(&runtime, future);
    // A name that is being looked up occupies a thread for as long as the resolver likes; nobody waits for that.
    runtime.shutdown_background();
    Ok(result)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::spawn_blocking;

    use super::*;

    /// Fails if the runtime is merely dropped: that waits for threads it cannot end.
    #[test]
    fn the_end_waits_for_no_thread_that_is_stuck() {
        let (release, stuck) = mpsc::sync_channel::<()>(1);
        let (began, begins) = oneshot::channel();
        let result = run_local(async move {
            drop(spawn_blocking(move || {
                let _ = began.send(());
                // What would be waited for is said below, after the end.
                let _ = stuck.recv();
            }));
            begins.await
        });
        assert_eq!(result.unwrap(), Ok(()));
        drop(release);
    }
}
