//! A network of its own for whoever is in it, without a name: the kernel removes it with the last who uses it.

use std::fs::File;
use std::io;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

pub(super) struct Namespace(File);

impl Namespace {
    pub(super) fn new() -> io::Result<Self> {
        // A thread that has left its namespace is of no more use here.
        let maker = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|error| super::wrong("unshare", &error))?;
            current()
        });
        maker.join().expect("it does not panic").map(Self)
    }

    /// Does this with this thread inside, and comes back, also after a panic.
    pub(super) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        let _home = Home(current().expect("a thread knows its namespace"));
        enter(&self.0);
        work()
    }
}

/// Where a thread was before.
struct Home(File);

impl Drop for Home {
    fn drop(&mut self) {
        enter(&self.0);
    }
}

fn enter(namespace: &File) {
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("who made a namespace can enter it");
}

fn current() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}
