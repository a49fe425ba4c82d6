//! What goes between the processes of a chat, and nothing of what it means there.
//!
//! `p2p` is what two say on a line, `mesh` what the members of a mesh say, `room` the dialect of our own between members and
//! rooms, `classic` the one of simple clients. Which one a frame is in, its first byte tells: classic frames are objects of
//! JSON, ours are arrays of MessagePack. Decoding is total: any bytes give a frame or an error, and never more memory than
//! a small multiple of their length.

pub mod classic;
#[cfg(test)]
mod mangled;
pub mod mesh;
pub(crate) mod p2p;
pub mod room;
