//! HELLO and WELCOME, from the ingress's end, and links that fall silent.
//!
//! A worker says where its connections stand, and every lane on its link goes on, is opened anew or is reset. Also the
//! ways in which a worker is lost: superseded, silent, leaving or refused.

use rustc_hash::FxHashMap;

use super::{
    Effect, Ingress, Notice, Refusal, Shell,
    links::{Link, LinkKey, State, WorkerName},
    session::moving::Greeted,
};
use crate::{
    id::{DestinationIndex, Epoch, Peer, RouteIndex, SessionId},
    link::{LOOK, Liveness, Numbering, Verdict},
    time::Instant,
    wire::{BatchWriter, Bye, Frame, Greeting, Header, MAX_STANDINGS, Standing, VERSION},
};

/// Standings a worker may have in all parts of a HELLO.
const MAX_STANDINGS_IN_ALL: usize = 65_536;

impl Ingress {
    /// A part of HELLO.
    pub(super) fn on_hello(
        &mut self,
        peer: Peer,
        header: Header,
        greeting: &Greeting<'_>,
        now: Instant,
        shell: &mut impl Shell,
    ) {
        if greeting.version != VERSION {
            let why = Refusal::Version(greeting.version);
            return self.refuse_worker(peer, header.epoch, greeting, Bye::Version, why, shell);
        }
        let Some((route, destination, fingerprint)) = self.destination_named(greeting.destination) else {
            let why = Refusal::UnknownDestination;
            return self.refuse_worker(peer, header.epoch, greeting, Bye::UnknownDestination, why, shell);
        };
        let worker = WorkerName {
            name: greeting.worker.to_owned(),
            incarnation: greeting.incarnation,
            route,
            destination,
        };
        let Some(key) = self.greeting_link(peer, header, &worker, now) else {
            return self.refuse_worker(
                peer,
                header.epoch,
                greeting,
                Bye::Leaving,
                Refusal::TooManyLinks,
                shell,
            );
        };
        if !self.collect(key, header, greeting, now, shell) || !greeting.last {
            return;
        }
        if self
            .core
            .links
            .namesakes(key, &worker)
            .any(|(_, rival)| rival.worker.incarnation > worker.incarnation)
        {
            self.drop_superseded(key, now, shell);
            let why = Refusal::Superseded;
            return self.refuse_worker(peer, header.epoch, greeting, Bye::Superseded, why, shell);
        }
        let rivals: Vec<_> = self.core.links.namesakes(key, &worker).map(|(rival, _)| rival).collect();
        self.welcome(key, greeting.settings != fingerprint, now, shell);
        for rival in rivals {
            self.supersede(rival, now, shell);
        }
    }

    /// The link that this HELLO belongs to: in its epoch, collecting.
    fn greeting_link(
        &mut self,
        peer: Peer,
        header: Header,
        worker: &WorkerName,
        now: Instant,
    ) -> Option<LinkKey> {
        let Some(key) = self.core.links.of_peer(peer) else {
            return self.core.links.insert(Link::new(
                peer,
                worker.clone(),
                Numbering::new(header.epoch),
                now,
            ));
        };
        let link = self.core.links.at_mut(key)?;
        link.heard_at = now;
        if header.epoch > link.numbering.epoch() {
            link.numbering = Numbering::new(header.epoch);
            link.liveness = Liveness::new(now);
            link.outbox.clear();
            link.standings.clear();
            link.state = State::Greeting;
        }
        Some(key)
    }

    /// Takes a part's standings, if the part is the next one.
    fn collect(
        &mut self,
        key: LinkKey,
        header: Header,
        greeting: &Greeting<'_>,
        now: Instant,
        shell: &mut impl Shell,
    ) -> bool {
        let is_ours = greeting.ingress == self.core.settings.incarnation;
        let Some(link) = self.core.links.at_mut(key) else { return false };
        let verdict =
            if link.state == State::Greeting { link.numbering.judge(header) } else { Verdict::Repeat };
        if verdict == Verdict::Gap {
            self.on_gap(key, now, shell);
            return false;
        }
        if verdict != Verdict::Next || link.standings.len() + greeting.standings.len() > MAX_STANDINGS_IN_ALL
        {
            self.counters.stale += 1;
            return false;
        }
        link.liveness.heard(true);
        if is_ours {
            link.standings.extend_from_slice(&greeting.standings);
        }
        true
    }

