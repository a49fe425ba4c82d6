//! What Linux says of a process from outside: descriptors, memory, processor time, connections.
//!
//! The connections tell which worker holds a session without asking the worker.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};

/// Open file descriptors of `pid`.
pub(crate) fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Resident memory of `pid`, in bytes.
pub(crate) fn resident_bytes(pid: i32) -> u64 {
    bytes_of(pid, "VmRSS:")
}

/// The most that it ever was.
pub(crate) fn peak_bytes(pid: i32) -> u64 {
    bytes_of(pid, "VmHWM:")
}

fn bytes_of(pid: i32, begin: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let row = status.lines().find_map(|row| row.strip_prefix(begin));
    let kilobytes = row.and_then(|row| row.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// Processor time `pid` has used, in ticks of a hundredth of a second.
pub(crate) fn processor_ticks(pid: i32) -> u64 {
    let fields = stat_fields(pid);
    // Fields 14 and 15 of proc(5); the two before the state are cut off here.
    let ticks =
        |at: usize| fields.get(at - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    ticks(14) + ticks(15)
}

/// How often the first thread of `pid` has gone to sleep.
#[allow(dead_code, reason = "the scenarios do not ask")]
pub(crate) fn waits(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

/// Whether `pid` is stopped by a signal.
pub(crate) fn is_stopped(pid: i32) -> bool {
    stat_fields(pid).first().is_some_and(|state| state == "T")
}

/// The near ends of the established TCP connections of `pid` to `address`, in the network it is in.
pub(crate) fn connections_to(pid: i32, address: SocketAddr) -> Vec<SocketAddr> {
    let sockets = socket_inodes(pid);
    let table = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let tables = [table("tcp"), table("tcp6")].concat();
    tables.lines().filter_map(|row| near_end(row, address, &sockets)).collect()
}

fn stat_fields(pid: i32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; what follows the last one may not.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(str::to_owned).collect()
}

fn socket_inodes(pid: i32) -> HashSet<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return HashSet::new() };
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// The local address in a row of the table, if it is an established connection of ours to `address`.
fn near_end(row: &str, address: SocketAddr, sockets: &HashSet<String>) -> Option<SocketAddr> {
    const LOCAL: usize = 1;
    const REMOTE: usize = 2;
    const STATE: usize = 3;
    const INODE: usize = 9;
    let fields: Vec<&str> = row.split_whitespace().collect();
    let is_ours = sockets.contains(*fields.get(INODE)?) && fields[STATE] == "01";
    (is_ours && parse_address(fields[REMOTE]) == Some(address)).then(|| parse_address(fields[LOCAL]))?
}

/// `0100007F:1F90` is 127.0.0.1:8080: each word of the address in the machine's byte order, the port in the network's.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let words =
        host.as_bytes().chunks(8).map(|word| u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok());
    let bytes: Vec<u8> =
        words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let host = match <[u8; 4]>::try_from(&*bytes) {
        Ok(bytes) => IpAddr::from(bytes),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&*bytes).ok()?).to_canonical(),
    };
    Some(SocketAddr::from((host, u16::from_str_radix(port, 16).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn a_connection_of_this_process_is_found_by_its_far_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(connections_to(own_pid(), address), []);
        let stream = TcpStream::connect(address).unwrap();
        assert_eq!(connections_to(own_pid(), address), [stream.local_addr().unwrap()]);
        drop(stream);
        assert_eq!(connections_to(own_pid(), address), []);
    }

    #[test]
    fn a_connection_of_a_socket_that_could_speak_ipv6_is_found_by_its_ipv4_address() {
        assert_eq!(parse_address("0100007F:1F90"), "127.0.0.1:8080".parse().ok());
        assert_eq!(parse_address("0000000000000000FFFF00000100007F:1F90"), "127.0.0.1:8080".parse().ok());
        assert_eq!(parse_address("00000000000000000000000001000000:0050"), "[::1]:80".parse().ok());
        assert_eq!(parse_address("local_address"), None);
    }

    #[test]
    fn this_process_has_descriptors_and_memory_and_is_not_stopped() {
        assert!(descriptors(own_pid()) > 2);
        assert!(resident_bytes(own_pid()) > 1 << 20);
        assert!(!is_stopped(own_pid()));
    }
}
