//! The ingress as a process: settings → bind → log addresses → run → drain.
//!
//! `run` is `pegloom ingress` from its flags to its exit code. Every shard is planned here and built on its own thread;
//! link ports are told to workers only when all of them are bound.

use std::{
    error::Error as _,
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    rc::Rc,
    sync::{Arc, mpsc as std_mpsc},
};

use proto::id::Incarnation;
use runtime::{
    clock::{Clock, unix_millis},
    event::Events,
    exit::{Exit, Failure},
    node::{Leaving, Node},
    publish::{Audience, default_node_name, node_name, publish},
    report::Report,
    settings::{Environment, Route, RouteArgs, Settings, Transport},
    shard::{Commands, Shard as Thread, Tenant, attend, run_local},
    signals::Signals,
    tcp,
    telemetry::{self, LogArgs},
    udp,
    zeromq::{Context, Router},
};
use tokio::{
    select,
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tracing::{info, warn};
use web::Site;

use crate::{report::report, shard::Shard, upkeep::Upkeep};

/// Flags of `pegloom ingress`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub routes: RouteArgs,

    /// Where workers link to: `tcp://HOST:PORT` (port 0: any; each further shard takes the next port) or `ipc://PATH`
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:7100")]
    pub bind: String,

    /// Where to publish reports and events: where a stats-node listens, `tcp://HOST:PORT`
    #[arg(long, value_name = "ENDPOINT")]
    pub stats: Option<String>,

    /// What this node calls itself in reports, the same after a restart; its host and first port if not given
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    pub node: Option<String>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub log: LogArgs,
}

/// A route's socket on one shard.
pub enum Listener {
    /// Takes connections.
    Tcp(TcpListener),
    /// Takes datagrams.
    Udp(UdpSocket),
    /// Takes connections that HTTP is spoken on.
    Http(TcpListener, Arc<Site>),
}

/// The sockets of every route, and the addresses they have.
pub struct Doors {
    /// For each shard, a listener a route.
    pub listeners: Vec<Vec<Listener>>,
    /// The address of each route.
    pub addresses: Vec<String>,
    /// What routes of `http://` need besides.
    pub upkeep: Upkeep,
}

/// Binds every route's listener, `settings.shards` times.
pub fn open_doors(settings: &Settings) -> Result<Doors, Failure> {
    let listeners = (0..settings.shards).map(|_| Vec::new()).collect();
    let mut doors = Doors { listeners, addresses: Vec::new(), upkeep: Upkeep::open(settings)? };
    for route in &settings.routes {
        let site = Site::open(route, settings.data_dir.as_deref(), doors.upkeep.access_log.clone())
            .map_err(|error| Failure::cannot(format!("serve {}", route.listen), error, "another data_dir"))?;
        doors.upkeep.sites.extend(site.clone());
        let (sockets, address) = bind(route, site.as_ref(), settings.shards).map_err(|error| {
            Failure::cannot(
                format!("listen on {}", route.listen),
                error,
                "another port, or end what holds this one",
            )
        })?;
        for (of_shard, socket) in doors.listeners.iter_mut().zip(sockets) {
            of_shard.push(socket);
        }
        doors.addresses.push(address.to_string());
    }
    for (route, address) in settings.routes.iter().zip(&doors.addresses) {
        let transport = route.listen.transport.name();
        info!(route = route.name, transport, address, codec = %route.codec, destinations = route.destinations.len(), "listening");
    }
    Ok(doors)
}

fn bind(route: &Route, site: Option<&Arc<Site>>, shards: usize) -> io::Result<(Vec<Listener>, SocketAddr)> {
    let address = &route.listen;
    Ok(match address.transport {
        Transport::Tcp | Transport::Http => {
            let bound = tcp::listen(address, shards)?;
            let listener = |socket| match site {
                Some(site) => Listener::Http(socket, Arc::clone(site)),
                None => Listener::Tcp(socket),
            };
            (bound.sockets.into_iter().map(listener).collect(), bound.address)
        }
        Transport::Udp => {
            let bound = udp::listen(address, shards)?;
            (bound.sockets.into_iter().map(Listener::Udp).collect(), bound.address)
        }
    })
}

/// Runs `pegloom ingress`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log)?;
    let settings = Arc::new(Settings::load(&args.routes, &Environment::of_process())?);
    run_local(serve(settings, args)).map_err(Failure::cannot_start)?
}

async fn serve(settings: Arc<Settings>, args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let doors = open_doors(&settings)?;
    let (ended, ends) = mpsc::channel(settings.shards);
    let (context, incarnation, addresses) =
        (Context::new(), Incarnation(unix_millis()), Arc::<[String]>::from(doors.addresses));
    let first = addresses.first().map_or("", String::as_str);
    let node = args.node.clone().unwrap_or_else(|| default_node_name("ingress", first));
    let (mut shards, mut links) = (Vec::new(), Vec::new());
    for (index, listeners) in doors.listeners.into_iter().enumerate() {
        let (bound, bounds) = std_mpsc::sync_channel(1);
        let (ports, known_ports) = oneshot::channel();
        let plan = Plan {
            index: index as u16,
            settings: Arc::clone(&settings),
            addresses: Arc::clone(&addresses),
            endpoint: endpoint_of(&args.bind, index),
            stats: args.stats.clone(),
            node: node.clone(),
            context: context.clone(),
            incarnation,
            listeners,
        };
        let main = move |commands| plan.run(commands, bound, known_ports);
        shards.push(
            Thread::start(format!("ingress-{index}"), ended.clone(), main).map_err(Failure::cannot_start)?,
        );
        let endpoint = bounds.recv().unwrap_or_else(|_| Err("its shard has ended".to_owned()));
        links.push((endpoint.map_err(|error| cannot_bind(&args.bind, index, error))?, ports));
    }
    tell_ports(links);
    let mut node = Node::new(shards, ends, settings.grace, Leaving::Abandons);
    let exit = select! {
        exit = node.serve(&mut signals) => exit,
        never = doors.upkeep.run() => match never {},
    };
    doors.upkeep.settle().await;
    Ok(exit)
}

