//! Names for things. Each id is a type of its own, `Copy`, and prints short.
//!
//! None can be taken for another, and none holds what it names: that is looked up, and may be gone by then.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A session of one ingress shard: a slot in the low 32 bits, the slot's generation in the high ones.
    SessionId(u64), "s"
);
id!(
    /// Which connection to a destination, from 1. Every new connection of a session's lane has a larger one.
    Attempt(u32), "a"
);
id!(
    /// Which greeting of a link a batch belongs to.
    Epoch(u64), "e"
);
id!(
    /// A start of a process: larger for a later start under the same name.
    Incarnation(u64), "i"
);
id!(
    /// The random part of a DEALER's routing id: who a batch came from.
    Peer(u64), "p"
);
id!(
    /// A route, by its place in the settings.
    RouteIndex(u16), "r"
);
id!(
    /// A destination, by its place in its route. The first is the primary.
    DestinationIndex(u16), "d"
);
id!(
    /// A server of a balanced route, by its place in its route.
    ServerIndex(u16), "v"
);
id!(
    /// A link of one worker shard, by the order it was dialled in.
    LinkIndex(u16), "l"
);
id!(
    /// A connection of one worker shard to its destination: a slot and its generation.
    ConnectionId(u64), "c"
);

impl DestinationIndex {
    /// The first destination of a route.
    pub const PRIMARY: Self = Self(0);

    /// Whether this is the first destination of its route.
    pub const fn is_primary(self) -> bool {
        self.0 == 0
    }
}
