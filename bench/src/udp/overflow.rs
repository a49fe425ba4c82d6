//! Datagrams the kernel threw away because a socket's buffer was full, from /proc/net/udp.

use std::fs;

use anyhow::{Context, Result};

const TABLE: &str = "/proc/net/udp";

/// Of all sockets bound to a port.
pub(crate) fn of(port: u16) -> Result<u64> {
    let table = fs::read_to_string(TABLE).with_context(|| format!("cannot read {TABLE}"))?;
    parse(&table, port).with_context(|| format!("{TABLE} has an unknown form"))
}

/// Field 2 is the local address in hexadecimal, the last one the drops.
fn parse(table: &str, port: u16) -> Option<u64> {
    let mut drops = 0;
    for line in table.lines().skip(1) {
        let mut fields = line.split_whitespace();
        let (_, local) = fields.nth(1)?.rsplit_once(':')?;
        if u16::from_str_radix(local, 16).ok()? == port {
            drops += fields.next_back()?.parse::<u64>().ok()?;
        }
    }
    Some(drops)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  412: 0100007F:9C3F 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 61209 2 0000000000000000 17
  413: 0100007F:9C40 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 61210 2 0000000000000000 5
  414: 0100007F:9C3F 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 61211 2 0000000000000000 3
";

    #[test]
    fn drops_are_added_over_the_sockets_of_a_port() {
        assert_eq!(parse(TABLE, 0x9c3f), Some(20));
        assert_eq!(parse(TABLE, 1), Some(0));
        assert_eq!(parse("heading\nnonsense\n", 1), None);
    }
}