fn cannot_bind(bind: &str, index: usize, error: String) -> Failure {
    Failure::cannot(
        format!("bind the link port {}", endpoint_of(bind, index)),
        error,
        "--bind with another port",
    )
}

/// The link endpoint of a shard: each takes the port, or the path, after the one before.
fn endpoint_of(bind: &str, index: usize) -> String {
    let numbered = bind.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
    match numbered.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
        Some((_, 0)) => bind.to_owned(),
        Some((host, port)) => format!("tcp://{host}:{}", usize::from(port) + index),
        None if index == 0 => bind.to_owned(),
        None => format!("{bind}-{index}"),
    }
}

/// What WELCOME calls a shard: its port over tcp, its number over ipc.
fn port_of(index: usize, endpoint: &str) -> Option<u16> {
    match endpoint.strip_prefix("tcp://") {
        Some(address) => address.rsplit_once(':')?.1.parse().ok(),
        None => u16::try_from(index).ok(),
    }
}

/// Every link port is bound: each shard may tell its workers of all of them.
fn tell_ports(links: Vec<(String, oneshot::Sender<Vec<u16>>)>) {
    let ports: Vec<u16> =
        links.iter().enumerate().filter_map(|(index, (endpoint, _))| port_of(index, endpoint)).collect();
    for (endpoint, answer) in links {
        warn_if_exposed(&endpoint);
        info!(endpoint, "link bound");
        // A shard that has ended is found by the node.
        let _ = answer.send(ports.clone());
    }
}

fn warn_if_exposed(endpoint: &str) {
    let is_inside = ["tcp://127.", "tcp://[::1]", "tcp://localhost", "ipc://", "inproc://"];
    if !is_inside.iter().any(|prefix| endpoint.starts_with(prefix)) {
        warn!(endpoint, "links are not encrypted, keep them on a network of your own");
    }
}

/// What one shard is made of.
struct Plan {
    index: u16,
    settings: Arc<Settings>,
    addresses: Arc<[String]>,
    endpoint: String,
    stats: Option<String>,
    node: String,
    context: Context,
    incarnation: Incarnation,
    listeners: Vec<Listener>,
}

impl Plan {
    async fn run(
        self,
        commands: Commands,
        bound: std_mpsc::SyncSender<Result<String, String>>,
        ports: oneshot::Receiver<Vec<u16>>,
    ) {
        let router = match Router::bind(&self.context, &self.endpoint) {
            Ok(router) => router,
            Err(error) => {
                // It names the endpoint, and so will we.
                let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                return drop(bound.send(Err(why)));
            }
        };
        let _ = bound.send(Ok(router.endpoint().to_owned()));
        let events = Events::new(self.stats.is_some());
        let shard =
            Shard::new(&self.settings, self.incarnation, false, router, events.clone(), Clock::start());
        let Ok(ports) = ports.await else { return };
        shard.set_ports(ports);
        let (settings, addresses) = (self.settings, self.addresses);
        let tenant = ReportingShard { shard: Rc::clone(&shard), settings, addresses };
        let mut tasks = JoinSet::new();
        if let Err(error) = shard.start(self.listeners, &mut tasks) {
            return tracing::error!(%error, "a listener cannot be taken over");
        }
        let tenant = Rc::new(tenant);
        let published = Rc::clone(&tenant);
        tasks.spawn_local(publish(
            self.context,
            Audience::at(self.stats),
            self.node,
            self.incarnation,
            self.index,
            events,
            move || published.report(),
        ));
        attend(commands, &*tenant).await;
    }
}

/// A shard, and what its report needs.
struct ReportingShard {
    shard: Rc<Shard>,
    settings: Arc<Settings>,
    addresses: Arc<[String]>,
}

impl Tenant for ReportingShard {
    fn drain(&self) {
        self.shard.drain();
    }

    fn leave(&self) {}

    fn is_idle(&self) -> bool {
        self.shard.is_idle()
    }

    fn report(&self) -> Report {
        report("ingress", &self.shard, &self.settings, &self.addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_bind_consecutive_ports_and_paths() {
        assert_eq!(endpoint_of("tcp://127.0.0.1:7100", 2), "tcp://127.0.0.1:7102");
        assert_eq!(endpoint_of("tcp://127.0.0.1:0", 2), "tcp://127.0.0.1:0");
        assert_eq!(endpoint_of("ipc:///run/pegloom", 0), "ipc:///run/pegloom");
        assert_eq!(endpoint_of("ipc:///run/pegloom", 1), "ipc:///run/pegloom-1");
    }
}
