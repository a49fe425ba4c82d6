//! The `.env` file of three keys: `SOURCE_PORT`, `MODE` and `DESTINATIONS`.
//!
//! Becomes the same table that a TOML file with one route would give. The crate `dotenvy` reads much of the format,
//! but stops at a space after a comma, expands `$`, trips over a byte order mark and gives no line numbers; hence the
//! few lines here. Other keys are other programs' business and are passed over, unless they look like a slip.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    address::parse_port,
    environment::Environment,
    given::{Given, Origin, Raw, Table},
    problem::Problem,
    transport::Transport,
};

const SOURCE_PORT: &str = "SOURCE_PORT";
const MODE: &str = "MODE";
const DESTINATIONS: &str = "DESTINATIONS";
const KNOWN: [&str; 3] = [SOURCE_PORT, MODE, DESTINATIONS];

/// Reads `text`, the content of `file`; a variable of the same name in `environment` has the say over the file's.
pub(super) fn parse(file: &str, text: &str, environment: &Environment, problems: &mut Vec<Problem>) -> Table {
    let mut entries = entries(file, text, problems);
    for key in KNOWN {
        entries.extend(environment.given_in_any_case(key).map(|given| (key.to_owned(), given)));
    }
    let origin = Origin::Dotenv { file: file.into(), line: 0 };
    let transport = mode(entries.get(MODE), problems);
    let listen = source_port(entries.get(SOURCE_PORT), transport, &origin, problems);
    let destinations = destinations(entries.get(DESTINATIONS), &origin);
    refuse_slips(&entries, problems);
    one_route(origin, listen, destinations)
}

fn one_route(origin: Origin, listen: Given, destinations: Given) -> Table {
    let keys = [("listen".to_owned(), listen), ("destinations".to_owned(), destinations)];
    let route = Given::new(Raw::Table(Table(keys.into())), "route", origin.clone());
    let routes = Given::new(Raw::List(vec![route]), "route", origin);
    Table(BTreeMap::from([("route".to_owned(), routes)]))
}

/// Where to listen. What is refused is replaced by any free port, which nothing else can disagree with.
fn source_port(
    given: Option<&Given>,
    transport: Transport,
    origin: &Origin,
    problems: &mut Vec<Problem>,
) -> Given {
    let given = given.cloned().unwrap_or_else(|| Given::new(Raw::List(vec![]), SOURCE_PORT, origin.clone()));
    let port = match given.text() {
        None => Err("the port to listen on is missing".to_owned()),
        Some(text) => parse_port(text)
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("`{text}` is not a port; ports are 1 to 65535")),
    };
    let port = port.unwrap_or_else(|what| {
        problems.push(given.refuse(what, "7890"));
        0
    });
    given.saying(Raw::Words(format!("{transport}:{port}")))
}

fn destinations(given: Option<&Given>, origin: &Origin) -> Given {
    given.cloned().unwrap_or_else(|| Given::new(Raw::List(vec![]), DESTINATIONS, origin.clone()))
}

fn mode(given: Option<&Given>, problems: &mut Vec<Problem>) -> Transport {
    let Some(given) = given else { return Transport::Tcp };
    let mode = given.text().unwrap_or_default();
    match mode.to_ascii_lowercase().as_str() {
        "tcp" => {}
        "udp" => return Transport::Udp,
        _ => problems.push(given.refuse(format!("`{mode}` is not a mode; tcp and udp are"), "tcp")),
    }
    Transport::Tcp
}

/// A key that is missing and one that nearly has its name were meant to be one.
fn refuse_slips(entries: &BTreeMap<String, Given>, problems: &mut Vec<Problem>) {
    let missing: Vec<_> = KNOWN.into_iter().filter(|key| !entries.contains_key(*key)).collect();
    for (name, given) in entries.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
        let meant = missing.iter().find(|key| is_slip(name, key));
        problems.extend(meant.map(|key| given.refuse_with("this key is not known", *key)));
    }
}

/// Whether `name` is a letter or two from `key`; people rarely get the first one wrong.
fn is_slip(name: &str, key: &str) -> bool {
    let slips = if key.len() > 4 { 2 } else { 1 };
    name.chars().next() == key.chars().next() && strsim::osa_distance(name, key) <= slips
}

