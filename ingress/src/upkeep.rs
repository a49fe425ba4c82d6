//! What routes of `http://` need of their process beside the shards: the access log, caches to settle, an admin port.
//!
//! It is held by who runs the process, and knows no shard.

use std::{convert::Infallible, future::pending, net::TcpListener, sync::Arc};

use runtime::{
    exit::Failure,
    settings::{AccessLogFormat, Listen, Settings},
    tcp,
};
use tracing::{info, warn};
use web::{
    Site,
    access_log::{AccessLog, Format},
};

use crate::admin;

const THIS_MACHINE: &str = "127.0.0.1";

/// The access log, the sites, and where they are looked after.
pub struct Upkeep {
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) sites: Vec<Arc<Site>>,
    admin: Option<TcpListener>,
}

impl Upkeep {
    /// Opens the access log, and binds the admin port.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Failure> {
        let admin = settings.admin.as_ref().map(bind).transpose()?;
        Ok(Self { access_log: access_log(settings)?, sites: Vec::new(), admin })
    }

    /// Follows the access log's name at SIGHUP and serves the admin port, for ever.
    pub async fn run(&self) -> Infallible {
        let log = async {
            match &self.access_log {
                Some(log) => log.follow().await,
                None => pending().await,
            }
        };
        let admin = async {
            match &self.admin {
                Some(listener) => admin::serve(listener, self.sites.clone()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            never = log => never,
            never = admin => never,
        }
    }

    /// Waits until files have what they are to have.
    pub async fn settle(&self) {
        for site in &self.sites {
            site.settle().await;
        }
        if let Some(log) = &self.access_log {
            log.settle().await;
        }
    }
}

/// The file that gets a line for each request, if there is to be one.
fn access_log(settings: &Settings) -> Result<Option<AccessLog>, Failure> {
    let Some(path) = &settings.access_log else { return Ok(None) };
    let format = match settings.access_log_format {
        AccessLogFormat::Text => Format::Text,
        AccessLogFormat::Json => Format::Json,
    };
    let opened = AccessLog::open(path, format).map_err(|error| {
        let what = format!("write the access log {}", path.display());
        Failure::cannot(what, error, "a folder that is there and may be written to")
    });
    // The thread that writes ends with the process; what it has is settled before that.
    opened.map(|(log, _)| Some(log))
}

fn bind(address: &Listen) -> Result<TcpListener, Failure> {
    let host = address.host.clone().unwrap_or_else(|| THIS_MACHINE.to_owned());
    let address = Listen { host: Some(host), ..address.clone() };
    let mut bound = tcp::listen(&address, 1).map_err(|error| {
        let advice = "--admin with another port, or end what holds this one";
        Failure::cannot(format!("listen on {address}"), error, advice)
    })?;
    if !bound.address.ip().is_loopback() {
        warn!(address = %bound.address, "caches can be purged by whoever can reach this address");
    }
    info!(address = %bound.address, "caches can be purged");
    Ok(bound.sockets.remove(0))
}
