//! The client of a room as a process: key → memory → terminal → connection → chat → leave.
//!
//! `run` is `pegloom chat client` from its flags to its exit code. What to say and to show is decided by the machine in
//! `member`; here are its socket, its journal and its terminal. A disk that is slow stops no beat: a thread waits for it.

use std::{collections::VecDeque, io, path::PathBuf, time::Duration};

use runtime::{
    clock::{Clock, unix_millis},
    exit::{Exit, Failure},
    shard::run_local,
    signals::Signals,
    telemetry::{self, Color, LogArgs},
};
use tokio::{select, time::sleep_until};
use tracing::{trace, warn};

use super::{
    connection::Connection,
    disk::{Disk, Done},
    failures::{homeless, no_journal, no_key, refused, somewhere, unknown},
    journal::{Journal, beside},
    key::{self, KeyFile},
    member::{Beginning, Effect, End, Input, Member, Memory, Shown, Written, left_behind},
    screen::Screen,
};
use crate::{
    Name, Typed,
    host::{self, in_brackets},
    recent::Recent,
    terminal::{Terminal, TypingArgs},
};

/// Frames that are handled before anything else gets its turn.
const TURN: usize = 64;
const EXAMPLES: &str = "\
Examples:
  In a room on this machine, and in one elsewhere:
    pegloom chat client --port 9999 --ip localhost --name 'John Doe'
    pegloom chat client --port 9999 --ip chat.example.org

  Said by a script, which waits up to a minute until the room has it:
    echo 'The backup is done.' | pegloom chat client --name backup --grace 60s

  Read by a script, line by line:
    tail -f /dev/null | pegloom chat client --name watcher | grep --line-buffered ERROR

  What others wrote, of which no line is to be a command:
    tail -f build.log | pegloom chat client --name build --verbatim

Exit codes: 0 left, 1 no place in the room, 2 texts are not delivered yet and kept for the next time, or a classic room may not
have got all, or a line of a script is no text and no command, 64 wrong usage.
/help says what else can be typed. /quit, Ctrl-D and the end of the input leave; Ctrl-C and SIGTERM do so at once.";

/// Join a room
///
/// Goes on by itself when the room was away, and says each text exactly once. What makes a member the same one tomorrow is
/// its key file, made on first use; what was said meanwhile is shown when it returns.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The port of the room
    #[arg(long, default_value_t = 9999, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// The host of the room: a name or an address
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    ip: String,

    /// What to be called: 1 to 32 characters; where this does not say, as `$USER` does
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    name: Option<Name>,

    /// The key file; where this does not say, NAME.key in `$XDG_DATA_HOME/pegloom/chat/keys`
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// How long leaving may wait until the room has what was said
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "5s")]
    grace: Duration,

    #[command(flatten)]
    typing: TypingArgs,

    #[command(flatten)]
    log: LogArgs,
}

/// Runs `pegloom chat client`.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log.quiet())?;
    run_local(chat(args)).map_err(Failure::cannot_start)?
}

async fn chat(args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let settings = Settings::new(args)?;
    let endpoint = select! {
        () = signals.drain() => return Ok(Exit::Clean),
        found = host::calling(&args.ip, args.port) => found.map_err(|error| unknown(&args.ip, error))?,
    };
    let key = KeyFile::open(&settings.key).map_err(|error| no_key(&settings, error))?;
    let mut client = Client::open(&settings, &endpoint, &key)?;
    let end = client.chat(&mut signals).await;
    client.close(&settings, end).await
}

/// What was typed, without doubt.
pub(super) struct Settings {
    pub(super) name: Name,
    pub(super) key: PathBuf,
    /// For people, and for the memory of what was said to whom.
    room: String,
    grace: Duration,
    color: Color,
    typing: TypingArgs,
}

impl Settings {
    fn new(args: &Args) -> Result<Self, Failure> {
        if args.ip == "all" {
            return Err(somewhere());
        }
        let name = args.name.clone().map_or_else(Name::of_user, Ok)?;
        let key = args.key.clone().or_else(|| key::default_path(&name)).ok_or_else(|| homeless(&name))?;
        let room = format!("{}:{}", in_brackets(&args.ip), args.port);
        Ok(Self { name, key, room, grace: args.grace, color: args.log.color, typing: args.typing.clone() })
    }
}

