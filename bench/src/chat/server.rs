//! The servers that a chat is measured with: how each is started, and how one speaks with it.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::dealers::{self, Dealers};
use super::streams::{self, Streams};
use crate::args::{ChatArgs, Server};
use crate::load::Shape;
use crate::peers::mosquitto::Mosquitto;
use crate::peers::nats_server::NatsServer;
use crate::peers::pegloom::Pegloom;
use crate::peers::{Running, start_relay};

/// The programs found on this machine, or why they were not.
pub(super) struct Programs {
    room: Result<Pegloom, String>,
    mosquitto: Result<Mosquitto, String>,
    nats_server: Result<NatsServer, String>,
}

/// The speaker and the members of a running server.
pub(super) enum Clients {
    Streams(Streams),
    Dealers(Dealers),
}

impl Programs {
    pub(super) fn find(args: &ChatArgs) -> Self {
        Self {
            room: Pegloom::find(args.common.pegloom.clone()),
            mosquitto: Mosquitto::find(),
            nats_server: NatsServer::find(),
        }
    }

    /// What those of others are, each with its version, or why it is left out.
    pub(super) fn describe(&self) -> [String; 2] {
        let mosquitto = self.mosquitto.as_ref().map(Mosquitto::describe);
        let nats_server = self.nats_server.as_ref().map(NatsServer::describe);
        [mosquitto, nats_server].map(|found| found.unwrap_or_else(|reason| format!("left out: {reason}")))
    }
}

impl Server {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Room => "pegloom chat room",
            Self::Mosquitto => "mosquitto",
            Self::Nats => "nats-server",
            Self::Relay => "bare ROUTER",
        }
    }

    /// Why it cannot be measured on this machine.
    pub(super) fn unavailable(self, programs: &Programs) -> Option<String> {
        match self {
            Self::Room => programs.room.as_ref().err().cloned(),
            Self::Mosquitto => programs.mosquitto.as_ref().err().cloned(),
            Self::Nats => programs.nats_server.as_ref().err().cloned(),
            Self::Relay => None,
        }
    }

    pub(super) fn start(self, programs: &Programs) -> Result<Running> {
        match self {
            Self::Room => found(&programs.room)?.start_room(),
            Self::Mosquitto => found(&programs.mosquitto)?.start(),
            Self::Nats => found(&programs.nats_server)?.start(),
            Self::Relay => start_relay(),
        }
    }

    /// Returns when all are there.
    pub(super) fn connect(self, running: &Running, shape: Shape) -> Result<Clients> {
        let endpoint = format!("tcp://{}", running.address);
        let streams = |dialect| Streams::connect(running.address, dialect, shape).map(Clients::Streams);
        let dealers = |dialect| Dealers::connect(&endpoint, dialect, shape, 0).map(Clients::Dealers);
        match self {
            Self::Room => dealers(dealers::Dialect::Room),
            Self::Relay => dealers(dealers::Dialect::Relay),
            Self::Mosquitto => streams(streams::Dialect::Mqtt),
            Self::Nats => streams(streams::Dialect::Nats),
        }
    }
}

impl Clients {
    /// Speaks for so long.
    pub(super) fn run_for(&mut self, duration: Duration) -> Result<()> {
        match self {
            Self::Streams(streams) => streams.run_for(duration),
            Self::Dealers(dealers) => dealers.run_for(duration),
        }
    }

    /// Says nothing more, and waits until all have heard all.
    pub(super) fn settle(&mut self) -> Result<()> {
        match self {
            Self::Streams(streams) => streams.settle(),
            Self::Dealers(dealers) => dealers.settle(),
        }
    }

    /// How many texts members have got, each counted for each.
    pub(super) fn deliveries(&self) -> u64 {
        match self {
            Self::Streams(streams) => streams.audience().deliveries(),
            Self::Dealers(dealers) => dealers.audience().deliveries(),
        }
    }
}

fn found<T>(program: &Result<T, String>) -> Result<&T> {
    program.as_ref().map_err(|reason| anyhow!(reason.clone()))
}
