//! How a host is written before a port.

/// An IPv6 address in brackets; anything else as it is.
pub(crate) fn in_brackets(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::in_brackets;

    #[test]
    fn only_what_has_colons_is_put_in_brackets() {
        for (host, written) in
            [("::1", "[::1]"), ("[::1]", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("a.b", "a.b")]
        {
            assert_eq!(in_brackets(host), written);
        }
    }
}
