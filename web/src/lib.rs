//! HTTP in front of the fabric.
//!
//! `cache` answers what it may without asking a server. It knows neither the fabric nor the settings' words: it is given a
//! value, requests, replies and the time.

pub mod cache;
