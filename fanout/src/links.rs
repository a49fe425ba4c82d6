//! The DEALERs of one worker shard: one an ingress shard.
//!
//! An ingress is dialled at the endpoint it was named by; its WELCOME names all its shards, and each is dialled too:
//! over tcp at its port of the same host, over ipc at the same path with its number behind.

use std::rc::Rc;

use proto::id::LinkIndex;
use runtime::zeromq::{Context, Dealer, Error, PeerId};

struct Dialled {
    endpoint: String,
    dealer: Rc<Dealer>,
    /// From a WELCOME; what its own WELCOME says is known already.
    is_learned: bool,
}

pub(crate) struct Links {
    context: Context,
    dialled: Vec<Dialled>,
    /// Endpoints learned and not dialled yet.
    learned: Vec<String>,
}

impl Links {
    pub(crate) fn new(context: Context) -> Self {
        Self { context, dialled: Vec::new(), learned: Vec::new() }
    }

    /// Connects a DEALER under a routing id of its own.
    pub(crate) fn dial(&mut self, endpoint: &str, is_learned: bool) -> Result<Rc<Dealer>, Error> {
        let identity = PeerId::ours(fastrand::u64(..));
        let dealer = Rc::new(Dealer::connect(&self.context, endpoint, identity.as_bytes())?);
        self.dialled.push(Dialled { endpoint: endpoint.to_owned(), dealer: Rc::clone(&dealer), is_learned });
        Ok(dealer)
    }

    pub(crate) fn send(&self, link: LinkIndex, batch: Vec<u8>) -> bool {
        self.dialled.get(link.0 as usize).is_some_and(|dialled| dialled.dealer.try_send(batch).is_ok())
    }

    /// The ingress behind `link` has shards at these ports, or of these numbers.
    pub(crate) fn learn(&mut self, link: LinkIndex, ports: &[u16]) {
        let Some(named) = self.dialled.get(link.0 as usize).filter(|dialled| !dialled.is_learned) else {
            return;
        };
        let endpoints: Vec<_> =
            ports.iter().filter_map(|&port| shard_endpoint(&named.endpoint, port)).collect();
        for endpoint in endpoints {
            let is_dialled = self.dialled.iter().any(|dialled| dialled.endpoint == endpoint);
            if !is_dialled && !self.learned.contains(&endpoint) {
                self.learned.push(endpoint);
            }
        }
    }

    pub(crate) fn take_learned(&mut self) -> Vec<String> {
        std::mem::take(&mut self.learned)
    }
}

/// Where the shard is that a WELCOME from `named` calls `port`.
fn shard_endpoint(named: &str, port: u16) -> Option<String> {
    if let Some((host, _)) = named.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':')) {
        return Some(format!("tcp://{host}:{port}"));
    }
    let path = named.strip_prefix("ipc://")?;
    Some(if port == 0 { named.to_owned() } else { format!("ipc://{path}-{port}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_port_of_the_same_host_or_a_number_behind_the_same_path() {
        assert_eq!(shard_endpoint("tcp://10.0.0.1:7100", 7101).unwrap(), "tcp://10.0.0.1:7101");
        assert_eq!(shard_endpoint("tcp://[::1]:7100", 7101).unwrap(), "tcp://[::1]:7101");
        assert_eq!(shard_endpoint("ipc:///run/link", 0).unwrap(), "ipc:///run/link");
        assert_eq!(shard_endpoint("ipc:///run/link", 1).unwrap(), "ipc:///run/link-1");
        assert_eq!(shard_endpoint("inproc://shard", 1), None);
    }
}
