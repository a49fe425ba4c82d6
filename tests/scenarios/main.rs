//! What a user would see, tried on real processes and real sockets.
//!
//! Each scenario reads like the requirement and runs in every shape the fabric has: one process, ipc, tcp. The ones
//! about replicas and the link's port need workers of their own and run over tcp.

#![allow(clippy::unwrap_used, reason = "a panic is how a scenario fails")]

#[path = "../harness/mod.rs"]
mod harness;

mod asks;
mod chat_bad_input;
mod chat_classic;
mod chat_crowd;
mod chat_fabric;
mod chat_mesh;
mod chat_p2p;
mod chat_returning;
mod chat_room;
mod chat_terminal;
mod cluster;
mod delivery;
mod ending;
mod environment;
mod events;
mod foo;
mod foo_recovery;
mod foo_statistics;
mod hosts;
mod http_balance;
mod http_bytes;
mod http_cache;
mod http_disk;
mod http_ends;
mod http_faults;
mod http_framing;
mod http_limits;
mod http_log;
mod http_mirror;
mod http_nginx;
mod http_routes;
mod http_shown;
mod lifecycle;
mod link_port;
mod outages;
mod page;
mod pressure;
mod replicas;
mod replies;
mod statistics;
mod top;
mod udp;
mod unnamed;
mod zombies;

/// Makes three tests of each scenario: `scenario::inproc`, `scenario::ipc` and `scenario::tcp`.
macro_rules! in_every_shape {
    ($($scenario:ident),+ $(,)?) => {
        $(mod $scenario {
            use crate::harness::Shape;

            #[test]
            fn inproc() {
                super::$scenario(Shape::Inproc);
            }

            #[test]
            fn ipc() {
                super::$scenario(Shape::Ipc);
            }

            #[test]
            fn tcp() {
                super::$scenario(Shape::Tcp);
            }
        })+
    };
}
use in_every_shape;
