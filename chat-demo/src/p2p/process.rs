//! `chat p2p` as a process: a socket, a terminal, and the machine between them.
//!
//! Everything is one task. What the machine decides is carried out before the next thing is told to it, so that nothing
//! of an old connection is taken for something of the next.

use runtime::{
    clock::{Clock, unix_millis},
    exit::{Exit, Failure},
    node::json,
    shard::run_local,
    signals::{Signal, Signals},
    telemetry::{self, LogArgs},
    zeromq::{Event, Pair, Verdict},
};
use tokio::{task::yield_now, time::sleep_until};
use tracing::debug;

use super::{Effect, End, Ending, Role, socket::Socket};
use crate::{
    How, Line, Name, PublicTone, Said, Text, Typed,
    recent::Recent,
    terminal::{Terminal, TypingArgs},
    wire::p2p as wire,
};

const EXAMPLES: &str = "\
Examples:
  On one machine, and on another:
    pegloom chat p2p --name a --port 8888 --ip all --server
    pegloom chat p2p --name b --port 8888 --ip 10.0.0.9

  A script that says one thing and goes, when it was heard or after 2 s:
    echo 'the backup is done' | pegloom chat p2p --name cron --port 8888

Whoever comes third is told that the line is taken, and ends with code 1 after 5 s. Who is away for a while misses nothing.
/help tells what else can be typed; /quit, Ctrl-D or the end of the input hang up, and Ctrl-C does so at once.

Exit codes: 0 hung up, 1 the line is taken, 2 something that was typed reached nobody, 64 wrong usage.";

/// Frames of the other end that are looked at before anything else has its turn.
const TURN: usize = 256;
/// A connection that has ended leaves fewer frames behind: no socket of a line keeps so many.
const LEFT_BEHIND: usize = 10_000;

/// Talk with one other, with nobody between
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to be called: 1 to 32 characters. Where this does not say, as `$USER` does
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    name: Option<Name>,

    /// The port of the line; with --server, 0 is any free one
    #[arg(long, default_value_t = 8888)]
    port: u16,

    /// The other's address; with --server the one to wait on, and `all` is every interface
    #[arg(long, value_name = "ADDRESS", default_value = "localhost")]
    ip: String,

    /// Wait to be called: one of the two does
    #[arg(long)]
    server: bool,

    #[command(flatten)]
    typing: TypingArgs,

    #[command(flatten)]
    log: LogArgs,
}

impl Args {
    fn role(&self) -> Role {
        if self.server { Role::Listens } else { Role::Calls }
    }
}

/// Runs `pegloom chat p2p`.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log.quiet())?;
    run_local(talk(args)).map_err(Failure::cannot_start)?
}

async fn talk(args: &Args) -> Result<Exit, Failure> {
    let name = args.name.clone().map_or_else(Name::of_user, Ok)?;
    if !args.server && args.port == 0 {
        let advice = "--port with the port of who waits, or --server";
        return Err(Failure::cannot("call port 0", "nobody waits there", advice).as_usage());
    }
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let mut line = tokio::select! {
        line = Socket::open(&args.ip, args.port, args.role()) => line?,
        () = signals.drain() => return Ok(Exit::Clean),
    };
    let terminal = Terminal::open(&name)?.colored(args.log.color).typing(&args.typing).without_private();
    let mut talk = Talk::new(name, args.role(), terminal);
    talk.show(&Line::Told(line.said()));
    let ending = loop {
        talk.turn(&mut line)?;
        if let Some(ending) = talk.ending {
            break ending;
        }
        talk.wait(&line, &mut signals).await;
    };
    let has_unsaid = talk.terminal.has_unsaid();
    talk.terminal.close().await;
    line.close();
    match ending {
        Ending::Left if !has_unsaid => Ok(Exit::Clean),
        Ending::Left | Ending::Unheard => Ok(Exit::GraceExpired),
        Ending::Taken => Err(line.taken()),
    }
}

/// The machine, and what it is told and shown by.
struct Talk {
    end: End,
    terminal: Terminal,
    clock: Clock,
    recent: Recent,
    /// Whether frames are left for the next turn.
    has_more: bool,
    /// Whether the socket has refused something: nothing further is sent over this connection.
    is_refused: bool,
    /// Whether the terminal is known to be gone.
    is_over: bool,
    ending: Option<Ending>,
}

impl Talk {
    fn new(name: Name, role: Role, terminal: Terminal) -> Self {
        Self {
            end: End::new(name, role, fastrand::Rng::new()),
            terminal,
            clock: Clock::start(),
            recent: Recent::default(),
            has_more: false,
            is_refused: false,
            is_over: false,
            ending: None,
        }
    }

