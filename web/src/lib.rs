//! HTTP/1.1, as pegloom ends it in front of balanced routes.
//!
//! [`heads`] refuses requests that can be understood in two ways, [`forwarding`] makes of a head what is passed on.

pub mod forwarding;
pub mod heads;
