//! HELLO and WELCOME, from the worker's end, and what the clock brings.
//!
//! HELLO says where every connection of a link stands; of those, what WELCOME names goes on and the rest is aborted.
//! The clock brings pings, silence, the end of a lease, and the turn of connections that wait.

use super::{
    Effect, Notice, Shell, Worker,
    connection::{Connection, State},
    link,
    link::ORPHANED,
};
use crate::{
    id::{Attempt, ConnectionId, Incarnation, LinkIndex, SessionId},
    link::LOOK,
    outage::PACE_BURST,
    time::Instant,
    wire::{Cause, Frame, Greeting, MAX_STANDINGS, Phase, Standing, VERSION},
};

impl Worker {
    /// Opens a new epoch: tells the ingress where every connection of this link stands.
    pub(super) fn greet(&mut self, index: LinkIndex, now: Instant, shell: &mut impl Shell) {
        self.counters.greetings += 1;
        let standings = self.standings(index);
        let (settings, link) = (&self.settings, &mut self.links[index.0 as usize]);
        link.new_epoch(now);
        let mut parts = standings.chunks(MAX_STANDINGS).peekable();
        let mut sent = true;
        loop {
            let standings = parts.next().unwrap_or_default().to_vec();
            let last = parts.peek().is_none();
            link.outbox.post(&Frame::Hello(Greeting {
                version: VERSION,
                worker: &settings.name,
                incarnation: settings.incarnation,
                destination: &settings.destination,
                settings: settings.fingerprint,
                auth: &[],
                ingress: link.ingress,
                standings,
                last,
            }));
            sent &= link.dispatch(now, shell);
            if last {
                break;
            }
        }
        if !sent {
            // Nobody is there yet: no answer need be waited for.
            link.spoil(link::GREETING_PAUSE, now);
        }
    }

    fn standings(&mut self, link: LinkIndex) -> Vec<Standing> {
        let ids = self.connections_of(link);
        ids.into_iter().filter_map(|id| self.connections.at_mut(id.0).map(Connection::standing)).collect()
    }

    fn connections_of(&self, link: LinkIndex) -> Vec<ConnectionId> {
        let of_link = self.connections.iter().filter(|(_, connection)| connection.order.link == link);
        of_link.map(|(id, _)| ConnectionId(id)).collect()
    }

    /// A part of WELCOME. False if there was one already, or if it names more than there can be.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of the frame")]
    pub(super) fn on_welcome(
        &mut self,
        index: LinkIndex,
        incarnation: Incarnation,
        ports: Vec<u16>,
        standings: Vec<Standing>,
        last: bool,
        now: Instant,
        shell: &mut impl Shell,
    ) -> bool {
        let link = &mut self.links[index.0 as usize];
        if link.is_live() || link.welcomed.len() + standings.len() > self.settings.max_connections {
            return false;
        }
        link.welcomed.extend(standings);
        if !last {
            return true;
        }
        link.state = link::State::Live;
        link.orphans_aborted = false;
        let is_same_ingress = std::mem::replace(&mut link.ingress, incarnation) == incarnation;
        let welcomed = std::mem::take(&mut link.welcomed);
        self.reconcile(index, if is_same_ingress { &welcomed } else { &[] }, now, shell);
        if self.is_draining {
            self.links[index.0 as usize].post(&Frame::Drain);
        }
        shell.effect(Effect::Notice(Notice::Linked { link: index }));
        shell.effect(Effect::Ports { link: index, ports });
        true
    }

    /// Goes on with the connections that WELCOME names and aborts the others.
    fn reconcile(&mut self, link: LinkIndex, welcomed: &[Standing], now: Instant, shell: &mut impl Shell) {
        for standing in welcomed {
            // What ended during the greeting could not say so then.
            if !self.index.contains_key(&(link, standing.session)) {
                self.post_reset(link, standing.session, standing.attempt, Cause::Unknown);
            }
        }
        let named: rustc_hash::FxHashMap<_, _> =
            welcomed.iter().map(|standing| ((standing.session, standing.attempt), standing)).collect();
        for id in self.connections_of(link) {
            let Some(connection) = self.connections.at(id.0) else { continue };
            match named.get(&(connection.order.session, connection.order.attempt)) {
                Some(standing) => self.resume(id, standing, now, shell),
                None => self.close(id, true, now, shell),
            }
        }
    }

