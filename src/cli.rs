//! The command line: which subcommands there are, and how what they return ends the process.
//!
//! To add a subcommand, add its variant to `Command` and its arm to `Command::run`.

use std::{ffi::OsString, iter};

use clap::{
    CommandFactory, FromArgMatches, Parser, Subcommand,
    builder::styling::{AnsiColor, Styles},
};
use runtime::exit::{self, Exit, Failure};

use crate::{check, demo, echo, examples, init, top, up};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Replicates live TCP traffic to several destinations and gives the source the first one's answers
#[derive(Parser)]
#[command(name = "pegloom", version, styles = STYLES, max_term_width = 100, after_help = examples::PEGLOOM)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    /// Run everything in one process
    Up(up::Args),
    /// Run an ingress: it ends the sources' connections and decides what goes where
    #[command(after_help = examples::INGRESS)]
    Ingress(ingress::Args),
    /// Run a fanout worker: it serves one destination of an ingress
    #[command(after_help = examples::FANOUT)]
    Fanout(fanout::Args),
    /// Run the stats-node: it adds up what every node counts, and shows it
    #[command(after_help = examples::STATS_NODE)]
    StatsNode(stats_node::Args),
    /// Chat: in a room, with one other, or in a mesh without a server
    #[command(after_help = examples::CHAT)]
    Chat(chat::Args),
    Top(top::Args),
    Check(check::Args),
    Init(init::Args),
    Echo(echo::Args),
}

impl Command {
    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Demo(args) => demo::run(&args),
            Self::Up(args) => up::run(&args),
            Self::Ingress(args) => ingress::run(&args),
            Self::Fanout(args) => fanout::run(&args),
            Self::StatsNode(args) => stats_node::run(&args),
            Self::Chat(args) => chat::run(&args),
            Self::Top(args) => top::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Init(args) => init::run(&args),
            Self::Echo(args) => echo::run(args),
        }
    }
}

/// Runs the command that `args` spell, and says how it ended.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    match parse(args) {
        Ok((name, command)) => exit::conclude(&name, command.run()),
        Err(error) => exit::of_command_line(&error),
    }
}

/// The command and what its errors begin with, as in `pegloom check`.
fn parse(args: impl IntoIterator<Item = OsString>) -> Result<(String, Command), clap::Error> {
    let mut definition = Cli::command();
    let words = iter::once(definition.get_name().into()).chain(args);
    let matches = definition.try_get_matches_from_mut(words)?;
    let name = format!("{} {}", definition.get_name(), matches.subcommand_name().unwrap_or_default());
    Ok((name, Cli::from_arg_matches(&matches)?.command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_is_named_as_it_is_typed() {
        let typed = ["init", "replicate"].map(OsString::from);

        let (name, command) = parse(typed).unwrap();

        assert_eq!(name, "pegloom init");
        assert!(matches!(command, Command::Init(_)));
    }

    #[test]
    fn every_subcommand_says_what_it_does_and_gives_an_example() {
        let commands: Vec<_> = Cli::command().get_subcommands().cloned().collect();
        assert!(!commands.is_empty());

        for mut command in commands {
            let help = command.render_long_help().to_string();
            let example = format!("pegloom {} ", command.get_name());
            assert!(command.get_about().is_some() && help.contains(&example), "{help}");
        }
    }
}
