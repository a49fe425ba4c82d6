//! The machines' shells: what they ask for is done to the world.

use proto::{
    id::{ConnectionId, LinkIndex, Peer, SessionId},
    ingress, worker,
};

use crate::{
    random::Random,
    sources::Closed,
    world::{Event, World},
};

pub(crate) struct IngressShell<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) index: usize,
    pub(crate) incarnation: proto::id::Incarnation,
}

impl IngressShell<'_> {
    fn source(&self, session: SessionId) -> usize {
        let known = self.world.source_of.get(&(self.index, self.incarnation, session));
        *known.expect("the ingress speaks of sessions that it began")
    }
}

impl ingress::Shell for IngressShell<'_> {
    fn write(&mut self, session: SessionId, bytes: &[u8]) -> usize {
        let source = self.source(session);
        self.world.write_to_source(source, bytes)
    }

    fn write_datagrams(&mut self, _: SessionId, _: &[u8], _: &[u32]) -> usize {
        unreachable!("the simulation's sources are streams")
    }

    fn send(&mut self, peer: Peer, batch: Vec<u8>) -> bool {
        self.world.send(peer.0 as usize - 1, false, batch)
    }

    fn effect(&mut self, effect: ingress::Effect) {
        self.world.trace.tell(|| format!("ingress {}: {effect:?}", self.index));
        match effect {
            ingress::Effect::PauseSource { session } => {
                let source = self.source(session);
                self.world.sources[source].is_resumed = false;
            }
            ingress::Effect::ResumeSource { session } => {
                let source = self.source(session);
                self.world.sources[source].is_resumed = true;
                self.world.wake_ingress_reader(source);
            }
            ingress::Effect::ShutDownSource { session } => {
                let source = self.source(session);
                self.world.shut_down_source(source);
            }
            ingress::Effect::CloseSource { session, abort } => {
                let source = self.source(session);
                self.world.close_source(source, Closed::ByIngress { abort });
            }
            ingress::Effect::Notice(notice) => self.notice(&notice),
        }
    }
}

impl IngressShell<'_> {
    fn notice(&mut self, notice: &ingress::Notice) {
        match *notice {
            ingress::Notice::SessionEnded { session, ending, .. } => {
                let source = self.source(session);
                self.world.note("session ended", source, 0, 0);
                self.world.sources[source].ending = Some(ending);
                self.world.check_ending(source, ending);
            }
            ingress::Notice::PeerIgnored { peer, why } => panic!("{peer} is ignored: {why}"),
            _ => {}
        }
    }
}

pub(crate) struct WorkerShell<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) index: usize,
    pub(crate) life: u32,
    pub(crate) wires: &'a [usize],
    pub(crate) random: &'a mut Random,
    /// Connects that were asked for; whose they are is known after the call.
    pub(crate) connects: &'a mut Vec<(ConnectionId, std::time::Duration)>,
}

impl WorkerShell<'_> {
    fn socket(&self, connection: ConnectionId) -> usize {
        let known = self.world.socket_of.get(&(self.index, self.life, connection.0));
        *known.expect("the worker speaks of connections that it began")
    }
}

impl worker::Shell for WorkerShell<'_> {
    fn write(&mut self, connection: ConnectionId, bytes: &[u8], until: proto::time::Instant) -> usize {
        assert!(self.world.now < until, "a write without a lease");
        let socket = self.socket(connection);
        self.world.write_to_destination(socket, bytes)
    }

    fn write_datagrams(
        &mut self,
        _: ConnectionId,
        _: &[u8],
        _: &[u32],
        _: proto::time::Instant,
    ) -> worker::Sent {
        unreachable!("the simulation's destinations are streams")
    }

    fn send(&mut self, link: LinkIndex, batch: Vec<u8>) -> bool {
        self.world.send(self.wires[link.0 as usize], true, batch)
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn effect(&mut self, effect: worker::Effect) {
        self.world.trace.tell(|| format!("worker {}: {effect:?}", self.index));
        match effect {
            worker::Effect::Connect { connection, timeout } => self.connects.push((connection, timeout)),
            worker::Effect::ShutDown { connection } => {
                let socket = self.socket(connection);
                self.world.sockets[socket].is_shut = true;
                self.world.wake_destination(socket);
            }
            worker::Effect::Close { connection, abort } => {
                self.connects.retain(|&(asked, _)| asked != connection);
                if let Some(&socket) = self.world.socket_of.get(&(self.index, self.life, connection.0)) {
                    self.world.leave_socket(socket, abort);
                }
            }
            worker::Effect::PauseReads { connection } => {
                let socket = self.socket(connection);
                self.world.sockets[socket].is_paused = true;
            }
            worker::Effect::ResumeReads { connection } => {
                let socket = self.socket(connection);
                self.world.sockets[socket].is_paused = false;
                self.world.wake_worker_reader(socket);
            }
            worker::Effect::Notice(worker::Notice::LinkLost { why, .. }) => {
                self.world.note("link lost at worker", self.index, 0, 0);
                self.world.check_loss(why);
            }
            worker::Effect::Notice(_) | worker::Effect::Ports { .. } => {}
        }
    }
}

impl World {
    pub(crate) fn wake_ingress_reader(&mut self, source: usize) {
        let state = &mut self.sources[source];
        if state.is_open() && state.is_resumed && !state.is_reading && state.has_something_to_read() {
            state.is_reading = true;
            self.soon(20, Event::IngressReads(source));
        }
    }
}
