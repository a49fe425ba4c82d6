//! What a worker calls itself where nobody says: the same after a restart, so that it takes up its sessions and is no stale
//! node beside itself; and never what another worker on this host is called, for a later start would take its sessions over.
//!
//! It is the host, the route, the destination and, from the second on, a number. Whoever is called so holds a socket of that
//! name, which the kernel frees however the process ends. Sockets of that kind are of a network namespace: where hosts
//! share a name but no network, or cannot tell their name, give workers one with `--worker`.

use std::{
    fs, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
};

/// Workers of a destination on one host that get a name of this kind.
const MAX_NUMBER: u32 = 1024;
/// Bytes before the number. With it, and a shard's, the link takes the name (128 bytes), and a socket does (108).
const MAX_PLACE: usize = 90;

/// A name, and what keeps others on this host from taking it.
#[derive(Debug)]
pub(crate) struct Name {
    text: String,
    _hold: Option<UnixDatagram>,
}

impl Name {
    /// The one that was given.
    pub(crate) fn given(text: String) -> Self {
        Self { text, _hold: None }
    }

    /// The first that nobody on this host has, for a worker of `destination`, which is `ROUTE/NAME`.
    pub(crate) fn free(destination: &str) -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        if ["", "localhost", "(none)"].contains(&host) {
            return Self::given(of_process("fanout", destination));
        }
        Self::free_at(host, destination)
    }

    fn free_at(host: &str, destination: &str) -> Self {
        let place = place(host, destination);
        for number in 1..=MAX_NUMBER {
            let text = if number == 1 { place.clone() } else { format!("{place}:{number}") };
            match hold(&text) {
                Ok(hold) => return Self { text, _hold: Some(hold) },
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(_) => break,
            }
        }
        Self::given(of_process(host, destination))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Cut where it is too long. Two destinations may then share one, and get numbers in the order they are started.
fn place(host: &str, destination: &str) -> String {
    let mut place = format!("{host}:{destination}");
    while place.len() > MAX_PLACE {
        place.pop();
    }
    place
}

/// Another one after each start, where nothing better can be had.
fn of_process(host: &str, destination: &str) -> String {
    format!("{}:pid-{}", place(host, destination), process::id())
}

fn hold(name: &str) -> io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(format!("pegloom {name}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of this test, among all that run on this machine.
    fn host(test: &str) -> String {
        format!("{test}-{}", process::id())
    }

    #[test]
    fn a_name_is_the_same_after_a_restart() {
        let host = host("again");
        let first = Name::free_at(&host, "main/primary");
        assert_eq!(first.as_str(), format!("{host}:main/primary"));
        drop(first);
        assert_eq!(Name::free_at(&host, "main/primary").as_str(), format!("{host}:main/primary"));
    }

    /// Fails if two workers that live at once can take each other's sessions over.
    #[test]
    fn no_two_that_live_share_one() {
        let host = host("both");
        let mut names: Vec<_> = (0..3).map(|_| Name::free_at(&host, "main/primary")).collect();
        let texts: Vec<_> = names.iter().map(|name| name.as_str().to_owned()).collect();
        let plain = format!("{host}:main/primary");
        assert_eq!(texts, [plain.clone(), format!("{plain}:2"), format!("{plain}:3")]);
        assert_eq!(Name::free_at(&host, "main/mirror").as_str(), format!("{host}:main/mirror"));

        names.remove(1);
        assert_eq!(Name::free_at(&host, "main/primary").as_str(), format!("{plain}:2"));
    }

    #[test]
    fn names_that_are_too_long_for_the_link_are_cut_and_still_nobody_elses() {
        let long = |name: &str| format!("{}/{name}", "r".repeat(MAX_PLACE));
        let host = host("long");
        let names = ["primary", "mirror"].map(|name| Name::free_at(&host, &long(name)));
        let [first, second] = names.each_ref().map(Name::as_str);
        assert_eq!((first.len(), second), (MAX_PLACE, format!("{first}:2").as_str()));
    }
}
