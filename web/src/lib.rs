//! HTTP/1.1, as pegloom ends it in front of balanced routes.
//!
//! [`heads`] refuses requests that can be understood in two ways, [`forwarding`] makes of a head what is passed on, and
//! [`places`] limits how many go to servers at once, [`access_log`] writes a line for each request.

pub mod access_log;
pub mod forwarding;
pub mod heads;
pub mod places;
