//! The access log: one line for each request, written by a thread of its own.
//!
//! [`AccessLog::write`] never waits. Between those who write and the thread there is room for [`ROOM`] lines; what finds none, and
//! what the disk does not take, is lost, counted, and told of in a line of the file as soon as there is room again. The thread
//! gathers what waits into one write and flushes when nothing more does. Lines go to the file whole and one after the
//! other; only a disk that fills up in the middle of one can tear it, and then what follows begins on a new line.

mod file;
mod line;

use std::{
    convert::Infallible,
    future::pending,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::sleep,
};
use tracing::warn;

pub use self::line::{Format, Line, RequestLine, Source};
use self::{file::LogFile, line::Lost};

/// Lines that may wait to be written.
pub const ROOM: usize = 8192;

/// So many bytes are gathered before they are written although more wait.
const GATHERED: usize = 64 * 1024;

/// Who finds no room and must have some tries again after this.
const AGAIN: Duration = Duration::from_millis(5);

/// Where lines are put; one for each who writes.
#[derive(Clone, Debug)]
pub struct AccessLog {
    orders: SyncSender<Order>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Order {
    Line(Line),
    /// Look at [`Shared`].
    Look,
    /// Say when everything before this is written.
    Settle(oneshot::Sender<()>),
}

#[derive(Debug, Default)]
struct Shared {
    lost: AtomicU64,
    is_reopening: AtomicBool,
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer(JoinHandle<()>);

impl Writer {
    /// Waits until all is written: the thread ends when every [`AccessLog`] is gone.
    pub fn finish(self) {
        // It has nothing to say, and a panic has been seen on stderr.
        let _ = self.0.join();
    }
}

impl AccessLog {
    /// Appends to this file, which is made if it is not there.
    pub fn open(path: &Path, format: Format) -> io::Result<(Self, Writer)> {
        let file = LogFile::open(path)?;
        let (orders, received) = sync_channel(ROOM);
        let shared = Arc::new(Shared::default());
        let mut writing =
            Writing { file, format, shared: shared.clone(), gathered: Vec::new(), lines: 0, told: 0 };
        let thread = thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            while let Ok(order) = received.recv() {
                writing.take(order);
                for order in received.try_iter() {
                    writing.take(order);
                }
                writing.flush();
            }
            // Losses of which nothing was written yet.
            writing.flush();
        })?;
        Ok((Self { orders, shared }, Writer(thread)))
    }

    /// Puts a line to be written, if there is room.
    pub fn write(&self, line: Line) {
        if self.orders.try_send(Order::Line(line)).is_err() {
            self.shared.lost.fetch_add(1, Relaxed);
        }
    }

    /// Goes on in a file of the same name: the old one was moved away. To be called on SIGHUP.
    pub fn reopen(&self) {
        self.shared.is_reopening.store(true, Relaxed);
        // Without room for it the thread is at work, and will look.
        let _ = self.orders.try_send(Order::Look);
    }

    /// Goes on in a new file at each SIGHUP, for ever.
    pub async fn follow(&self) -> Infallible {
        match signal(SignalKind::hangup()) {
            Ok(mut hangups) => {
                while hangups.recv().await.is_some() {
                    self.reopen();
                }
            }
            Err(error) => warn!(%error, "SIGHUP is not heard, the access log is never opened anew"),
        }
        pending().await
    }

    /// Waits until all that was put before is written, or lost.
    pub async fn settle(&self) {
        let (settled, all) = oneshot::channel();
        let mut order = Order::Settle(settled);
        // Without room for it the thread is at work, and will have some.
        while let Err(TrySendError::Full(refused)) = self.orders.try_send(order) {
            order = refused;
            sleep(AGAIN).await;
        }
        // A thread that has gone has nothing more to write.
        let _ = all.await;
    }

    /// Lines that were lost since the start.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Relaxed)
    }
}

/// What the thread has.
struct Writing {
    file: LogFile,
    format: Format,
    shared: Arc<Shared>,
    // Invariant: whole lines, and not much more than GATHERED.
    gathered: Vec<u8>,
    /// How many are gathered.
    lines: u64,
    /// Lost lines that the file tells of.
    told: u64,
}

impl Writing {
    fn take(&mut self, order: Order) {
        match order {
            Order::Line(line) => {
                line.append(self.format, &mut self.gathered);
                self.lines += 1;
            }
            // What came before it goes to the old file, what comes after it to the new one.
            Order::Look => self.flush(),
            Order::Settle(settled) => {
                self.flush();
                // Who asked may have gone.
                let _ = settled.send(());
            }
        }
        if self.gathered.len() >= GATHERED {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.write();
        if self.shared.is_reopening.swap(false, Relaxed) {
            self.file.reopen();
            self.tell_of_losses();
        }
    }

    fn write(&mut self) {
        self.tell_of_losses();
        if self.gathered.is_empty() {
            return;
        }
        let unwritten = self.file.write(&self.gathered);
        self.shared.lost.fetch_add(unwritten.min(self.lines), Relaxed);
        self.gathered.clear();
        self.lines = 0;
    }

    /// In a write of its own, before anything else: only once the disk has taken it are the losses told.
    fn tell_of_losses(&mut self) {
        let lost = self.shared.lost.load(Relaxed);
        if lost == self.told {
            return;
        }
        let mut text = Vec::new();
        Lost(lost - self.told).append(self.format, &mut text);
        if self.file.write(&text) == 0 {
            self.told = lost;
        }
    }
}

#[cfg(test)]
mod tests;