    /// The greeting is complete: says what goes on, opens what the worker lacks.
    fn welcome(&mut self, key: LinkKey, settings_differ: bool, now: Instant, shell: &mut impl Shell) {
        self.counters.greetings += 1;
        let lanes = self.lanes_on(key);
        let Some(link) = self.core.links.at_mut(key) else { return };
        let standings = std::mem::take(&mut link.standings);
        let known: FxHashMap<SessionId, Standing> =
            standings.into_iter().map(|standing| (standing.session, standing)).collect();
        let worker = link.worker.clone();
        // Lanes that go on are reconciled first, for WELCOME names them; what is opened or reset must follow WELCOME.
        let (mut answers, mut unknown) = (Vec::new(), Vec::new());
        for (session, destination) in lanes {
            let greeted = known.get(&session).and_then(|standing| {
                self.with(session, now, shell, |session, turn| {
                    session.on_greeted(destination, standing, turn)
                })
            });
            match greeted.unwrap_or(Greeted::Unknown) {
                Greeted::GoesOn(standing) => answers.push(standing),
                Greeted::Unknown => unknown.push((session, destination)),
                Greeted::Over => {}
            }
        }
        self.restore_outstanding(key);
        if !self.send_welcome(key, &answers, now, shell) {
            // Not heard, so it greets again; what is unknown now will be unknown then.
            self.counters.refused += 1;
            return;
        }
        for (session, destination) in unknown {
            self.with(session, now, shell, |session, turn| {
                session.on_attempt_unknown(destination, key, turn);
            });
        }
        let (route, destination) = (worker.route, worker.destination);
        shell.effect(Effect::Notice(Notice::WorkerLinked { worker, settings_differ }));
        self.place_waiting(route, destination, now, shell);
        self.wake_all(key);
    }

    /// A rewind changes what is outstanding: adds it up anew. Those who waited for the link's window may have room now.
    fn restore_outstanding(&mut self, key: LinkKey) {
        let lanes = self.sessions.iter().flat_map(|(_, session)| session.lanes());
        let outstanding =
            lanes.filter(|lane| lane.link == Some(key)).map(|lane| lane.outbound.unwritten()).sum();
        if let Some(link) = self.core.links.at_mut(key) {
            link.outstanding = outstanding;
            link.unpark();
        }
    }

    /// False if the socket refused it.
    fn send_welcome(
        &mut self,
        key: LinkKey,
        standings: &[Standing],
        now: Instant,
        shell: &mut impl Shell,
    ) -> bool {
        let (incarnation, ports) = (self.core.settings.incarnation, self.core.settings.ports.clone());
        let Some(link) = self.core.links.at_mut(key) else { return false };
        let mut parts = standings.chunks(MAX_STANDINGS).peekable();
        loop {
            let standings = parts.next().unwrap_or_default().to_vec();
            let last = parts.peek().is_none();
            let (auth, ports) = (&[][..], ports.clone());
            link.outbox.post(&Frame::Welcome { version: VERSION, incarnation, ports, auth, standings, last });
            if !link.dispatch(now, shell) {
                return false;
            }
            if last {
                break;
            }
        }
        link.state = State::Live { draining: false };
        link.was_live = true;
        true
    }

    fn place_waiting(
        &mut self,
        route: RouteIndex,
        destination: DestinationIndex,
        now: Instant,
        shell: &mut impl Shell,
    ) {
        for id in self.sessions.ids() {
            if self.sessions.at(id).is_some_and(|session| session.route == route) {
                self.with(SessionId(id), now, shell, |session, turn| {
                    session.on_worker_linked(destination, turn);
                });
            }
        }
    }

    /// Every lane of the link may have something to send again.
    fn wake_all(&mut self, key: LinkKey) {
        for (session, destination) in self.lanes_on(key) {
            if let Some(session) = self.sessions.at_mut(session.0) {
                session.make_ready(destination, &mut self.core);
            }
        }
    }

