//! The fanout as a process: settings → dial → run → drain.
//!
//! `run` is `pegloom fanout` from its flags to its exit code: which destination is meant, one worker a shard, and all
//! of them dialling every ingress named.

use std::{rc::Rc, sync::Arc};

use proto::id::Incarnation;
use runtime::{
    clock::{Clock, unix_millis},
    event::Events,
    exit::{Exit, Failure},
    node::{Leaving, Node},
    publish::{Audience, node_name, publish},
    report::Report,
    settings::{Destination, Environment, Route, RouteArgs, Settings},
    shard::{Commands, Shard as Thread, Tenant, attend, run_local},
    signals::Signals,
    telemetry::{self, LogArgs},
    zeromq::Context,
};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::info;

use crate::{
    dialling::dial,
    log::{Absence, Ears},
    name::Name,
    report::report,
    settings::machine,
    shard::Shard,
};

/// Flags of `pegloom fanout`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub routes: RouteArgs,

    /// The destination to serve: its name, or `ROUTE/NAME`; needed where there is more than one
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,

    /// An ingress to link to, `tcp://HOST:PORT` or `ipc://PATH`; a host name means all its addresses
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:7100")]
    pub ingress: Vec<String>,

    /// What this worker calls itself; a later start under the same name takes its sessions over. If not given, its host
    /// and destination, and a number if that is taken on this host
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    pub worker: Option<String>,

    /// Where to publish reports and events: where a stats-node listens, `tcp://HOST:PORT`
    #[arg(long, value_name = "ENDPOINT")]
    pub stats: Option<String>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub log: LogArgs,
}

/// Runs `pegloom fanout`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log)?;
    let mut routes = args.routes.clone();
    if routes.config.is_none() && routes.env.is_none() && !routes.forward.is_empty() {
        // A worker listens nowhere; whatever the ingress listens on is nothing to it.
        routes.listen.get_or_insert_with(|| "tcp://:0".to_owned());
    }
    let settings = Settings::load(&routes, &Environment::of_process())?;
    let (route, destination) = choose(&settings, args.destination.as_deref())?;
    let shards = settings.shards;
    let post = Post {
        absence: Absence::default(),
        route: route.clone(),
        destination: destination.clone(),
        args: args.clone(),
    };
    run_local(serve(Arc::new(post), shards, settings.grace)).map_err(Failure::cannot_start)?
}

/// What every shard of the process serves.
struct Post {
    absence: Absence,
    route: Route,
    destination: Destination,
    args: Args,
}

impl Post {
    /// What it is known by to ingresses: `ROUTE/NAME`.
    fn place(&self) -> String {
        format!("{}/{}", self.route.name, self.destination.name)
    }
}

/// The destination that is meant by `name`, or the only one.
fn choose<'a>(settings: &'a Settings, name: Option<&str>) -> Result<(&'a Route, &'a Destination), Failure> {
    let all = || settings.routes.iter().flat_map(|route| route.destinations.iter().map(move |d| (route, d)));
    let is_meant = |(route, destination): &(&Route, &Destination)| match name {
        Some(name) => name == destination.name || name == format!("{}/{}", route.name, destination.name),
        None => true,
    };
    let meant: Vec<_> = all().filter(is_meant).collect();
    if let [only] = meant[..] {
        return Ok(only);
    }
    let names: Vec<_> =
        all().map(|(route, destination)| format!("{}/{}", route.name, destination.name)).collect();
    let why = match (name, meant.len()) {
        (Some(name), 0) => format!("there is no destination `{name}`"),
        (Some(name), _) => format!("several routes have a destination `{name}`"),
        (None, _) => "there is more than one destination".to_owned(),
    };
    let advice = format!("--destination with one of {}", names.join(", "));
    Err(Failure::cannot("tell which destination to serve", why, advice).as_usage())
}

async fn serve(post: Arc<Post>, shards: usize, grace: std::time::Duration) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let (ended, ends) = mpsc::channel(shards);
    let (context, incarnation) = (Context::new(), Incarnation(unix_millis()));
    let name = post.args.worker.clone().map_or_else(|| Name::free(&post.place()), Name::given);
    let (destination, address) = (&post.destination.name, post.destination.address.to_string());
    info!(worker = name.as_str(), destination, address, "serving");
    let mut threads = Vec::new();
    for index in 0..shards {
        let (post, context) = (Arc::clone(&post), context.clone());
        let name = if shards == 1 { name.as_str().to_owned() } else { format!("{}/{index}", name.as_str()) };
        let main = move |commands| run_shard(post, context, name, incarnation, index as u16, commands);
        threads.push(
            Thread::start(format!("fanout-{index}"), ended.clone(), main).map_err(Failure::cannot_start)?,
        );
    }
    Ok(Node::new(threads, ends, grace, Leaving::HandsOver).serve(&mut signals).await)
}

async fn run_shard(
    post: Arc<Post>,
    context: Context,
    name: String,
    incarnation: Incarnation,
    index: u16,
    commands: Commands,
) {
    let settings = machine(&post.route, &post.destination, name.clone(), incarnation);
    let address = post.destination.address.clone();
    let events = Events::new(post.args.stats.is_some());
    let ears = Ears { absence: post.absence.clone(), events: events.clone() };
    let shard = Shard::new(settings, address, context.clone(), false, ears, Clock::start());
    let mut tasks = JoinSet::new();
    shard.start(&mut tasks);
    for ingress in post.args.ingress.clone() {
        tasks.spawn_local(dial(Rc::clone(&shard), ingress));
    }
    let tenant = Rc::new(ReportingShard { shard, post: Arc::clone(&post) });
    let (audience, published) = (Audience::at(post.args.stats.clone()), Rc::clone(&tenant));
    tasks.spawn_local(publish(context, audience, name, incarnation, index, events, move || {
        published.report()
    }));
    attend(commands, &*tenant).await;
}

/// A shard, and what its report needs.
struct ReportingShard {
    shard: Rc<Shard>,
    post: Arc<Post>,
}

impl Tenant for ReportingShard {
    fn drain(&self) {
        self.shard.drain();
    }

    fn leave(&self) {
        self.shard.leave();
    }

    fn is_idle(&self) -> bool {
        self.shard.look(proto::worker::Worker::is_idle)
    }

    fn report(&self) -> Report {
        report(&self.shard, &self.post.route, &self.post.destination)
    }
}
