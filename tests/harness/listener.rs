//! Who listens to a fabric's events, on a real SUB socket.
//!
//! It binds and the fabric connects, so a fabric can be told of a listener that is not there yet: its endpoint is a path
//! in a directory of its own.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use runtime::event::{self, Event, Published};
use runtime::shard::run_local;
use runtime::zeromq::{Context, Subscriber};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{PATIENCE, eventually_some};

/// Where listeners bind, and fabrics publish to.
pub(crate) struct Meeting(TempDir);

/// One that hears everything from its beginning to its end.
pub(crate) struct Listener {
    heard: Arc<Mutex<Vec<Published>>>,
    life: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Meeting {
    pub(crate) fn arranged() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("ipc://{}", self.0.path().join("stats").display())
    }

    pub(crate) fn listen(&self) -> Listener {
        let heard = Arc::default();
        let (endpoint, kept) = (self.endpoint(), Arc::clone(&heard));
        let (end, ends) = oneshot::channel();
        let thread = thread::spawn(move || {
            let listening = async move {
                tokio::select! {
                    () = hear(&endpoint, &kept) => {}
                    _ = ends => {}
                }
            };
            run_local(listening).expect("a thread has a runtime");
        });
        Listener { heard, life: Some((end, thread)) }
    }
}

async fn hear(endpoint: &str, heard: &Mutex<Vec<Published>>) {
    let subscriber = Subscriber::bind(&Context::new(), endpoint, &[event::TOPIC]).expect("a path to bind");
    loop {
        subscriber.readable().await;
        while let Some(message) = subscriber.try_receive() {
            let (topic, body) = message.expect("a topic and a body");
            assert_eq!(&*topic, event::TOPIC);
            heard.lock().unwrap().push(rmp_serde::from_slice(&body).expect("an event"));
        }
    }
}

impl Listener {
    /// All it has heard, repetitions too.
    pub(crate) fn heard(&self) -> Vec<Published> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits for an event of which `pick` makes something.
    #[track_caller]
    pub(crate) fn expect<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        eventually_some(PATIENCE, what, || self.heard().iter().find_map(|published| pick(&published.event)))
    }
}

impl Drop for Listener {
    /// Its path is free when this returns.
    fn drop(&mut self) {
        if let Some((end, thread)) = self.life.take() {
            drop(end);
            // What it found wrong, it has said.
            let _ = thread.join();
        }
    }
}
