//! Copies of requests: a route that replicates answers with what its primary says, and asks its secondaries the same.
//!
//! A copy goes when the primary is being sent the request and the whole of its body has come. What a secondary replies is
//! held against what the primary replied, counted and told, and never reaches a client. Nothing here is waited for by
//! whoever answers: a copy is a task of its own, over connections of its own, and there are so many at most.
//!
//! Reading order: `compare` with `json` (when replies are the same), `gathering` (a body, beside its way), `copying` (from
//! a request to its copies, and to what is made of the replies), `secondary` (what one shard knows of one), `plan` (what
//! the shards share), `telling`.

mod compare;
mod copying;
mod gathering;
mod json;
mod plan;
mod secondary;
mod telling;

pub(crate) use self::{
    compare::{Body, Gathered},
    copying::begin,
    gathering::{Gathering, gather},
    plan::Plan,
    secondary::Secondary,
};
