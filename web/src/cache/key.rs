//! What a request is for, as the cache tells resources apart: `http://host/target`, in the one spelling.
//!
//! Host names are in lower case and without the scheme's own port. The target is kept as it was sent: nothing is decoded, no
//! dots are followed, and the query belongs to it. A host that could be taken for a part of a target has no key.

use std::{borrow::Borrow, fmt, sync::Arc};

use http::{HeaderMap, Uri, header::HOST, request::Parts};

/// The name of a resource.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// What `request` is for; none if it names no host that could be one.
    pub fn of(request: &Parts) -> Option<Self> {
        spell(request).map(|text| Self(text.into()))
    }

    /// What `url` names: absolute, as `http://host/target`.
    pub fn of_url(url: &Uri) -> Option<Self> {
        let scheme = url.scheme_str()?.to_ascii_lowercase();
        spell_parts(&scheme, url.authority()?.as_str(), target(url)).map(|text| Self(text.into()))
    }

    /// The same host, another target or none: what `Location: /a` means to who got it with this key.
    pub(crate) fn beside(&self, location: &str) -> Option<Self> {
        let there = if location.starts_with('/') && !location.starts_with("//") {
            format!("{}{location}", self.origin())
        } else {
            location.to_owned()
        };
        let key = Self::of_url(&there.parse().ok()?)?;
        (key.origin() == self.origin()).then_some(key)
    }

    /// `http://host`.
    fn origin(&self) -> &str {
        let host = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0[host..].find('/').map_or(self.0.len(), |at| host + at);
        &self.0[..end]
    }

    /// The name, as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that was written down.
    pub(crate) fn recall(text: String) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The beginning of keys that a purge is for, in the one spelling; none if it has no host.
pub(crate) fn spell_prefix(prefix: &str) -> Option<String> {
    let (scheme, rest) = prefix.split_once("://")?;
    let Some(slash) = rest.find('/') else {
        let is_host = !rest.is_empty() && rest.bytes().all(is_of_host);
        return is_host.then(|| format!("{scheme}://{rest}").to_ascii_lowercase());
    };
    let (authority, target) = rest.split_at(slash);
    spell_parts(&scheme.to_ascii_lowercase(), authority, target)
}

/// The text of a request's key.
pub(crate) fn spell(request: &Parts) -> Option<String> {
    let scheme = request.uri.scheme_str().unwrap_or("http");
    let authority = match request.uri.authority() {
        Some(authority) => authority.as_str(),
        None => host(&request.headers)?,
    };
    spell_parts(scheme, authority, target(&request.uri))
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

/// The one Host header; a request with several is for nobody.
fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map_or(Some(""), |host| host.to_str().ok());
    if hosts.next().is_some() { None } else { host }
}

fn spell_parts(scheme: &str, authority: &str, target: &str) -> Option<String> {
    if !authority.bytes().all(is_of_host) || !target.starts_with('/') {
        return None;
    }
    let port = if scheme == "https" { ":443" } else { ":80" };
    let host = authority.strip_suffix(port).or(authority.strip_suffix(':')).unwrap_or(authority);
    let mut text = String::with_capacity(scheme.len() + 3 + host.len() + target.len());
    text.push_str(scheme);
    text.push_str("://");
    text.push_str(host);
    text.make_ascii_lowercase();
    text.push_str(target);
    Some(text)
}

/// What a host name, an address or a port is made of. A slash would make one host's target of another's.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn key(target: &str, host: &str) -> Option<String> {
        let (parts, ()) = Request::get(target).header("host", host).body(()).unwrap().into_parts();
        spell(&parts)
    }

    #[test]
    fn hosts_are_spelt_in_one_way_and_targets_as_they_were_sent() {
        assert_eq!(key("/a", "EXAMPLE.org:80").unwrap(), "http://example.org/a");
        assert_eq!(key("http://Example.org/A?Q=1", "other").unwrap(), "http://example.org/A?Q=1");
        assert_eq!(key("/a", "h:8080").unwrap(), "http://h:8080/a");
        assert_eq!(key("/../../etc/passwd", "h").unwrap(), "http://h/../../etc/passwd");
    }

    #[test]
    fn what_differs_has_different_keys() {
        let keys = ["/a/b", "/a_b", "/a/b?", "/a/b?q=1", "/a/b?q=2", "/a%2fb", "/A/b"].map(|at| key(at, "h"));
        for (index, key) in keys.iter().enumerate() {
            assert!(key.is_some() && !keys[index + 1..].contains(key), "{key:?}");
        }
    }

    /// Fails if a host is taken as it is: `h/a` with `/b` would be `h` with `/a/b`.
    #[test]
    fn a_host_that_could_be_a_target_has_no_key() {
        for host in ["h/a", "h?a", "h#a", "user@h", "h a"] {
            assert_eq!(key("/b", host), None, "{host}");
        }
    }

    #[test]
    fn a_location_is_followed_on_its_own_host_only() {
        let key = Key::of_url(&"http://h/a/b".parse().unwrap()).unwrap();

        assert_eq!(key.beside("/c?d").unwrap().as_str(), "http://h/c?d");
        assert_eq!(key.beside("http://H:80/c").unwrap().as_str(), "http://h/c");
        assert_eq!(key.beside("http://other/c"), None);
        assert_eq!(key.beside("//other/c"), None);
    }

    #[test]
    fn a_prefix_is_spelt_as_keys_are() {
        assert_eq!(spell_prefix("HTTP://Host:80/A").unwrap(), "http://host/A");
        assert_eq!(spell_prefix("http://Exa").unwrap(), "http://exa");
        assert_eq!(spell_prefix("/a"), None);
    }
}
