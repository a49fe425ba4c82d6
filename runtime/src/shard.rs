//! Shards: one OS thread each, with a single-threaded runtime and everything it needs of its own.

use std::{future::Future, io, thread};

use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::LocalSet,
};

/// What the process asks of a shard. `R` is its report.
#[derive(Debug)]
pub enum Command<R> {
    /// Finish old work, take no new.
    Drain,
    /// Say what was counted.
    Report(oneshot::Sender<R>),
}

/// How a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was drained and nothing was left.
    Drained,
    /// It failed, and has said why.
    Failed,
}

/// A running shard, as the process sees it.
#[derive(Debug)]
pub struct Shard<R> {
    commands: mpsc::Sender<Command<R>>,
    ended: oneshot::Receiver<Ended>,
}

impl<R: Send + 'static> Shard<R> {
    /// Starts a thread called `name` that runs what `main` makes of its command channel.
    pub fn start<F, Fut>(name: String, main: F) -> io::Result<Self>
    where
        F: FnOnce(mpsc::Receiver<Command<R>>) -> Fut + Send + 'static,
        Fut: Future<Output = Ended>,
    {
        let (commands, receiver) = mpsc::channel(16);
        let (sender, ended) = oneshot::channel();
        thread::Builder::new().name(name).spawn(move || {
            let ended = run_local(main(receiver)).unwrap_or(Ended::Failed);
            let _ = sender.send(ended);
        })?;
        Ok(Self { commands, ended })
    }

    /// Asks it to drain.
    pub async fn drain(&self) {
        // A shard that has ended has nothing to drain.
        let _ = self.commands.send(Command::Drain).await;
    }

    /// What it has counted; `None` if it has ended.
    pub async fn report(&self) -> Option<R> {
        let (sender, receiver) = oneshot::channel();
        self.commands.send(Command::Report(sender)).await.ok()?;
        receiver.await.ok()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Ended {
        (&mut self.ended).await.unwrap_or(Ended::Failed)
    }
}

/// Runs a future on this thread, in a runtime of its own, with `spawn_local`.
pub fn run_local<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}
