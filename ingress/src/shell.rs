//! The hands of the ingress machine: sources' sockets and the ROUTER.
//!
//! Called by the machine while it handles an input, so nothing here calls the machine: what it has to hear is noted and
//! told when the input is done.

use std::rc::{Rc, Weak};

use proto::{
    id::{Peer, SessionId},
    ingress::{Effect, Shell},
};
use runtime::{
    tcp::Endpoint,
    zeromq::{PeerId, Router},
};
use rustc_hash::FxHashMap;

use crate::{log::Log, shard::Shard, stream::Pipe, visitors::Visitors};

pub(crate) struct Hands {
    pub(crate) router: Rc<Router>,
    pub(crate) sources: FxHashMap<SessionId, Endpoint>,
    pub(crate) visitors: Visitors,
    /// Sources that are this process.
    pub(crate) streams: FxHashMap<SessionId, Rc<Pipe>>,
    /// Sources a write to which failed.
    pub(crate) broken: Vec<SessionId>,
    pub(crate) owner: Weak<Shard>,
    pub(crate) log: Log,
}

impl Shell for Hands {
    fn write(&mut self, session: SessionId, bytes: &[u8]) -> usize {
        let (Some(source), Some(owner)) = (self.sources.get(&session), self.owner.upgrade()) else {
            return self.write_inside(session, bytes);
        };
        source.write(bytes, &owner).unwrap_or_else(|_| {
            self.broken.push(session);
            0
        })
    }

    fn write_datagrams(&mut self, session: SessionId, bytes: &[u8], ends: &[u32]) -> usize {
        self.visitors.write(session, bytes, ends)
    }

    fn send(&mut self, peer: Peer, batch: Vec<u8>) -> bool {
        self.router.try_send(PeerId::ours(peer.0), batch).is_ok()
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::PauseSource { session } => self.with(session, Endpoint::pause, Pipe::pause),
            Effect::ResumeSource { session } => self.with(session, Endpoint::resume, Pipe::resume),
            Effect::ShutDownSource { session } => self.with(session, Endpoint::shut_down, Pipe::finish),
            Effect::CloseSource { session, abort } => {
                if abort {
                    self.with(session, Endpoint::abort, |_| {});
                }
                self.sources.remove(&session);
                if let Some(pipe) = self.streams.remove(&session) {
                    pipe.close(abort);
                }
                self.visitors.forget(session);
            }
            Effect::Notice(notice) => self.log.tell(&notice),
        }
    }
}

impl Hands {
    fn write_inside(&mut self, session: SessionId, bytes: &[u8]) -> usize {
        let Some(pipe) = self.streams.get(&session) else { return 0 };
        pipe.write(bytes).unwrap_or_else(|| {
            self.broken.push(session);
            0
        })
    }

    fn with(&self, session: SessionId, act: impl FnOnce(&Endpoint), act_inside: impl FnOnce(&Pipe)) {
        if let Some(source) = self.sources.get(&session) {
            act(source);
        } else if let Some(pipe) = self.streams.get(&session) {
            act_inside(pipe);
        }
    }
}