/// The hands of a member.
struct Client {
    member: Member,
    clock: Clock,
    connection: Connection,
    terminal: Terminal,
    screen: Screen,
    recent: Recent,
    journal: Journal,
    disk: Disk,
    /// Whether the terminal is known to be gone.
    is_over: bool,
    /// What the effects of one input led to, for the next.
    further: VecDeque<Input<'static>>,
    end: Option<End>,
}

impl Client {
    fn open(settings: &Settings, endpoint: &str, key: &KeyFile) -> Result<Self, Failure> {
        let path = beside(&settings.key, ".journal");
        let (journal, records) = Journal::open(&path).map_err(|error| no_journal(&path, error))?;
        let clock = Clock::start();
        let beginning = Beginning {
            name: settings.name.clone(),
            key: key.key(),
            room: settings.room.clone(),
            grace: settings.grace,
            memory: Memory::recalled(&settings.room, records),
            seed: fastrand::u64(..),
        };
        let connection = Connection::open(endpoint)?;
        let terminal = Terminal::open(&settings.name)?.colored(settings.color).typing(&settings.typing);
        let disk = Disk::new(journal.length());
        Ok(Self {
            member: Member::new(beginning, clock.now()),
            clock,
            connection,
            screen: Screen::new(terminal.written()),
            terminal,
            recent: Recent::default(),
            journal,
            disk,
            is_over: false,
            further: VecDeque::new(),
            end: None,
        })
    }

