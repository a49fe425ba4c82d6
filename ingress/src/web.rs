//! Routes of `http://` on this shard: clients' connections, and streams to servers.

use std::{io, rc::Rc};

use proto::id::{RouteIndex, ServerIndex};
use web::Front;

use crate::{shard::Shard, stream::Stream};

/// The servers of one route, each by the route of the machine that stands for it.
pub(crate) struct Servers {
    pub(crate) shard: Rc<Shard>,
    pub(crate) first: RouteIndex,
}

impl web::Servers for Servers {
    type Stream = Stream;

    async fn open(&self, server: ServerIndex) -> io::Result<Stream> {
        Stream::open(&self.shard, RouteIndex(self.first.0 + server.0)).await
    }
}

/// One route of them.
pub(crate) type RouteFront = Rc<Front<Servers>>;
