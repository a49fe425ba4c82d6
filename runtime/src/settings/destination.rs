//! Destinations, from addresses or tables, and the names that routes and destinations have unless they are given one.
//!
//! Names that clash, and addresses that would lead back to a listener, are the business of `conflict`.

use std::collections::BTreeMap;

use super::{
    Destination, Route, address,
    environment::Environment,
    given::{Given, Origin, Raw, Table},
    http,
    layers::{Layers, keep},
    problem::Problem,
    route::{Stated, refuse_unknown, stated},
    talk, value,
};

const MAX_DESTINATIONS: usize = 64;

/// What the destinations of a route get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// All of them the same frames.
    Frames,
    /// Each some of the requests.
    Requests,
    /// The first all requests, the others copies.
    Copies,
}

pub(super) fn name(
    table: &Table,
    at: &Given,
    default: &str,
    problems: &mut Vec<Problem>,
) -> Option<Stated<String>> {
    let by_default = || Given::new(Raw::Words(default.to_owned()), "name", at.origin.clone());
    stated(value::name, table.find("name").cloned().unwrap_or_else(by_default), problems)
}

/// The items of a list of destinations, which flags and variables may separate by commas.
pub(super) fn list(given: &Given, problems: &mut Vec<Problem>) -> Vec<Given> {
    let items = match &given.raw {
        Raw::List(items) => items.clone(),
        Raw::Words(text) if text.trim().is_empty() => vec![],
        Raw::Words(text) => {
            let words = text.split(',').zip(1..);
            words.map(|(word, number)| given.item(number, Raw::Words(word.trim().to_owned()))).collect()
        }
        _ => {
            problems.push(given.refuse_kind("a list", "[\"10.0.0.1:1234\", \"10.0.0.2:1234\"]"));
            return vec![];
        }
    };
    if !(1..=MAX_DESTINATIONS).contains(&items.len()) {
        let what = format!(
            "{} destinations, where 1 to {MAX_DESTINATIONS} belong; the first is primary",
            items.len()
        );
        let instead =
            if matches!(given.origin, Origin::Toml { .. }) { "[\"10.0.0.1:1234\"]" } else { "10.0.0.1:1234" };
        problems.push(given.refuse(what, instead));
    }
    items
}

/// A destination said as an address or as a table.
pub(super) fn destination(
    given: &Given,
    index: usize,
    share: Share,
    problems: &mut Vec<Problem>,
) -> Option<Stated<Destination>> {
    let empty = Table::default();
    let (table, address) = match &given.raw {
        Raw::Table(table) => (table, table.find("address").cloned()),
        _ => (&empty, Some(given.clone())),
    };
    let (known, elsewhere) = match share {
        Share::Frames => (http::keys_of_destination(), "in a route that listens on http://"),
        Share::Requests => (http::keys_of_server(), "not with http://"),
        Share::Copies if table.find("weight").is_some() => {
            (http::keys_of_mirror(), "in a route that balances")
        }
        Share::Copies => (http::keys_of_mirror(), "not with http://"),
    };
    let elsewhere = [("under [[route]]", Route::KEYS), (elsewhere, Destination::KEYS)];
    refuse_unknown(table, &known, &elsewhere, problems);
    let default = match index {
        index if share == Share::Requests => format!("server-{}", index + 1),
        0 => "primary".to_owned(),
        index => format!("secondary-{index}"),
    };
    let name = name(table, given, &default, problems);
    let address = address.or_else(|| {
        problems.push(given.refuse("the address is missing", "{ address = \"10.0.0.1:1234\" }"));
        None
    });
    let address = address.and_then(|address| keep(address::destination(&address), problems));
    // A flag or a variable cannot say which destination it means.
    let layers = Layers { flags: &BTreeMap::new(), environment: &Environment::default(), table };
    let mut value = Destination::assemble(name.map(|name| name.value), address, vec![], &layers, problems)?;
    if share != Share::Requests {
        value.rows.retain(|row| !http::is_said_of_server(&row.key));
    }
    if share != Share::Frames {
        value.rows.retain(|row| !http::is_about_frames(&row.key));
        return Some(Stated { value, given: given.clone() });
    }
    if index == 0 {
        talk::refuse_for_primary(table, problems);
        value.rows.retain(|row| !talk::FOR_SECONDARIES.contains(&row.key.as_str()));
    }
    Some(Stated { value, given: given.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::{
        Environment, Settings,
        tests::{refusals, resolved},
        toml_file,
    };

    #[test]
    fn destinations_are_named_by_their_place_unless_they_have_a_name() {
        let text =
            "[[route]]\nlisten = ':1'\ndestinations = ['a:1', { address = 'b:1', name = 'mirror' }, ':2']";

        let route = Settings::from_toml("f", text).unwrap().routes.remove(0);

        let shown: Vec<_> =
            route.destinations.iter().map(|it| format!("{} {}", it.name, it.address)).collect();
        assert_eq!(shown, ["primary a:1", "mirror b:1", "secondary-2 localhost:2"]);
    }

    #[test]
    fn no_variable_says_what_a_destination_may() {
        let table = toml_file::parse("f", "[[route]]\nlisten = ':1'\ndestinations = ['a:1', 'b:1']").unwrap();
        let environment = Environment::from_iter([("PEGLOOM_ASKS", "false"), ("PEGLOOM_DENY", "(")]);

        let settings = resolved(&environment, &table, Vec::new()).unwrap();

        assert!(settings.routes[0].destinations[1].asks);
    }

    #[test]
    fn missing_and_wrong_destinations_are_refused_each_by_its_place() {
        let text =
            "[[route]]\n[[route]]\nlisten = ':1'\ndestinations = [\n 1,\n {},\n { adress = 'a:1' },\n '']";

        let none =
            "0 destinations, where 1 to 64 belong; the first is primary / destinations = [\"10.0.0.1:1234\"]";
        let missing = "the address is missing / { address = \"10.0.0.1:1234\" }";
        assert_eq!(
            refusals(text),
            [
                "f:1: listen: is missing / listen = \"tcp://:7890\"".to_owned(),
                format!("f:1: destinations: {none}"),
                "f:5: destinations[1]: a number where an address belongs / 10.0.0.1:1234".to_owned(),
                format!("f:6: destinations[2]: {missing}"),
                "f:7: adress: this key is not known / `address`".to_owned(),
                format!("f:7: destinations[3]: {missing}"),
                "f:8: destinations[4]: the address is empty / 10.0.0.1:1234".to_owned(),
            ]
        );
    }
}