    /// Goes on with a connection where the ingress says it stands, or ends it if it cannot.
    fn resume(&mut self, id: ConnectionId, standing: &Standing, now: Instant, shell: &mut impl Shell) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        let (order, outbound) = (connection.order, &mut connection.outbound);
        let goes_on = outbound.rewind(standing.received).is_ok()
            && outbound.on_totals(standing.received, standing.written, standing.limit).is_ok();
        if !goes_on {
            self.post_reset(order.link, order.session, order.attempt, Cause::LinkLost);
            return self.close(id, true, now, shell);
        }
        let has_room = outbound.end() < outbound.limit();
        if connection.is_open() && standing.phase == Phase::Connecting {
            let limit = connection.inbound.limit();
            let opened = Frame::Opened { session: order.session, attempt: order.attempt, limit };
            self.links[order.link.0 as usize].post(&opened);
        }
        if connection.reads_paused && has_room {
            connection.reads_paused = false;
            shell.effect(Effect::ResumeReads { connection: id });
        }
        self.tell_unsendable(id);
        self.make_ready(id);
        self.write(id, now, shell);
        self.close_if_over(id, now, shell);
    }

    fn post_reset(&mut self, link: LinkIndex, session: SessionId, attempt: Attempt, cause: Cause) {
        self.links[link.0 as usize].post(&Frame::Reset { session, attempt, cause, unconfirmed: 0 });
    }

    pub(super) fn abort_all(&mut self, link: LinkIndex, now: Instant, shell: &mut impl Shell) -> usize {
        let ids = self.connections_of(link);
        for id in &ids {
            self.close(*id, true, now, shell);
        }
        ids.len()
    }

    /// The clock has moved. To be called at [`Worker::deadline`], earlier if you like.
    pub fn on_time(&mut self, now: Instant, shell: &mut impl Shell) {
        if now >= self.look_at {
            self.look_at = now + LOOK;
            for index in 0..self.links.len() {
                self.look(LinkIndex(index as u16), now, shell);
            }
        }
        for index in 0..self.links.len() {
            if self.links[index].is_live() && !self.links[index].has_lease(now) {
                self.lose(LinkIndex(index as u16), "the lease is over", now, shell);
            }
            let due = match self.links[index].state {
                link::State::Greeting { again_at } => again_at <= now,
                link::State::Barred { until } => until <= now,
                link::State::Live => false,
            };
            if due {
                self.greet(LinkIndex(index as u16), now, shell);
            }
        }
        self.start_waiting(now, shell);
        self.grant_lagging(now);
        self.flush(now, shell);
    }

    /// Looks at one link's life: pings, takes silence for death, gives up what nobody asks for any more.
    fn look(&mut self, index: LinkIndex, now: Instant, shell: &mut impl Shell) {
        let link = &mut self.links[index.0 as usize];
        if link.is_local {
            return;
        }
        if link.is_live() {
            let all_acknowledged = link.all_acknowledged();
            link.liveness.look(now, all_acknowledged);
            if link.liveness.is_dead() {
                return self.lose(index, "the ingress is silent", now, shell);
            }
            if link.liveness.wants_ping(now) {
                link.post(&Frame::Ping);
            }
        } else if link.lease.absence(now) >= ORPHANED && !link.orphans_aborted {
            link.orphans_aborted = true;
            let connections = self.abort_all(index, now, shell);
            if connections > 0 {
                shell.effect(Effect::Notice(Notice::Orphaned { link: index, connections }));
            }
        }
    }

    /// Starts connections that waited for the destination, as many as it is their turn. Those without a lease go on waiting:
    /// their sessions may have moved.
    fn start_waiting(&mut self, now: Instant, shell: &mut impl Shell) {
        self.waiting
            .retain(|id| self.connections.at(id.0).is_some_and(|waiting| waiting.state == State::Waiting));
        let mut turns = self.outage.turns(now, self.may_any_start());
        debug_assert!(turns <= PACE_BURST || self.outage.is_available());
        for id in std::mem::take(&mut self.waiting) {
            if turns == 0 || !self.may_start(id) {
                self.waiting.push_back(id);
                continue;
            }
            turns -= 1;
            if let Some(connection) = self.connections.at_mut(id.0) {
                connection.state = State::Connecting { since: now };
                shell.effect(Effect::Connect { connection: id, timeout: connection.order.timeout });
            }
        }
    }

    fn may_start(&self, id: ConnectionId) -> bool {
        let link = self.connections.at(id.0).map(|waiting| waiting.order.link);
        link.is_some_and(|link| self.links[link.0 as usize].is_live())
    }

    fn may_any_start(&self) -> bool {
        self.waiting.iter().any(|&id| self.may_start(id))
    }

    /// When to call [`Worker::on_time`] next, whatever else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let look = self.links.iter().any(|link| !link.is_local).then_some(self.look_at);
        let probe = self.may_any_start().then(|| self.outage.deadline());
        let links = self.links.iter().filter_map(|link| match link.state {
            link::State::Greeting { again_at } => Some(again_at),
            link::State::Barred { until } => Some(until),
            link::State::Live => None,
        });
        links.chain(look).chain(probe).chain(self.lag_at).min().filter(|&at| at != Instant::NEVER)
    }
}