    fn destination_named(&self, name: &str) -> Option<(RouteIndex, DestinationIndex, u64)> {
        let (route, destination) = name.split_once('/')?;
        // Several may share a name: where each session has one destination, each destination has a route.
        let mut namesakes =
            self.core.routes.iter().enumerate().filter(|(_, known)| known.settings.name == route);
        namesakes.find_map(|(index, known)| {
            let destinations = &known.settings.destinations;
            let place = destinations.iter().position(|known| known.name == destination)?;
            Some((RouteIndex(index as u16), DestinationIndex(place as u16), destinations[place].fingerprint))
        })
    }

    fn refuse_worker(
        &mut self,
        peer: Peer,
        epoch: Epoch,
        greeting: &Greeting<'_>,
        bye: Bye,
        why: Refusal,
        shell: &mut impl Shell,
    ) {
        self.say_bye(peer, epoch, bye, shell);
        let (name, destination) = (greeting.worker.to_owned(), greeting.destination.to_owned());
        shell.effect(Effect::Notice(Notice::WorkerRefused { name, destination, why }));
    }

    /// A BYE outside the numbering: its number is 0.
    pub(super) fn say_bye(&mut self, peer: Peer, epoch: Epoch, reason: Bye, shell: &mut impl Shell) {
        let mut writer = BatchWriter::default();
        writer.write(&Frame::Bye { reason, version: VERSION });
        if !shell.send(peer, writer.seal(Header { epoch, number: 0, received: 0 })) {
            self.counters.refused += 1;
        }
    }

    /// A newer incarnation has taken the name of this link's worker since it last greeted.
    fn drop_superseded(&mut self, key: LinkKey, now: Instant, shell: &mut impl Shell) {
        if self.core.links.at(key).is_some_and(|link| link.sessions > 0) {
            let fence = self.lease_end(key);
            self.lose(key, "it was superseded", fence, now, shell);
        } else {
            self.core.links.remove(key);
        }
    }

    fn supersede(&mut self, key: LinkKey, now: Instant, shell: &mut impl Shell) {
        if let Some(link) = self.core.links.at(key) {
            let (peer, epoch) = (link.peer, link.numbering.epoch());
            self.say_bye(peer, epoch, Bye::Superseded, shell);
        }
        let fence = self.lease_end(key);
        self.lose(key, "it was superseded", fence, now, shell);
    }

    /// Until when a worker may write.
    pub(super) fn lease_end(&self, key: LinkKey) -> Instant {
        let is_local = self.core.links.is_local;
        self.core.links.at(key).filter(|_| !is_local).map_or(Instant::ZERO, Link::lease_end)
    }

    /// A worker is gone: its sessions go to others, once the time is past until which it may write.
    pub(super) fn lose(
        &mut self,
        key: LinkKey,
        why: &'static str,
        fence: Instant,
        now: Instant,
        shell: &mut impl Shell,
    ) {
        let lanes = self.lanes_on(key);
        let Some(link) = self.core.links.remove(key) else { return };
        self.counters.workers_lost += 1;
        let (worker, sessions) = (link.worker, lanes.len());
        shell.effect(Effect::Notice(Notice::WorkerLost { worker, why, sessions }));
        for (session, destination) in lanes {
            self.with(session, now, shell, |session, turn| session.on_worker_lost(destination, fence, turn));
        }
    }

    /// Pings, and takes silence for death.
    pub(super) fn look_at_links(&mut self, now: Instant, shell: &mut impl Shell) {
        if self.core.links.is_local || now < self.core.links.look_at {
            return;
        }
        self.core.links.look_at = now + LOOK;
        for key in self.core.links.keys() {
            let Some(link) = self.core.links.at_mut(key) else { continue };
            let all_acknowledged = link.numbering.acknowledged() == link.numbering.sent();
            link.liveness.look(now, all_acknowledged || !link.is_live());
            if link.liveness.is_dead() {
                let fence = link.lease_end();
                self.lose(key, "it is silent", fence, now, shell);
                continue;
            }
            if link.is_live() && link.liveness.wants_ping(now) {
                link.outbox.post(&Frame::Ping);
            }
            self.hand_over(key, now, shell);
        }
    }

    /// A draining worker's sessions go to others, if there are any, whenever they are in the middle of nothing.
    fn hand_over(&mut self, key: LinkKey, now: Instant, shell: &mut impl Shell) {
        if !self.core.links.has_successor(key) {
            return;
        }
        for (session, destination) in self.lanes_on(key) {
            self.with(session, now, shell, |session, turn| session.hand_over(destination, turn));
        }
    }
}