    /// Until the machine says that it is over.
    async fn chat(&mut self, signals: &mut Signals) -> End {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.turn(signals).await;
            self.follow_up();
            self.tidy();
        }
    }

    async fn turn(&mut self, signals: &mut Signals) {
        let deadline = self.clock.deadline(self.member.next_deadline());
        let look_at = self.clock.deadline(self.connection.next_look());
        let may_type = self.member.has_room();
        select! {
            () = signals.drain() => self.input(Input::Leave),
            typed = self.terminal.gone(), if !self.is_over => {
                self.is_over = true;
                self.on_typed(typed);
            }
            done = self.disk.done() => self.on_done(done),
            () = self.connection.readable() => self.receive(),
            () = sleep_until(deadline) => self.input(Input::Tick),
            () = sleep_until(look_at) => self.look_at_delivery(),
            () = self.screen.writes() => self.look_at_screen(),
            typed = self.terminal.next(), if may_type => self.on_typed(typed),
        }
    }

    /// Brings an input to the machine, and all that comes of it.
    fn input(&mut self, input: Input<'_>) {
        // Never the effects: a hello has the key in it.
        trace!(?input, "input");
        let effects = self.member.on(self.clock.now(), input);
        self.carry_out(effects);
        self.follow_up();
    }

    /// What all that was done led to is an input as well, before any other.
    fn follow_up(&mut self) {
        while let Some(input) = self.further.pop_front() {
            let effects = self.member.on(self.clock.now(), input);
            self.carry_out(effects);
        }
    }

    fn receive(&mut self) {
        for _ in 0..TURN {
            match self.connection.try_receive() {
                None => return self.look_at_connection(),
                // Nobody of ours, and no classic room, sends several parts.
                Some(Err(_)) => self.input(Input::Frame { bytes: b"", at: unix_millis() }),
                Some(Ok(batch)) => self.input(Input::Frame { bytes: &batch, at: unix_millis() }),
            }
        }
    }

    fn look_at_connection(&mut self) {
        if let Some(news) = self.connection.news() {
            self.input(news);
        }
    }

    fn look_at_delivery(&mut self) {
        if let Some(delivered) = self.connection.look(self.clock.now()) {
            self.input(delivered);
        }
    }

    fn look_at_screen(&mut self) {
        if let Some(shown) = self.screen.shown() {
            self.input(Input::Shown(shown));
        }
    }

    fn on_typed(&mut self, typed: Typed) {
        match typed {
            Typed::History(most) => self.recent.last(most).iter().for_each(|line| self.terminal.show(line)),
            Typed::Leave => self.input(Input::Leave),
            typed => self.input(Input::Typed { typed, at: unix_millis() }),
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut is_unkept = false;
        for effect in effects {
            match effect {
                Effect::Send(frame) => self.connection.send(frame),
                Effect::Pass(texts) => {
                    let taken = self.connection.pass(texts, self.clock.now());
                    self.further.push_back(Input::Passed { taken });
                }
                Effect::Show(line) => {
                    self.recent.observe(&line);
                    self.terminal.show(&line);
                }
                Effect::Await(shown) => self.expect(shown),
                Effect::Know(names) => self.terminal.know(names),
                Effect::Private(has_private) => self.terminal.expect_private(has_private),
                Effect::Rename(name) => self.terminal.rename(&name),
                Effect::Keep(written) if !is_unkept => is_unkept = !self.keep(&written),
                // It follows a record that could not be kept, and goes with it.
                Effect::Keep(_) => {}
                Effect::Sync => self.sync(),
                Effect::End(end) => self.end = Some(end),
            }
        }
    }

    fn expect(&mut self, shown: Shown) {
        self.screen.expect(self.terminal.lines(), shown);
        self.further.extend(self.screen.shown().map(Input::Shown));
    }

    fn keep(&mut self, written: &Written) -> bool {
        match self.journal.append(&written.record) {
            Ok(()) => self.disk.written = written.order,
            Err(error) => self.unkept(written.order, &error),
        }
        self.disk.written == written.order
    }

    fn unkept(&mut self, from: u64, error: &io::Error) {
        self.disk.written = from.saturating_sub(1);
        self.further.push_back(Input::Unkept { from, why: error.to_string() });
    }

    fn sync(&mut self) {
        if self.disk.is_busy() {
            self.disk.is_asked_again = true;
            return;
        }
        match self.journal.handle() {
            Ok(file) => self.disk.sync(file, self.journal.length()),
            Err(error) => self.unkept(self.disk.synced + 1, &error),
        }
    }

    fn on_done(&mut self, done: Done) {
        let mut is_asked_again = std::mem::take(&mut self.disk.is_asked_again);
        match done {
            Done::Synced(to, outcome) => self.on_synced(to, outcome),
            Done::Shortened(to, written) => {
                let outcome = self.journal.end_short(written);
                // Its name is on the disk with the next.
                is_asked_again |= outcome.is_ok();
                self.disk.on_shortened(to, outcome, self.clock.now());
            }
        }
        if is_asked_again {
            self.sync();
        }
    }

    fn on_synced(&mut self, to: u64, outcome: io::Result<u64>) {
        match outcome {
            Ok(length) => {
                (self.disk.synced, self.disk.synced_length) = (to, length);
                self.input(Input::Synced { to });
            }
            Err(error) => {
                // What the disk has of it nobody knows: it is written again.
                if let Err(error) = self.journal.cut(self.disk.synced_length) {
                    warn!(%error, "the journal cannot be cut");
                }
                self.unkept(self.disk.synced + 1, &error);
            }
        }
    }

    /// A journal that became long is made short, when nobody waits for the disk.
    fn tidy(&mut self) {
        if self.disk.may_shorten(&self.journal, self.clock.now()) {
            self.disk.shorten(self.journal.begin_short(&self.member.records()));
        }
    }

    async fn close(mut self, settings: &Settings, end: End) -> Result<Exit, Failure> {
        if let End::GraceExpired(waiting) = end {
            self.terminal.show(&crate::Line::Warned(left_behind(waiting)));
        }
        self.connection.close();
        let has_unsaid = self.terminal.has_unsaid();
        self.terminal.close().await;
        // What was written since is not to be shown again next time.
        let last = self.screen.shown().map(|shown| self.member.on(self.clock.now(), Input::Shown(shown)));
        for effect in last.into_iter().flatten() {
            if let Effect::Keep(written) = effect
                && let Err(error) = self.journal.append(&written.record)
            {
                warn!(%error, "what was seen is not written down");
            }
        }
        match end {
            End::Left if !has_unsaid => Ok(Exit::Clean),
            End::Left | End::GraceExpired(_) | End::InDoubt => Ok(Exit::GraceExpired),
            End::Refused(why) => Err(refused(&settings.name, why)),
        }
    }
}