    /// Returns when there is something for a turn; what was typed and signalled is told to the machine already.
    async fn wait(&mut self, line: &Socket, signals: &mut Signals) {
        let deadline = self.clock.deadline(self.end.next_deadline());
        let (takes_texts, is_behind) = (self.end.takes_texts(), self.terminal.is_behind());
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::Drain => self.end.on_interrupt(self.clock.now()),
                Signal::Report => self.tell_counts(),
            },
            typed = self.terminal.gone(), if !self.is_over => {
                self.is_over = true;
                self.on_typed(typed);
            }
            // Before the line, which may never be silent; each turn hears it.
            typed = self.terminal.next(), if takes_texts => self.on_typed(typed),
            () = yield_now(), if self.has_more => {}
            () = line.eventful(!is_behind) => {}
            () = sleep_until(deadline) => {}
        }
    }

    /// Tells the machine what has become of the socket, and does what it says.
    fn turn(&mut self, line: &mut Socket) -> Result<(), Failure> {
        self.carry_out(line);
        while let Some(event) = line.pair.as_ref().and_then(Pair::try_event) {
            if matches!(event, Event::Disconnected(_)) {
                // What came over a connection is heard before its end is.
                self.hear(line, LEFT_BEHIND);
            }
            self.on_event(event);
            self.carry_out(line);
        }
        let listens = !self.terminal.is_behind();
        self.has_more = listens && self.hear(line, TURN);
        self.attend(line);
        self.end.on_time(self.clock.now(), listens);
        self.carry_out(line);
        self.look_back(line);
        line.try_reopen(self.clock.now())
    }

    /// Ends a connection that takes nothing any more, when all that came over it is heard.
    fn look_back(&mut self, line: &mut Socket) {
        if self.is_refused {
            self.hear(line, LEFT_BEHIND);
            self.is_refused = false;
            self.end.on_unsent(self.clock.now());
            self.carry_out(line);
        }
    }

    fn on_event(&mut self, event: Event) {
        debug!(?event, "line");
        let now = self.clock.now();
        match event {
            Event::Connected(connection) => self.end.on_connected(connection),
            Event::Ready => self.end.on_ready(now),
            Event::Refused(_) => self.end.on_refused(now),
            Event::Disconnected(connection) => self.end.on_disconnected(connection, now),
        }
    }

    /// Hears at most so many frames; says whether there may be more.
    fn hear(&mut self, line: &mut Socket, most: usize) -> bool {
        for _ in 0..most {
            let Some(received) = line.pair.as_ref().and_then(Pair::try_receive) else { return false };
            self.find_link(line);
            match received.map(|(connection, batch)| (connection, wire::decode(&batch))) {
                Ok((connection, Ok(frame))) => self.end.on_frame(frame, connection, self.clock.now()),
                Ok((_, Err(error))) => {
                    debug!(%error, "unreadable");
                    self.end.on_unreadable();
                }
                Err(_) => self.end.on_unreadable(),
            }
            self.carry_out(line);
        }
        true
    }

    /// What has come over a connection of which nothing is known yet came after the news of it, which are there by now.
    fn find_link(&mut self, line: &mut Socket) {
        while !self.end.is_up()
            && let Some(event) = line.pair.as_ref().and_then(Pair::try_event)
        {
            self.on_event(event);
            self.carry_out(line);
        }
    }

    /// Answers whoever is at the door, when all that has become of the socket is known.
    fn attend(&mut self, line: &Socket) {
        let Some(doorkeeper) = &line.doorkeeper else { return };
        while let Some(knock) = doorkeeper.try_knock() {
            let verdict = if self.end.on_knock(self.clock.now()) {
                Verdict::Admitted
            } else {
                Verdict::Refused("the line is taken")
            };
            debug!(address = knock.address, ?verdict, "somebody at the door");
            // Whoever does not wait for the answer has gone.
            let _ = doorkeeper.answer(&knock, verdict);
        }
    }

    fn on_typed(&mut self, typed: Typed) {
        match typed {
            Typed::Say(text) => self.say(text, PublicTone::Plain),
            Typed::Act(text) => self.say(text, PublicTone::Action),
            Typed::Tell(..) => self.warn("Only two are here, and whatever you say is for the other."),
            Typed::Rename(name) => {
                self.show(&Line::Told(format!("You are now called {name}.")));
                self.terminal.rename(&name);
                self.end.on_rename(name, self.clock.now());
            }
            Typed::Who => self.tell_who(),
            Typed::History(lines) => self.recent.last(lines).iter().for_each(|line| self.terminal.show(line)),
            Typed::Leave => self.end.on_interrupt(self.clock.now()),
            Typed::Quit => self.end.on_leave(self.clock.now()),
        }
    }

    fn say(&mut self, text: Text, tone: PublicTone) {
        self.show_said(self.end.name().clone(), text.clone(), tone, How::Mine);
        self.end.on_text(text, tone, self.clock.now());
    }

    fn tell_who(&mut self) {
        let who = match self.end.other() {
            Some((name, false)) => format!("{name} is on the line."),
            Some((name, true)) => format!("{name} is away."),
            None => "Nobody else is on the line.".to_owned(),
        };
        self.show(&Line::Told(who));
    }

    fn tell_counts(&mut self) {
        if let Some(counts) = json(&self.end.counts()) {
            self.terminal.report(&counts);
        }
    }

    fn show_said(&mut self, name: Name, text: Text, tone: PublicTone, how: How) {
        let line = Line::Said(Said { at: unix_millis(), name, text, tone: tone.into(), how });
        self.recent.observe(&line);
        self.show(&line);
    }

    fn warn(&mut self, words: &str) {
        self.show(&Line::Warned(words.to_owned()));
    }

    fn show(&mut self, line: &Line) {
        self.terminal.show(line);
    }

    fn carry_out(&mut self, line: &mut Socket) {
        loop {
            let effects = self.end.effects();
            if effects.is_empty() || self.ending.is_some() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Send(frame) => self.send(line, &frame),
                    Effect::Close => line.pair = None,
                    Effect::Open => line.reopen(self.clock.now()),
                    Effect::Said(name, text, tone) => self.show_said(name, text, tone, How::Live),
                    Effect::Tell(news) => self.show(&news.into()),
                    Effect::End(ending) => self.ending = self.ending.or(Some(ending)),
                }
            }
            self.terminal.know(self.end.other().map(|(name, _)| name.clone()));
        }
    }

    fn send(&mut self, line: &Socket, frame: &wire::Frame) {
        let takes = |pair: &Pair| pair.try_send(wire::encode(frame)).is_ok();
        self.is_refused = self.is_refused || !line.pair.as_ref().is_some_and(takes);
    }
}