/// The keys, in capitals, and their values.
fn entries(file: &str, text: &str, problems: &mut Vec<Problem>) -> BTreeMap<String, Given> {
    let mut entries: BTreeMap<String, Given> = BTreeMap::new();
    let file: Arc<str> = file.into();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (text, line) in text.lines().zip(1..) {
        let origin = Origin::Dotenv { file: file.clone(), line };
        match entry(text, origin) {
            Ok(None) => {}
            Ok(Some(given)) => match entries.get(&given.key) {
                Some(first) => problems.push(said_twice(&given, first)),
                None => drop(entries.insert(given.key.clone(), given)),
            },
            Err(problem) => problems.push(problem),
        }
    }
    entries
}

fn said_twice(given: &Given, first: &Given) -> Problem {
    given.refuse_with(format!("already set in line {}", first.origin.line()), "one of the two")
}

/// What a line says, if anything.
fn entry(text: &str, origin: Origin) -> Result<Option<Given>, Problem> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let Some((key, value)) = without_export(text).split_once('=') else {
        return Err(Problem::new(
            origin,
            format!("`{text}` is not KEY=VALUE"),
            "KEY=VALUE, or # before a comment",
        ));
    };
    let given = Given::new(Raw::List(vec![]), key.trim().to_uppercase(), origin);
    match unquote(value.trim()) {
        Some(value) => Ok(Some(given.saying(Raw::Words(value.to_owned())))),
        None => Err(given.refuse_with(
            "the quotes are not closed, or something follows them",
            format!("{}=\"VALUE\"", given.key),
        )),
    }
}

fn without_export(text: &str) -> &str {
    match text.strip_prefix("export") {
        Some(rest) if rest.starts_with(char::is_whitespace) => rest,
        _ => text,
    }
}

/// A value without its quotes and without the comment behind it.
fn unquote(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Some(without_comment(value));
    };
    let (inside, behind) = value[1..].split_once(quote)?;
    let behind = behind.trim();
    (behind.is_empty() || behind.starts_with('#')).then_some(inside)
}

