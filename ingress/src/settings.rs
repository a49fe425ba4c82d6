//! From the settings of the process to those of the machine.
//!
//! The limit of sessions is divided among the shards here, and a secondary's window is made from the primary's; whatever
//! else a machine has to know is handed on as it is.

use proto::{
    id::Incarnation,
    ingress::{Route, Settings as Machine},
    policy::{Destination, Talk},
};
use runtime::settings::{Destination as DestinationSettings, Route as RouteSettings, Settings, Transport};

use crate::places::shares;

/// A secondary may have so many windows outstanding. A source can be one window ahead of its primary; a secondary that
/// keeps up must not be shed to for being a little later than the primary.
const SECONDARY_WINDOWS: u32 = 4;

/// What one shard's machine is told. `shards` share the sessions between them.
pub(crate) fn machine(settings: &Settings, incarnation: Incarnation, is_local: bool) -> Machine {
    Machine {
        incarnation,
        ports: Vec::new(),
        is_local,
        max_sessions: settings.max_sessions.div_ceil(settings.shards.max(1)),
        link_window: settings.link_window.get(),
        routes: settings.routes.iter().flat_map(routes).collect(),
    }
}

/// What stands for a route in the machine.
fn routes(settings: &RouteSettings) -> impl Iterator<Item = Route> {
    shares(settings).map(|destinations| route(settings, destinations))
}

fn route(route: &RouteSettings, destinations: &[DestinationSettings]) -> Route {
    Route {
        name: route.name.clone(),
        codec: route.codec.clone(),
        destinations: destinations.iter().map(|it| destination(it, route.listen.transport)).collect(),
        talk: talk(route),
        connect_timeout: route.connect_timeout,
        linger: route.linger,
        quiet_gap: route.quiet_gap,
        idle_timeout: route.idle_timeout,
        max_frame: route.max_frame,
        window: route.window,
        secondary_window: route.window.saturating_mul(SECONDARY_WINDOWS),
        moves: route.http.is_none(),
    }
}

fn destination(settings: &DestinationSettings, transport: Transport) -> Destination {
    Destination {
        name: settings.name.clone(),
        fingerprint: settings.address.fingerprint(transport),
        asks: settings.asks,
        allow: settings.allow.clone(),
        deny: settings.deny.clone(),
        rejoin: settings.rejoin,
    }
}

fn talk(route: &RouteSettings) -> Talk {
    Talk {
        replies: route.replies,
        dedup_window: route.dedup_window,
        reply_timeout: route.reply_timeout,
        hold: route.hold,
        answer: route.answer.clone(),
        ignore: route.ignore.clone(),
    }
}
