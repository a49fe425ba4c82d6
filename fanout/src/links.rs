//! The DEALERs of one worker shard: one an ingress shard.
//!
//! An ingress is dialled at the address it was named by; its WELCOME names the link ports of all its shards, and each is
//! dialled at the same host.

use std::rc::Rc;

use proto::id::LinkIndex;
use runtime::zeromq::{Context, Dealer, Error};

pub(crate) struct Links {
    context: Context,
    dealers: Vec<(String, Rc<Dealer>)>,
    /// Endpoints learned and not dialled yet.
    learned: Vec<String>,
}

impl Links {
    pub(crate) fn new(context: Context) -> Self {
        Self { context, dealers: Vec::new(), learned: Vec::new() }
    }

    /// Connects a DEALER under a routing id of its own.
    pub(crate) fn dial(&mut self, endpoint: &str) -> Result<Rc<Dealer>, Error> {
        let mut identity = [1; 9];
        identity[1..].copy_from_slice(&fastrand::u64(..).to_be_bytes());
        let dealer = Rc::new(Dealer::connect(&self.context, endpoint, &identity)?);
        self.dealers.push((endpoint.to_owned(), Rc::clone(&dealer)));
        Ok(dealer)
    }

    pub(crate) fn send(&self, link: LinkIndex, batch: &[u8]) -> bool {
        self.dealers.get(link.0 as usize).is_some_and(|(_, dealer)| dealer.try_send(batch).is_ok())
    }

    /// The ingress behind `link` has these ports.
    pub(crate) fn learn(&mut self, link: LinkIndex, ports: &[u16]) {
        let Some((endpoint, _)) = self.dealers.get(link.0 as usize) else { return };
        let Some(host) =
            endpoint.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':')).map(|(host, _)| host)
        else {
            return;
        };
        for port in ports {
            let endpoint = format!("tcp://{host}:{port}");
            if !self.dealers.iter().any(|(known, _)| *known == endpoint) && !self.learned.contains(&endpoint)
            {
                self.learned.push(endpoint);
            }
        }
    }

    pub(crate) fn take_learned(&mut self) -> Vec<String> {
        std::mem::take(&mut self.learned)
    }
}