fn without_comment(value: &str) -> &str {
    let comment = value.char_indices().zip(std::iter::once(' ').chain(value.chars()));
    let start = comment.into_iter().find(|((_, c), before)| *c == '#' && before.is_whitespace());
    start.map_or(value, |((at, _), _)| &value[..at]).trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::resolved, *};

    /// `listen` and the destinations' addresses, or the problems.
    fn read(text: &str, variables: &[(&str, &str)]) -> Result<String, Vec<String>> {
        let environment: Environment = variables.iter().copied().collect();
        let mut problems = Vec::new();
        let table = parse(".env", text, &environment, &mut problems);
        let route = resolved(&environment, &table, problems)?.routes.remove(0);
        let addresses: Vec<_> = route.destinations.iter().map(|it| it.address.to_string()).collect();
        Ok(format!("{} > {}", route.listen, addresses.join(" ")))
    }

    #[test]
    fn every_usual_way_of_writing_it_is_read() {
        let rows = [
            "SOURCE_PORT=7890\nMODE=tcp\nDESTINATIONS=a:1,b:2",
            "SOURCE_PORT=7890\r\nMODE=TCP\r\nDESTINATIONS=a:1,b:2\r\n",
            "\u{feff}source_port = 7890  \n  Mode = Tcp \nDestinations = a:1 , b:2  ",
            "export SOURCE_PORT=\"7890\"\nexport\tMODE='tcp'\nDESTINATIONS=\"a:1, b:2\"",
            "# first\n\nSOURCE_PORT=7890 # inline\nDESTINATIONS=a:1,b:2\t# two\nMODE='tcp' # quoted",
            "SOURCE_PORT=7890\nDESTINATIONS=tcp://a:1,\ttcp://B:2\nNODE_ENV=production\nSECRET=a=b#c$d",
        ];
        for text in rows {
            assert_eq!(read(text, &[]).as_deref(), Ok("tcp://:7890 > a:1 b:2"), "{text:?}");
        }
    }

    #[test]
    fn destinations_may_be_names_and_addresses_of_both_families() {
        let text = "SOURCE_PORT=1\nDESTINATIONS=[::1]:9,mirror.example:2,10.0.0.1:3,:4";

        assert_eq!(read(text, &[]).unwrap(), "tcp://:1 > [::1]:9 mirror.example:2 10.0.0.1:3 localhost:4");
    }

    #[test]
    fn the_mode_says_what_is_carried() {
        let text = "SOURCE_PORT=1\nMODE=UDP \nDESTINATIONS=a:1";

        assert_eq!(read(text, &[]).unwrap(), "udp://:1 > a:1");
    }

    #[test]
    fn the_environment_beats_the_file() {
        let text = "SOURCE_PORT=1\nMODE=udp\nDESTINATIONS=a:1";
        let variables = [("SOURCE_PORT", "2"), ("mode", "tcp"), ("DESTINATIONS", "b:2,c:3")];

        assert_eq!(read(text, &variables).unwrap(), "tcp://:2 > b:2 c:3");
        assert_eq!(read("", &variables).unwrap(), "tcp://:2 > b:2 c:3");
    }

    #[test]
    fn a_bad_variable_is_named_even_where_the_file_is_good() {
        let text = "SOURCE_PORT=1\nDESTINATIONS=a:1";

        assert_eq!(
            read(text, &[("SOURCE_PORT", "x"), ("DESTINATIONS", "b:0")]).unwrap_err(),
            [
                "environment SOURCE_PORT: `x` is not a port; ports are 1 to 65535 / SOURCE_PORT=7890",
                "environment DESTINATIONS: DESTINATIONS[1]: `b:0`: port 0 is no destination; ports are 1 to 65535 / 10.0.0.1:1234",
            ]
        );
    }

    #[track_caller]
    fn refused(text: &str, problems: &[&str]) {
        assert_eq!(read(text, &[]).unwrap_err(), problems, "{text:?}");
    }

    #[test]
    fn bad_ports_and_modes_are_refused() {
        let port = |line: &str, port: &str| {
            refused(
                &format!("{line}\nDESTINATIONS=a:1"),
                &[&format!(
                    ".env:1: SOURCE_PORT: `{port}` is not a port; ports are 1 to 65535 / SOURCE_PORT=7890"
                )],
            );
        };
        for bad in ["0", "70000", "abc", "", "-1", "+1", "7890.0"] {
            port(&format!("SOURCE_PORT={bad}"), bad);
        }
        for (mode, what) in
            [("x", "`x` is not a mode; tcp and udp are"), ("", "`` is not a mode; tcp and udp are")]
        {
            refused(
                &format!("SOURCE_PORT=1\nMODE={mode}\nDESTINATIONS=a:1"),
                &[&format!(".env:2: MODE: {what} / MODE=tcp")],
            );
        }
    }

    #[test]
    fn bad_destinations_are_refused_each_with_its_place() {
        let none = "0 destinations, where 1 to 64 belong; the first is primary / DESTINATIONS=10.0.0.1:1234";
        let port = "ports are 1 to 65535 / 10.0.0.1:1234";

        refused("SOURCE_PORT=1", &[&format!(".env: DESTINATIONS: {none}")]);
        refused("SOURCE_PORT=1\nDESTINATIONS=\"\"", &[&format!(".env:2: DESTINATIONS: {none}")]);
        refused(
            "SOURCE_PORT=1\nDESTINATIONS=a:0,,b:70000,c:abc,:1,d:1,d:1",
            &[
                &format!(".env:2: DESTINATIONS[1]: `a:0`: port 0 is no destination; {port}"),
                ".env:2: DESTINATIONS[2]: the address is empty / 10.0.0.1:1234",
                &format!(".env:2: DESTINATIONS[3]: `b:70000`: `70000` is not a port; {port}"),
                &format!(".env:2: DESTINATIONS[4]: `c:abc`: `abc` is not a port; {port}"),
                ".env:2: DESTINATIONS[5]: localhost:1 is this route's own listener, tcp://:1: its traffic would come \
                 back for ever / the address of another service",
                ".env:2: DESTINATIONS[7]: d:1 is already a destination of this route, secondary-5 / each destination once",
            ],
        );
    }

    #[test]
    fn lines_that_say_nothing_clear_are_refused() {
        refused(
            "SOURCE_PORT=1\nhello\nSOURCE_PORT=2\nMODE='tcp\nDESTINATION=a:1",
            &[
                ".env: DESTINATIONS: 0 destinations, where 1 to 64 belong; the first is primary / DESTINATIONS=10.0.0.1:1234",
                ".env:2: `hello` is not KEY=VALUE / KEY=VALUE, or # before a comment",
                ".env:3: SOURCE_PORT: already set in line 1 / one of the two",
                ".env:4: MODE: the quotes are not closed, or something follows them / MODE=\"VALUE\"",
                ".env:5: DESTINATION: this key is not known / DESTINATIONS",
            ],
        );
        refused(
            "DESTINATIONS=a:1",
            &[".env: SOURCE_PORT: the port to listen on is missing / SOURCE_PORT=7890"],
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "((export )?(SOURCE_PORT|MODE|DESTINATIONS)? ?=)?[\"' #,:=\\[\\]a-z0-9\\n\\ré]{0,40}") {
            let _ = read(&text, &[]);
        }
    }
}
