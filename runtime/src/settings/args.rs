//! The flags that say what is served, exactly as they were typed.
//!
//! `up`, `ingress`, `fanout` and `check` all flatten [`RouteArgs`]. Nothing is judged here, not even which flags go
//! together, so that everything wrong can be said at once by [`Settings::load`](super::Settings::load).

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    Http, Route, Settings,
    given::{Given, Origin, Raw},
    key::help_of,
};

/// Examples for the foot of a command's help.
pub const EXAMPLES: &str = "\
Examples:
  One source port, a primary and a mirror, nothing to write first:
    pegloom up --listen tcp://:7890 --forward 10.0.0.1:1234 --forward 10.0.0.2:1234 --codec lines

  A reverse proxy with a cache before three servers:
    pegloom up --listen http://:8080 --forward a:80 --forward b:80 --forward c:80 --ttl 180s

  Several routes, or anything beyond the flags, from a file:
    pegloom init replicate > pegloom.toml
    pegloom check --config pegloom.toml
    pegloom up --config pegloom.toml

  A file with SOURCE_PORT, MODE and DESTINATIONS:
    pegloom up --env .env

A flag beats the environment (PEGLOOM_GRACE=30s), the environment beats the file, the file beats the default.";

// On each flag, not on the struct, where it would go on to the flags of the command that flattens it.
const HEADING: &str = "What is served";

/// What is served: one of a settings file, an `.env` file, or --listen with --forward.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RouteArgs {
    /// Settings file in TOML; `pegloom init replicate` writes one to begin with
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub config: Option<PathBuf>,

    /// File with `SOURCE_PORT`, `MODE` and `DESTINATIONS`; the same variables in the environment beat it
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub env: Option<PathBuf>,

    /// Where sources connect, as in `tcp://:7890` (every interface), `tcp://127.0.0.1:0` (any free port) `udp://:7890` or
    /// `http://:8080`
    #[arg(long, value_name = "URL", help_heading = HEADING)]
    pub listen: Option<String>,

    /// Destination as HOST:PORT, or :PORT on this machine; give it again for each further one, the first is primary
    #[arg(long, value_name = "ADDRESS", help_heading = HEADING)]
    pub forward: Vec<String>,

    /// How frames are told apart, in every route.
    #[arg(long, value_name = "CODEC", help_heading = HEADING, help = help_of(Route::KEYS, "codec"))]
    pub codec: Option<String>,

    /// How long a reply may be answered from the cache.
    #[arg(long, value_name = "TIME", help_heading = HEADING, help = help_of(Http::KEYS, "ttl"))]
    pub ttl: Option<String>,

    /// Threads that carry traffic.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help = help_of(Settings::KEYS, "shards"))]
    pub shards: Option<String>,

    /// How long a drain may take.
    #[arg(long, value_name = "TIME", help = help_of(Settings::KEYS, "grace"))]
    pub grace: Option<String>,

    /// Where to keep what is kept on disk.
    #[arg(long, value_name = "DIR", help = help_of(Settings::KEYS, "data_dir"))]
    pub data_dir: Option<String>,

    /// Where caches are purged.
    #[arg(long, value_name = "ADDRESS", help = help_of(Settings::KEYS, "admin"))]
    pub admin: Option<String>,

    /// Where requests are logged.
    #[arg(long, value_name = "FILE", help = help_of(Settings::KEYS, "access_log"))]
    pub access_log: Option<String>,
}

impl RouteArgs {
    /// The flags that set keys, by those keys.
    pub(super) fn keys(&self) -> BTreeMap<&'static str, Given> {
        let flags = [
            ("listen", "--listen", &self.listen),
            ("codec", "--codec", &self.codec),
            ("shards", "--shards", &self.shards),
            ("grace", "--grace", &self.grace),
            ("ttl", "--ttl", &self.ttl),
            ("data_dir", "--data-dir", &self.data_dir),
            ("admin", "--admin", &self.admin),
            ("access_log", "--access-log", &self.access_log),
        ];
        let words = |(key, flag, text): (_, _, &Option<String>)| {
            let raw = Raw::Words(text.clone()?);
            Some((key, Given::new(raw, key, Origin::Flag(flag))))
        };
        let mut keys: BTreeMap<_, _> = flags.into_iter().filter_map(words).collect();
        keys.extend(self.destinations().map(|given| ("destinations", given)));
        keys
    }

    fn destinations(&self) -> Option<Given> {
        let given = |raw| Given::new(raw, "forward", Origin::Flag("--forward"));
        let items = self.forward.iter().map(|address| given(Raw::Words(address.clone())));
        (!self.forward.is_empty()).then(|| given(Raw::List(items.collect())))
    }

    pub(super) fn has_route(&self) -> bool {
        self.listen.is_some() || !self.forward.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// Serves.
    #[derive(clap::Parser)]
    struct Up {
        #[command(flatten)]
        routes: RouteArgs,
        #[arg(long)]
        own: Option<PathBuf>,
    }

    #[test]
    fn what_was_typed_is_kept_as_it_is() {
        let typed =
            ["up", "--listen", "x", "--forward", "a:1", "--forward", "b", "--shards", "x", "--grace=0"];

        let args = Up::parse_from(typed).routes;

        assert_eq!(args.listen.as_deref(), Some("x"));
        assert_eq!(args.forward, ["a:1", "b"]);
        assert_eq!((args.shards.as_deref(), args.grace.as_deref()), (Some("x"), Some("0")));
    }

    #[test]
    fn the_command_keeps_its_own_description_and_flags() {
        let up = Up::parse_from(["up", "--own", "d", "--shards", "-1"]);
        let command = <Up as clap::CommandFactory>::command();
        let own = command.get_arguments().find(|argument| argument.get_id() == "own").unwrap();

        assert_eq!((up.own, up.routes.shards.as_deref()), (Some("d".into()), Some("-1")));
        assert_eq!(command.get_about().unwrap().to_string(), "Serves");
        assert_eq!(own.get_help_heading(), None);
    }

    #[test]
    fn the_help_of_a_flag_is_the_help_of_its_key_and_ends_with_examples() {
        let help = <Up as clap::CommandFactory>::command().term_width(10_000).render_help().to_string();

        for (keys, name) in [(Route::KEYS, "codec"), (Settings::KEYS, "shards"), (Settings::KEYS, "grace")] {
            assert!(help.contains(&help_of(keys, name)), "{name} in {help}");
        }
        assert!(help.trim_end().ends_with("the file beats the default."), "{help}");
    }
}
