//! Logs, on stderr: for people a short line, coloured on a terminal; for machines one flat JSON object a line.
//!
//! A node calls [`init`] once, before anything else. What may be said again and again is asked of a [`RateLimited`]
//! first. A stderr that is closed or full costs the lines, never the process.

use std::{
    env, fmt,
    fs::File,
    io::{self, IsTerminal as _},
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::MetadataExt as _,
    },
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::ValueEnum;
use proto::time::Instant;
use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::{MakeWriter, format::Writer, time::FormatTime};

use crate::exit::Failure;

const LEVEL_VARIABLE: &str = "PEGLOOM_LOG";

// On each flag, not on the struct, where it would go on to the flags of the command that flattens it. Values are named
// in the help, not listed under it: each would take a line in the help of every node.
const HEADING: &str = "Logs, on stderr";

/// What is logged, and how it looks.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LogArgs {
    /// The least important lines to log: error, warn, info, debug or trace; `PEGLOOM_LOG` says where this does not,
    /// and info where neither does
    #[arg(long, value_enum, value_name = "LEVEL", hide_possible_values = true, help_heading = HEADING)]
    pub log_level: Option<LogLevel>,

    /// How lines look: text for people, or json, one object a line with its fields at the top
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        hide_possible_values = true,
        help_heading = HEADING
    )]
    pub log_format: LogFormat,

    /// Colours in text: always, never, or auto, which is on a terminal unless `NO_COLOR` is set
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true,
        help_heading = HEADING
    )]
    pub color: Color,
}

/// How important a line is, the most important first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// A human must act.
    Error,
    /// Degraded, and counted.
    Warn,
    /// Lifecycle.
    #[default]
    Info,
    /// Decisions.
    Debug,
    /// Every input and effect.
    Trace,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one object a line, its fields at the top.
    Json,
}

/// When text has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that shows them.
    #[default]
    Auto,
    /// Even in a pipe.
    Always,
    /// Not even on a terminal.
    Never,
}

