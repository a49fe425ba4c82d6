//! How a command ends: an exit code, and for people one line that says what could not be done and why, and one that
//! says what to try.
//!
//! Commands return `Result<Exit, Failure>`; [`conclude`] is the one place that turns it into words on stderr and a
//! code. Output for stdout goes through [`print`], so that a reader who has gone is no reason to panic.

use std::{
    error::Error,
    fmt,
    io::{self, Write as _},
    process::{ExitCode, Termination},
};

use crate::settings::Problems;

/// What a command's end means to whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or drained: nothing was left.
    Clean,
    /// It could not do what it was asked.
    Failed,
    /// The grace was over and there was work left.
    GraceExpired,
    /// Wrong flags or settings; nothing was tried.
    Usage,
}

impl Exit {
    /// The process's exit code; 64 is `EX_USAGE` of sysexits.
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::GraceExpired => 2,
            Self::Usage => 64,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

/// Why a command ends before its time.
#[derive(Debug)]
pub enum Failure {
    /// Something it tried.
    Cannot {
        /// What, as it goes on after "cannot": `listen on tcp://:7890`.
        what: String,
        /// The cause.
        why: Box<dyn Error + Send + Sync>,
        /// What to try instead.
        advice: String,
        /// The code it ends with.
        exit: Exit,
    },
    /// Its settings, with advice for each problem.
    Settings(Problems),
}

impl Failure {
    /// A failure to do `what`, as it goes on after "cannot".
    pub fn cannot(
        what: impl Into<String>,
        why: impl Into<Box<dyn Error + Send + Sync>>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Cannot { what: what.into(), why: why.into(), advice: advice.into(), exit: Exit::Failed }
    }

    /// A failure to get a process going: the system has run short of something.
    pub fn cannot_start(error: io::Error) -> Self {
        Self::cannot("start", error, "more file descriptors (ulimit -n) or threads for this process")
    }

    /// The same, as the fault of what was typed or exported.
    pub fn as_usage(mut self) -> Self {
        if let Self::Cannot { exit, .. } = &mut self {
            *exit = Exit::Usage;
        }
        self
    }

    /// The cause, without the advice.
    pub fn why(&self) -> String {
        match self {
            Self::Cannot { why, .. } => in_words(why.as_ref()),
            Self::Settings(problems) => problems.to_string(),
        }
    }

    /// How a command that fails so ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Cannot { exit, .. } => *exit,
            Self::Settings(_) => Exit::Usage,
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Settings(problems)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cannot { what, why, advice, .. } => {
                write!(f, "cannot {what}: {}\n  try: {advice}", in_words(why.as_ref()))
            }
            Self::Settings(problems) => problems.fmt(f),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cannot { why, .. } => Some(why.as_ref()),
            Self::Settings(problems) => Some(problems),
        }
    }
}

/// An error in the middle of a sentence: what the operating system says, in small letters and without its number.
fn in_words(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    let is_of_system = error.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error().is_some());
    match text.split_once(" (os error ") {
        Some((words, _)) if is_of_system => words.to_lowercase(),
        _ => text,
    }
}

/// Says on stderr why `command` (such as `pegloom up`) ends, if there is anything to say, and how.
pub fn conclude(command: &str, end: Result<Exit, Failure>) -> Exit {
    end.unwrap_or_else(|failure| {
        // Nobody is left to be told if stderr is closed.
        let _ = writeln!(io::stderr(), "{command}: {failure}");
        failure.exit()
    })
}

/// Prints what clap has to say: help and version on stdout are a clean end, anything else is wrong usage.
pub fn of_command_line(error: &clap::Error) -> Exit {
    // Nobody is left to be told if it fails.
    let _ = error.print();
    asked_or_wrong(error)
}

fn asked_or_wrong(error: &clap::Error) -> Exit {
    if error.use_stderr() { Exit::Usage } else { Exit::Clean }
}

/// Writes `text` to stdout, at once. A reader that has heard enough (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::cannot("write to stdout", error, "a place with room left, or another one"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn codes_are_those_of_the_documents() {
        let codes = [Exit::Clean, Exit::Failed, Exit::GraceExpired, Exit::Usage].map(Exit::code);

        assert_eq!(codes, [0, 1, 2, 64]);
        assert_eq!(format!("{:?}", Exit::Usage.report()), format!("{:?}", ExitCode::from(64)));
    }

    #[test]
    fn a_failure_is_one_line_of_why_and_one_of_what_to_try() {
        let taken = io::Error::from_raw_os_error(98);

        let failure = Failure::cannot("listen on tcp://:1", taken, "another port");

        assert_eq!(
            failure.to_string(),
            "cannot listen on tcp://:1: address already in use\n  try: another port"
        );
        assert_eq!(failure.exit(), Exit::Failed);
        assert!(failure.source().is_some_and(<dyn Error>::is::<io::Error>));
        assert_eq!(failure.as_usage().exit(), Exit::Usage);
    }

    #[test]
    fn words_of_our_own_are_left_as_they_are() {
        let failure = Failure::cannot("read PEGLOOM_LOG", "`Loud` is not a level", "PEGLOOM_LOG=info");

        assert!(failure.to_string().starts_with("cannot read PEGLOOM_LOG: `Loud` is not a level\n"));
    }

    #[test]
    fn problems_with_the_settings_are_wrong_usage_in_their_own_words() {
        let problems = Settings::from_toml("f", "").unwrap_err();
        let words = problems.to_string();

        let failure = Failure::from(problems);

        assert_eq!((failure.to_string(), failure.exit()), (words, Exit::Usage));
    }

    #[test]
    fn only_help_and_version_end_clean_before_anything_began() {
        let end = |argument: &str| {
            let command = clap::Command::new("test").version("1").arg(clap::Arg::new("a").long("a"));
            asked_or_wrong(&command.try_get_matches_from(["test", argument]).unwrap_err())
        };

        assert_eq!(["--help", "--version"].map(end), [Exit::Clean; 2]);
        assert_eq!(["--b", "--a", "a"].map(end), [Exit::Usage; 3]);
    }
}
