//! Everything around the desk that a process with statistics has: the recovery file, the HTTP port, and the second's beat.
//!
//! A stats-node has one, and so has `pegloom up`. It is opened before anything runs, so that a taken port is told at once.

use std::{net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use runtime::{
    clock::Clock,
    exit::Failure,
    settings::{Listen, Transport},
    tcp::listen,
};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{MissedTickBehavior, interval},
};
use tracing::{error, info, warn};

use crate::{
    desk::Desk,
    http,
    recovery::{Recovery, WRITE_INTERVAL},
};

const THIS_MACHINE: &str = "127.0.0.1";

/// How statistics are shown and kept.
#[derive(Clone, Debug, clap::Args)]
pub struct Shown {
    /// Where to show statistics over HTTP, `HOST:PORT`; without a host for this machine only
    #[arg(long, value_name = "ADDRESS", value_parser = http_address)]
    pub http: Option<Listen>,

    /// A file to keep statistics in, so that a restart goes on with them; written once a second
    #[arg(long, value_name = "FILE")]
    pub recovery: Option<PathBuf>,

    /// How old that file may be to go on with it
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub recovery_max_age: Duration,
}

fn http_address(text: &str) -> Result<Listen, String> {
    let listen: Listen = text.strip_prefix("http://").unwrap_or(text).parse()?;
    match listen.transport {
        Transport::Tcp | Transport::Http => Ok(listen),
        Transport::Udp => Err(format!("`{text}`: HTTP is not spoken over datagrams")),
    }
}

/// The desk, and what is around it.
pub struct Office {
    /// Where reports go.
    pub desk: Arc<Desk>,
    recovery: Option<Arc<Recovery>>,
    listener: Option<TcpListener>,
}

impl Office {
    /// Binds the port and reads the file, for a node of this kind.
    pub fn open(node: &'static str, shown: &Shown) -> Result<Self, Failure> {
        let listener = shown.http.as_ref().map(bind).transpose()?;
        let recovery = shown.recovery.clone().map(|path| Recovery::new(path, shown.recovery_max_age));
        let desk = Arc::new(Desk::open(node, recovery.as_ref(), Clock::start()));
        Ok(Self { desk, recovery: recovery.map(Arc::new), listener })
    }

    /// Starts what it does by itself.
    pub fn start(&mut self, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
        if let Some(listener) = self.listener.take() {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(Failure::cannot_start)?;
            tasks.spawn(http::serve(listener, Arc::clone(&self.desk)));
        }
        tasks.spawn(keep(Arc::clone(&self.desk), self.recovery.clone()));
        Ok(())
    }

    /// Writes down what is known at the end.
    pub async fn close(&self) {
        if let Some(recovery) = &self.recovery {
            write(&self.desk, recovery).await;
        }
    }
}

async fn keep(desk: Arc<Desk>, recovery: Option<Arc<Recovery>>) {
    let mut beat = interval(WRITE_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        desk.on_second();
        if let Some(recovery) = &recovery {
            write(&desk, recovery).await;
        }
    }
}

/// On a thread of its own: the disk may take its time.
async fn write(desk: &Desk, recovery: &Arc<Recovery>) {
    let (saved, now, recovery) = (desk.saved(), desk.now(), Arc::clone(recovery));
    if let Err(error) = spawn_blocking(move || recovery.write(&saved, now)).await {
        error!(%error, "the recovery file is not written");
    }
}

fn bind(address: &Listen) -> Result<TcpListener, Failure> {
    let host = address.host.clone().unwrap_or_else(|| THIS_MACHINE.to_owned());
    let address = Listen { host: Some(host), ..address.clone() };
    let shown = address.to_string().replace("tcp://", "http://");
    let mut bound = listen(&address, 1).map_err(|error| {
        Failure::cannot(
            format!("listen on {shown}"),
            error,
            "--http with another port, or end what holds this one",
        )
    })?;
    if !bound.address.ip().is_loopback() {
        warn!(address = %bound.address, "statistics are shown to whoever can reach this address");
    }
    info!(address = %bound.address, "statistics are shown");
    Ok(bound.sockets.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(text: &str) -> std::net::SocketAddr {
        bind(&http_address(text).unwrap()).unwrap().local_addr().unwrap()
    }

    #[test]
    fn without_a_host_only_this_machine_is_served() {
        assert!(address_of(":0").ip().is_loopback());
        assert!(address_of("127.0.0.1:0").ip().is_loopback());
        assert!(address_of("0.0.0.0:0").ip().is_unspecified());
    }

    #[test]
    fn a_taken_port_is_told_in_one_line_and_what_to_try() {
        let taken = address_of(":0");
        let held = TcpListener::bind(taken).unwrap();
        let refused = bind(&held.local_addr().unwrap().to_string().parse().unwrap()).unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!(
                "cannot listen on http://{taken}: address already in use\n  try: --http"
            )),
            "{refused}"
        );
    }
}
