//! `pegloom up`: the whole fabric in one process.
//!
//! Each shard is one thread with an ingress and a worker for every destination, joined by inproc sockets on that
//! thread.

use std::{rc::Rc, sync::Arc};

use fanout::Absence;
use ingress::Upkeep;
use proto::id::Incarnation;
use runtime::{
    clock::{Clock, unix_millis},
    event::Events,
    exit::{Exit, Failure},
    node::{Leaving, Node},
    publish::{Audience, default_node_name, node_name, publish},
    report::Report,
    settings::{Destination, Environment, Route, RouteArgs, Settings},
    shard::{Commands, Shard, Tenant, attend, run_local},
    signals::Signals,
    telemetry::{self, LogArgs},
    zeromq::{Context, Router},
};
use stats_node::{Office, Shown};
use tokio::{select, sync::mpsc, task::JoinSet};
use tracing::error;

use crate::collector::{Collector, LastWords};

/// Events of all shards that may wait to be taken to the desk.
const EVENTS_WAITING: usize = 1024;

/// Flags of `pegloom up`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub routes: RouteArgs,

    /// Where to publish reports and events: where a stats-node listens, `tcp://HOST:PORT`
    #[arg(long, value_name = "ENDPOINT")]
    pub stats: Option<String>,

    /// What this node calls itself in reports, the same after a restart; its host and first port if not given
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    pub node: Option<String>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub shown: Shown,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub log: LogArgs,
}

/// Runs `pegloom up`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log)?;
    let settings = Settings::load(&args.routes, &Environment::of_process())?;
    run_local(serve(settings, args)).map_err(Failure::cannot_start)?
}

async fn serve(settings: Settings, args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let mut office = Office::open("up", &args.shown)?;
    let (tap, events) = mpsc::channel(EVENTS_WAITING);
    let audience = Audience { endpoint: args.stats.clone(), tap: Some(tap) };
    let publishing = Publishing { audience, node: args.node.clone() };
    let mut fabric = Fabric::start(settings, publishing)?;
    let collector = Rc::new(Collector::new(&office, fabric.incarnation));
    let mut tasks = JoinSet::new();
    office.start(&mut tasks)?;
    let (regular, shards) = (Rc::clone(&collector), fabric.node.shards().to_vec());
    tasks.spawn_local(async move { regular.run(&shards).await });
    let overhearing = Rc::clone(&collector);
    tasks.spawn_local(async move { overhearing.overhear(events).await });
    let serving = fabric.node.serve_with(&mut signals, async |shards: &[Shard]| collector.line(shards).await);
    let exit = select! {
        exit = serving => exit,
        never = fabric.upkeep.run() => match never {},
    };
    fabric.upkeep.settle().await;
    collector.hear_last_words(fabric.last_words).await;
    office.close().await;
    Ok(exit)
}

/// Who hears reports and events, and under which name.
#[derive(Clone, Debug, Default)]
pub struct Publishing {
    /// Who hears them.
    pub audience: Audience,
    /// After the host and the port of the first route, if there is none.
    pub node: Option<String>,
}

/// A running fabric.
pub struct Fabric {
    /// Its shards.
    pub node: Node,
    /// Where its routes listen.
    pub addresses: Arc<[String]>,
    /// Which start of it this is.
    pub incarnation: Incarnation,
    /// What routes of `http://` need besides.
    pub upkeep: Upkeep,
    /// What its shards have counted when they end.
    pub last_words: mpsc::Receiver<(u16, Report)>,
}

impl Fabric {
    /// Binds the listeners and starts the shards.
    pub fn start(settings: Settings, publishing: Publishing) -> Result<Self, Failure> {
        let doors = ingress::open_doors(&settings)?;
        let (ended, ends) = mpsc::channel(settings.shards);
        let (says_last, last_words) = mpsc::channel(settings.shards);
        let (settings, addresses) = (Arc::new(settings), Arc::<[String]>::from(doors.addresses));
        let (context, incarnation) = (Context::new(), Incarnation(unix_millis()));
        let first = addresses.first().map_or("", String::as_str);
        let name = publishing.node.unwrap_or_else(|| default_node_name("up", first));
        let absences: Arc<[Absence]> = destinations(&settings).map(|_| Absence::default()).collect();
        let mut shards = Vec::new();
        for (index, listeners) in doors.listeners.into_iter().enumerate() {
            let plan = Plan {
                index: index as u16,
                settings: Arc::clone(&settings),
                addresses: Arc::clone(&addresses),
                absences: Arc::clone(&absences),
                audience: publishing.audience.clone(),
                node: name.clone(),
                says_last: says_last.clone(),
                context: context.clone(),
                incarnation,
                listeners,
            };
            let main = move |commands| plan.run(commands);
            shards.push(
                Shard::start(format!("shard-{index}"), ended.clone(), main).map_err(Failure::cannot_start)?,
            );
        }
        let node = Node::new(shards, ends, settings.grace, Leaving::Abandons);
        Ok(Self { node, addresses, incarnation, upkeep: doors.upkeep, last_words })
    }
}

