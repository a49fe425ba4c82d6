//! Which file or flags say what is served, and reading that file.
//!
//! Exactly one of a TOML file, an `.env` file and the flags names the routes; two at once are refused rather than
//! mixed. A flag that names one beats a variable that names another.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    args::RouteArgs,
    dotenv,
    environment::Environment,
    given::{Given, Origin, Raw, Table},
    layers::keep,
    problem::Problem,
    toml_file,
};

const MAX_FILE: u64 = 1 << 20;
const CONFIG_VARIABLE: &str = "PEGLOOM_CONFIG";
const ENV_FILE_VARIABLE: &str = "PEGLOOM_ENV_FILE";

/// Who names the routes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Toml(PathBuf, Origin),
    Dotenv(PathBuf, Origin),
    Flags,
}

/// Finds who names the routes; nobody is a problem, two are another.
pub(super) fn choose(
    args: &RouteArgs,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Source> {
    refuse_mixtures(args, problems);
    let source = typed(args).or_else(|| exported(environment, problems));
    if source.is_none() {
        let advice = "--listen tcp://:7890 --forward HOST:PORT, or --config pegloom.toml, or --env .env";
        problems.push(Problem::new(Origin::CommandLine, "nothing says what to serve", advice));
    }
    source
}

fn typed(args: &RouteArgs) -> Option<Source> {
    let toml = args.config.clone().map(|path| Source::Toml(path, Origin::Flag("--config")));
    let dotenv = || args.env.clone().map(|path| Source::Dotenv(path, Origin::Flag("--env")));
    toml.or_else(dotenv).or_else(|| args.has_route().then_some(Source::Flags))
}

fn exported(environment: &Environment, problems: &mut Vec<Problem>) -> Option<Source> {
    let path = |given: Given| (PathBuf::from(given.text().unwrap_or_default()), given.origin);
    let toml = environment.given(CONFIG_VARIABLE).map(path);
    let dotenv = environment.given(ENV_FILE_VARIABLE).map(path);
    if let (Some((_, origin)), Some(_)) = (&toml, &dotenv) {
        let what = format!("{CONFIG_VARIABLE} and {ENV_FILE_VARIABLE} both name a file");
        problems.push(Problem::new(origin.clone(), what, "only one of the two"));
    }
    let has_route =
        ["PEGLOOM_LISTEN", "PEGLOOM_DESTINATIONS"].iter().any(|name| environment.given(name).is_some());
    toml.map(|(path, origin)| Source::Toml(path, origin))
        .or_else(|| dotenv.map(|(path, origin)| Source::Dotenv(path, origin)))
        .or_else(|| has_route.then_some(Source::Flags))
}

fn refuse_mixtures(args: &RouteArgs, problems: &mut Vec<Problem>) {
    let named = [
        ("--config", args.config.is_some()),
        ("--env", args.env.is_some()),
        ("--listen", args.listen.is_some()),
        ("--forward", !args.forward.is_empty()),
    ];
    let named: Vec<_> = named.into_iter().filter(|(_, is_typed)| *is_typed).map(|(flag, _)| flag).collect();
    let Some((first @ ("--config" | "--env"), others)) =
        named.split_first().map(|(first, rest)| (*first, rest))
    else {
        return;
    };
    for other in others {
        let what = format!("{first} and {other} both say what to serve");
        problems.push(Problem::new(Origin::Flag(first), what, format!("only one of {first} and {other}")));
    }
}

/// The table that the source gives, if it could be read at all.
pub(super) fn read(source: &Source, environment: &Environment, problems: &mut Vec<Problem>) -> Option<Table> {
    match source {
        Source::Flags => Some(route_of_flags()),
        Source::Toml(path, origin) => {
            let text = content(path, origin, problems)?;
            keep(toml_file::parse(&path.to_string_lossy(), &text), problems)
        }
        Source::Dotenv(path, origin) => {
            let text = content(path, origin, problems)?;
            Some(dotenv::parse(&path.to_string_lossy(), &text, environment, problems))
        }
    }
}

/// One route that says nothing itself: flags and the environment fill it.
fn route_of_flags() -> Table {
    let given = |raw| Given::new(raw, "route", Origin::CommandLine);
    let routes = given(Raw::List(vec![given(Raw::Table(Table::default()))]));
    Table([("route".to_owned(), routes)].into())
}

fn content(path: &Path, origin: &Origin, problems: &mut Vec<Problem>) -> Option<String> {
    let failed = |cause: io::Error| {
        let what = format!("cannot read {}: {cause}", path.display());
        Problem::new(origin.clone(), what, "the path of a file that is there and may be read")
    };
    read_text(path).map_err(|cause| problems.push(failed(cause))).ok()
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[(&str, &str)]) -> RouteArgs {
        let mut args = RouteArgs::default();
        for (flag, value) in words {
            match *flag {
                "config" => args.config = Some(value.into()),
                "env" => args.env = Some(value.into()),
                "listen" => args.listen = Some((*value).to_owned()),
                _ => args.forward.push((*value).to_owned()),
            }
        }
        args
    }

    fn chosen(words: &[(&str, &str)], variables: &[(&str, &str)]) -> (Option<Source>, Vec<String>) {
        let mut problems = Vec::new();
        let environment = variables.iter().copied().collect();
        let source = choose(&args(words), &environment, &mut problems);
        (source, problems.into_iter().map(|problem| problem.what).collect())
    }

    #[test]
    fn a_flag_beats_a_variable_in_naming_the_source() {
        let variables = [("PEGLOOM_CONFIG", "e.toml")];
        let exported = Source::Toml("e.toml".into(), Origin::Environment("PEGLOOM_CONFIG".to_owned()));

        let by_flag = Source::Dotenv("f".into(), Origin::Flag("--env"));
        assert_eq!(chosen(&[("env", "f")], &variables), (Some(by_flag), vec![]));
        assert_eq!(chosen(&[("listen", ":1")], &variables), (Some(Source::Flags), vec![]));
        assert_eq!(chosen(&[], &variables), (Some(exported), vec![]));
        assert_eq!(chosen(&[], &[("PEGLOOM_LISTEN", ":1")]), (Some(Source::Flags), vec![]));
    }

    #[test]
    fn two_sources_or_none_are_refused() {
        for (words, variables, problems) in [
            (vec![], vec![], vec!["nothing says what to serve"]),
            (vec![("config", "a"), ("env", "b")], vec![], vec!["--config and --env both say what to serve"]),
            (
                vec![("env", "a"), ("listen", ":1"), ("forward", ":2")],
                vec![],
                vec![
                    "--env and --listen both say what to serve",
                    "--env and --forward both say what to serve",
                ],
            ),
            (
                vec![],
                vec![("PEGLOOM_CONFIG", "a"), ("PEGLOOM_ENV_FILE", "b")],
                vec!["PEGLOOM_CONFIG and PEGLOOM_ENV_FILE both name a file"],
            ),
        ] {
            assert_eq!(chosen(&words, &variables).1, problems);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_the_cause() {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("binary");
        std::fs::write(&binary, [0xff, 0xfe]).unwrap();
        let large = directory.path().join("large");
        std::fs::write(&large, vec![b'#'; MAX_FILE as usize + 1]).unwrap();

        for (path, cause) in [
            (directory.path().join("missing"), "No such file or directory"),
            (binary, "stream did not contain valid UTF-8"),
            (large, "it is larger than 1 MiB"),
        ] {
            let mut problems = Vec::new();
            assert_eq!(content(&path, &Origin::Flag("--config"), &mut problems), None);
            assert!(problems[0].what.contains(&format!("{}: {cause}", path.display())), "{problems:?}");
        }
    }
}