/// Logs to stderr from now on. The first call in a process counts.
pub fn init(args: &LogArgs) -> Result<(), Failure> {
    let level = level(args.log_level, exported(LEVEL_VARIABLE).as_deref())?;
    let is_colored = args.color.is_wanted_on(&io::stderr());
    let subscriber = subscriber(level, args.log_format, is_colored, || Stderr);
    // Fails only where a subscriber was set before, which stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

impl LogArgs {
    /// On a person's screen: warnings and worse, unless somebody asks for more.
    #[must_use]
    pub fn quiet(&self) -> Self {
        let is_asked_for = exported(LEVEL_VARIABLE).is_some();
        let log_level = self.log_level.or((!is_asked_for).then_some(LogLevel::Warn));
        Self { log_level, ..self.clone() }
    }
}

fn exported(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Hears a line of log in the place of stderr.
type Listener = Box<dyn Fn(&[u8]) + Send>;

static ELSEWHERE: Mutex<Option<Listener>> = Mutex::new(None);

/// Lines go there from now on, or to stderr again: an editor has the terminal, and a line that is written past it would
/// tear what is being typed.
pub fn divert(to: Option<Listener>) {
    *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// Whether stderr is the very terminal that this is.
pub fn is_on(terminal: &(impl io::IsTerminal + AsFd)) -> bool {
    let stderr = io::stderr();
    stderr.is_terminal()
        && terminal.is_terminal()
        && device(&stderr).is_some_and(|it| Some(it) == device(terminal))
}

/// Which device it is, if that can be known.
fn device(file: &impl AsFd) -> Option<u64> {
    let file = File::from(file.as_fd().try_clone_to_owned().ok()?);
    Some(file.metadata().ok()?.rdev())
}

/// A stderr that never waits. A line that finds it full (a pipe whose reader has stopped) is lost: waiting would stop the
/// shard that has something to say, and with it all its traffic.
struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(hears) = &*ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) {
            hears(line);
            return Ok(line.len());
        }
        let mut stderr = io::stderr().lock();
        // A pipe with room has it for a page; lines are shorter.
        if has_room(&stderr) {
            stderr.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(unsafe_code, reason = "poll(2), which nothing we depend on wraps")]
fn has_room(file: &impl AsRawFd) -> bool {
    let mut look = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: `look` is one entry and lives as long as the call.
    unsafe { libc::poll(&raw mut look, 1, 0) > 0 }
}

fn level(typed: Option<LogLevel>, exported: Option<&str>) -> Result<Level, Failure> {
    let of_variable = |text: &str| {
        LogLevel::from_str(text.trim(), true).map_err(|_| {
            let why = format!("`{text}` is not error, warn, info, debug or trace");
            Failure::cannot(format!("read {LEVEL_VARIABLE}"), why, format!("{LEVEL_VARIABLE}=info"))
                .as_usage()
        })
    };
    let level = match (typed, exported) {
        (Some(level), _) => level,
        (None, Some(text)) => of_variable(text)?,
        (None, None) => LogLevel::default(),
    };
    Ok(level.into())
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl Color {
    /// Whether there are colours in what is written there.
    pub fn is_wanted_on(self, output: &impl io::IsTerminal) -> bool {
        let is_plain = exported("NO_COLOR").is_some() || exported("TERM").as_deref() == Some("dumb");
        self.is_wanted(output.is_terminal() && !is_plain)
    }

    fn is_wanted(self, by_default: bool) -> bool {
        match self {
            Self::Auto => by_default,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

fn subscriber<W>(
    level: Level,
    format: LogFormat,
    is_colored: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_writer(writer)
        // It would say on stderr that stderr cannot be written to, and panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => Box::new(lines.with_ansi(is_colored).with_timer(TimeOfDay).compact().finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
    }
}

/// `07:08:09.123Z`: whoever reads along knows the day.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        w.write_str(&time_of_day(since_1970))
    }
}

fn time_of_day(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{:03}Z", since_1970.subsec_millis())
}

/// Lets one of a repeated line through a second, and counts the others.
#[derive(Clone, Debug, Default)]
pub struct RateLimited {
    /// When the next may go through; none before the first.
    next: Option<Instant>,
    left_out: u64,
}

impl RateLimited {
    /// The shortest time between two lines.
    pub const PERIOD: Duration = Duration::from_secs(1);

    /// Whether the line may be logged: if so, with how many that were left out before it.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.left_out += 1;
            return None;
        }
        self.next = Some(now + Self::PERIOD);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, sync::Arc};

    use clap::Parser;

    use super::*;
    use crate::exit::Exit;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What one warning in a span, after a line that is less important than `level`, looks like.
    fn logged(format: LogFormat, is_colored: bool) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = subscriber(Level::INFO, format, is_colored, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            let _session = tracing::info_span!("session", id = 7).entered();
            tracing::debug!("not logged");
            tracing::warn!(destination = "mirror", left_out = 3, "destination away");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn parse(words: &[&str]) -> Result<LogArgs, clap::Error> {
        #[derive(clap::Parser)]
        struct Node {
            #[command(flatten)]
            log: LogArgs,
        }
        Node::try_parse_from(std::iter::once(&"node").chain(words)).map(|node| node.log)
    }

    #[test]
    fn text_is_one_short_line_without_colours_in_a_pipe() {
        let text = logged(LogFormat::Text, false);
        let (time, line) = text.split_at("00:00:00.000Z".len());

        assert_eq!(time.replace(|c: char| c.is_ascii_digit(), "0"), "00:00:00.000Z");
        assert!(line.trim_start().starts_with("WARN session: destination away"), "{text}");
        assert!(line.contains("destination=\"mirror\" left_out=3"), "{text}");
        assert_eq!((text.lines().count(), text.contains('\u{1b}')), (1, false), "{text}");
    }

    #[test]
    fn text_has_colours_where_they_are_wanted() {
        assert!(logged(LogFormat::Text, true).contains("\u{1b}["));
        let wanted = |color: Color| [false, true].map(|by_default| color.is_wanted(by_default));
        assert_eq!(wanted(Color::Auto), [false, true]);
        assert_eq!(wanted(Color::Always), [true, true]);
        assert_eq!(wanted(Color::Never), [false, false]);
    }

    #[test]
    fn json_has_its_fields_at_the_top_and_the_span_beside_them() {
        for is_colored in [false, true] {
            let text = logged(LogFormat::Json, is_colored);

            assert_eq!(text.lines().count(), 1, "{text}");
            let record: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&record["level"], &record["message"]), (&"WARN".into(), &"destination away".into()));
            assert_eq!((&record["destination"], &record["left_out"]), (&"mirror".into(), &3.into()));
            assert_eq!(record["span"]["id"], 7);
            assert!(record["timestamp"].as_str().unwrap().ends_with('Z'), "{text}");
        }
    }

    #[test]
    fn a_flag_beats_the_variable_which_beats_the_default() {
        assert_eq!(level(None, None).unwrap(), Level::INFO);
        assert_eq!(level(None, Some("Debug")).unwrap(), Level::DEBUG);
        assert_eq!(level(Some(LogLevel::Error), Some("loud")).unwrap(), Level::ERROR);

        let refused = level(None, Some("loud")).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert_eq!(
            refused.to_string(),
            "cannot read PEGLOOM_LOG: `loud` is not error, warn, info, debug or trace\n  try: PEGLOOM_LOG=info"
        );
    }

    #[test]
    fn flags_are_read_and_wrong_ones_refused() {
        let args = parse(&["--log-level", "trace", "--log-format", "json", "--color", "never"]).unwrap();

        assert_eq!((args.log_level, args.log_format), (Some(LogLevel::Trace), LogFormat::Json));
        assert_eq!(args.color, Color::Never);
        for wrong in [["--log-level", "loud"], ["--log-format", "xml"], ["--color", "blue"]] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn two_files_are_of_one_device_or_of_two() {
        let [null, again, zero] =
            ["/dev/null", "/dev/null", "/dev/zero"].map(|path| device(&File::open(path).unwrap()).unwrap());

        assert_eq!(null, again);
        assert_ne!(null, zero);
        assert!(!is_on(&File::open("/dev/null").unwrap()));
    }

    #[test]
    fn a_quiet_one_logs_warnings_unless_a_flag_asks_for_more() {
        let asked = LogArgs { log_level: Some(LogLevel::Debug), ..LogArgs::default() };

        assert_eq!(asked.quiet().log_level, Some(LogLevel::Debug));
        if exported(LEVEL_VARIABLE).is_none() {
            assert_eq!(LogArgs::default().quiet().log_level, Some(LogLevel::Warn));
        }
    }

    #[test]
    fn lines_go_elsewhere_while_that_is_wanted() {
        let kept = Kept::default();
        let hears = kept.clone();
        divert(Some(Box::new(move |line| hears.0.lock().unwrap().extend_from_slice(line))));
        Stderr.write_all(b"a line\n").unwrap();
        divert(None);
        Stderr.flush().unwrap();

        assert_eq!(*kept.0.lock().unwrap(), b"a line\n");
    }

    /// Fails if the answer is not asked for: the write that follows would wait for ever.
    #[test]
    fn a_pipe_nobody_reads_has_room_until_it_is_full() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut lines = 0;
        while has_room(&writer) && lines < 1_000_000 {
            writer.write_all(&[b'x'; 100]).unwrap();
            lines += 1;
        }
        assert!((1..1_000_000).contains(&lines), "{lines}");
        drop(reader);
    }

    #[test]
    fn the_time_of_day_is_short_and_wraps_at_midnight() {
        assert_eq!(time_of_day(Duration::from_millis(86_400_000 + 25_689_123)), "07:08:09.123Z");
        assert_eq!(time_of_day(Duration::ZERO), "00:00:00.000Z");
    }

    #[test]
    fn one_line_a_second_goes_through_with_the_count_of_the_others() {
        let mut limit = RateLimited::default();
        let at = |millis: u64| Instant::from_micros(millis * 1000);

        let admitted = [0, 1, 999, 1000, 1001, 5000, 5001, 6000].map(|millis| limit.admit(at(millis)));

        assert_eq!(admitted, [Some(0), None, None, Some(2), None, Some(1), None, Some(1)]);
    }
}