fn destinations(settings: &Settings) -> impl Iterator<Item = (&Route, &Destination)> {
    settings
        .routes
        .iter()
        .flat_map(|route| route.destinations.iter().map(move |destination| (route, destination)))
}

/// What one shard is made of.
struct Plan {
    index: u16,
    settings: Arc<Settings>,
    addresses: Arc<[String]>,
    /// By destination, in the order of the settings.
    absences: Arc<[Absence]>,
    audience: Audience,
    /// What it is called in reports.
    node: String,
    says_last: LastWords,
    context: Context,
    incarnation: Incarnation,
    listeners: Vec<ingress::Listener>,
}

impl Plan {
    async fn run(mut self, commands: Commands) {
        let events = Events::new(self.audience.is_there());
        let (tenant, mut tasks) = match self.furnish(&events) {
            Ok(furnished) => furnished,
            Err(error) => return error!(%error, "a shard cannot start"),
        };
        let (node, published) = (self.node, Rc::clone(&tenant));
        tasks.spawn_local(publish(
            self.context,
            self.audience,
            node,
            self.incarnation,
            self.index,
            events,
            move || published.report(),
        ));
        attend(commands, &*tenant).await;
        // There is room for one of each shard.
        let _ = self.says_last.try_send((self.index, tenant.report()));
    }

    /// An ingress, a worker for every destination, and the links between them.
    fn furnish(
        &mut self,
        events: &Events,
    ) -> Result<(Rc<ReportingShard>, JoinSet<()>), Box<dyn std::error::Error>> {
        let (settings, clock) = (Arc::clone(&self.settings), Clock::start());
        let endpoint = format!("inproc://shard-{}-{}", self.index, self.incarnation.0);
        let router = Router::bind(&self.context, &endpoint)?;
        let ingress = ingress::Shard::new(&settings, self.incarnation, true, router, events.clone(), clock);
        let mut tasks = JoinSet::new();
        let mut workers = Vec::new();
        for ((route, destination), absence) in destinations(&settings).zip(&*self.absences) {
            let machine = fanout::machine(route, destination, "local".to_owned(), self.incarnation);
            let (address, context) = (destination.address.clone(), self.context.clone());
            let ears = fanout::Ears { absence: absence.clone(), events: events.clone() };
            let worker = fanout::Shard::new(machine, address, context, true, ears, clock);
            worker.start(&mut tasks);
            worker.dial(&endpoint)?;
            workers.push(worker);
        }
        ingress.start(std::mem::take(&mut self.listeners), &mut tasks)?;
        Ok((
            Rc::new(ReportingShard { ingress, workers, settings, addresses: Arc::clone(&self.addresses) }),
            tasks,
        ))
    }
}

/// A shard, and what its report needs.
struct ReportingShard {
    ingress: Rc<ingress::Shard>,
    workers: Vec<Rc<fanout::Shard>>,
    settings: Arc<Settings>,
    addresses: Arc<[String]>,
}

impl Tenant for ReportingShard {
    fn drain(&self) {
        self.ingress.drain();
    }

    fn leave(&self) {}

    fn is_idle(&self) -> bool {
        self.ingress.is_idle()
            && self.workers.iter().all(|worker| worker.look(proto::worker::Worker::is_idle))
    }

    fn report(&self) -> Report {
        let mut report = ingress::report("up", &self.ingress, &self.settings, &self.addresses);
        let destinations = report.routes.iter_mut().flat_map(|route| &mut route.destinations);
        for (destination, worker) in destinations.zip(&self.workers) {
            destination.is_away = worker.is_away();
            destination.refusals = Some(worker.look(|machine| machine.counters().refusals));
        }
        report
    }
}
