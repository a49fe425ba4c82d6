//! What the scenarios are written with: a fabric of real processes, destinations to forward to and sources that talk.
//!
//! Reading order: [`Fabric`] starts the same route in one of three shapes; [`Destination`] is what it forwards to and
//! records every byte it was given; [`Source`] is a device, [`Talker`] one that does not stop talking, [`Browser`] what a person looks with. Everything here
//! waits by asking again until a deadline ([`eventually`]), and prints the processes' logs when a test fails.
//! It knows pegloom by its command line, its log lines, its reports and its events only; those a listener hears that is
//! arranged for in a [`Meeting`].

mod browser;
pub(crate) mod chat;
mod client;
mod datagrams;
mod destination;
mod fabric;
mod foo;
mod hosts;
mod http;
mod listener;
mod nginx;
mod numbered;
mod peer;
mod process;
mod procfs;
mod report;
mod source;
mod talker;
mod terminal;
mod wait;
mod web;

pub(crate) use browser::Browser;
pub(crate) use client::{Client, Reply, get, request as web_request};
pub(crate) use datagrams::{DatagramDestination, DatagramSource};
pub(crate) use destination::Destination;
pub(crate) use fabric::{Fabric, Plan, Shape};
pub(crate) use foo::{FooClient, answer_to, foo_server, never_closing_foo_server, next_request, request};
pub(crate) use hosts::{Network, here};
pub(crate) use http::{ask, ask_by, follow};
pub(crate) use listener::Meeting;
pub(crate) use nginx::Nginx;
pub(crate) use numbered::{assert_each_follows, assert_rises, lines, numbers};
pub(crate) use peer::{End, Peer, Record};
pub(crate) use process::Process;
pub(crate) use report::{Report, Volume};
pub(crate) use source::Source;
pub(crate) use talker::{Talker, expect_all_answered};
pub(crate) use terminal::Terminal;
pub(crate) use wait::{PATIENCE, always_for, eventually, eventually_some, eventually_within, settles, since};
pub(crate) use web::{Asked, Then, WebServer, ok, read_body, reply};
