//! Which ingresses a worker dials.
//!
//! A host name may mean several machines (a headless service): each of its addresses is an ingress. Names are looked up
//! again while running, so that ingresses can come; those that go are simply never heard of again.

use std::{collections::BTreeSet, net::SocketAddr, rc::Rc, time::Duration};

use tokio::{net::lookup_host, time::sleep};
use tracing::{info, warn};

use crate::shard::Shard;

/// Names are looked up this often.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Dials an ingress, and whatever else its name comes to mean.
pub(crate) async fn dial(shard: Rc<Shard>, endpoint: String) {
    let name = endpoint.strip_prefix("tcp://").filter(|address| address.parse::<SocketAddr>().is_err());
    let Some(name) = name else { return dial_one(&shard, &endpoint) };
    let mut known = BTreeSet::new();
    let mut was_found = true;
    loop {
        match lookup_host(name).await {
            Ok(addresses) => {
                for address in addresses.filter(|address| known.insert(*address)).collect::<Vec<_>>() {
                    dial_one(&shard, &format!("tcp://{address}"));
                }
                was_found = true;
            }
            Err(error) if was_found => {
                warn!(ingress = name, %error, "cannot look up the ingress, trying on");
                was_found = false;
            }
            Err(_) => {}
        }
        sleep(LOOK_UP).await;
    }
}

fn dial_one(shard: &Rc<Shard>, endpoint: &str) {
    match shard.dial(endpoint) {
        Ok(()) => info!(endpoint, "dialling ingress"),
        Err(error) => warn!(endpoint, %error, "cannot dial the ingress"),
    }
}
