//! Routes and destinations that cannot be together: same names, same ports, traffic that would come back in.
//!
//! Works on drafts, so that one bad route does not hide what is wrong between the others.

use super::{
    Destination, address,
    given::{Given, Origin, Raw},
    problem::Problem,
    route::{Draft, Stated},
    transport,
};

/// Finds everything that is wrong between routes, and between the destinations of one.
pub(super) fn check(drafts: &[Draft], problems: &mut Vec<Problem>) {
    for (index, draft) in drafts.iter().enumerate() {
        for earlier in &drafts[..index] {
            problems.extend(same_name(earlier.name.as_ref(), draft.name.as_ref(), "route"));
            problems.extend(same_port(earlier, draft));
        }
        check_destinations(draft, problems);
    }
}

fn same_name(one: Option<&Stated<String>>, other: Option<&Stated<String>>, of: &str) -> Option<Problem> {
    let (one, other) = (one?, other?);
    (one.value == other.value).then(|| {
        let what = format!("`{}` is already the name of the {of} {}", other.value, at(&one.given));
        other.given.refuse_with(what, "a name of its own")
    })
}

fn same_port(one: &Draft, other: &Draft) -> Option<Problem> {
    let (one, other) = (one.listen.as_ref()?, other.listen.as_ref()?);
    address::collide(&one.value, &other.value).then(|| {
        let what = format!("{} is already taken by the route {}", other.value, at(&one.given));
        other.given.refuse_with(what, "a port of its own")
    })
}

fn check_destinations(draft: &Draft, problems: &mut Vec<Problem>) {
    for (index, stated) in draft.destinations.iter().enumerate() {
        problems.extend(own_listener(draft, stated));
        problems.extend(other_transport(draft, stated));
        for earlier in &draft.destinations[..index] {
            problems.extend(same_destination(earlier, stated));
        }
    }
}

fn own_listener(draft: &Draft, stated: &Stated<Destination>) -> Option<Problem> {
    let listen = &draft.listen.as_ref()?.value;
    let address = &stated.value.address;
    address::arrives_at(address, listen).then(|| {
        let what =
            format!("{address} is this route's own listener, {listen}: its traffic would come back for ever");
        stated.given.refuse_with(what, "the address of another service")
    })
}

/// A route carries one thing, from its listener to all its destinations.
fn other_transport(draft: &Draft, stated: &Stated<Destination>) -> Option<Problem> {
    let wanted = draft.listen.as_ref()?.value.transport;
    let given = match &stated.given.raw {
        Raw::Table(table) => table.find("address")?,
        _ => &stated.given,
    };
    transport::transport_of(given).filter(|transport| *transport != wanted).map(|_| {
        let text = given.text().unwrap_or_default();
        let what = format!("`{text}` is no destination of a route that listens on {wanted}");
        stated.given.refuse_with(what, wanted.to_string())
    })
}

fn same_destination(one: &Stated<Destination>, other: &Stated<Destination>) -> Option<Problem> {
    let (Destination { name, address, .. }, given) = (&other.value, &other.given);
    if address::same(&one.value.address, address) {
        let what = format!("{address} is already a destination of this route, {}", one.value.name);
        return Some(given.refuse_with(what, "each destination once"));
    }
    (one.value.name == *name).then(|| {
        given.refuse_with(
            format!("`{name}` is already the name of a destination of this route"),
            "a name of its own",
        )
    })
}

/// Where it was said, to be put behind a noun.
fn at(given: &Given) -> String {
    match &given.origin {
        Origin::Toml { line, .. } | Origin::Dotenv { line, .. } => format!("in line {line}"),
        other => format!("by {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, tests::refusals};

    fn route(name: &str, listen: &str, destinations: &str) -> String {
        format!("[[route]]\nname = '{name}'\nlisten = '{listen}'\ndestinations = [{destinations}]\n")
    }

    #[test]
    fn routes_on_ports_or_interfaces_of_their_own_get_along() {
        let text = route("a", "127.0.0.1:1", "'x:1'")
            + &route("b", "10.0.0.1:1", "'x:1'")
            + &route("c", ":2", "'x:1'");

        assert_eq!(Settings::from_toml("f", &text).unwrap().routes.len(), 3);
    }

    #[test]
    fn routes_may_not_share_a_name_or_a_port() {
        assert_eq!(
            refusals(&(route("a", ":1", "'x:1'") + &route("a", "tcp://0.0.0.0:1", "'x:2'"))),
            [
                "f:6: name: `a` is already the name of the route in line 2 / a name of its own",
                "f:7: listen: tcp://0.0.0.0:1 is already taken by the route in line 3 / a port of its own",
            ]
        );
    }

    #[test]
    fn destinations_may_not_be_the_listener_nor_twice_the_same() {
        let table = "{ address = '[::1]:1', name = 'x' }, { address = 'b:1', name = 'x' }, 'B:1'";
        assert_eq!(
            refusals(&route("a", ":1", &format!("':1', {table}"))),
            [
                "f:4: destinations[1]: localhost:1 is this route's own listener, tcp://:1: its traffic would come back \
                 for ever / the address of another service",
                "f:4: destinations[2]: [::1]:1 is this route's own listener, tcp://:1: its traffic would come back for \
                 ever / the address of another service",
                "f:4: destinations[2]: [::1]:1 is already a destination of this route, primary / each destination once",
                "f:4: destinations[3]: `x` is already the name of a destination of this route / a name of its own",
                "f:4: destinations[4]: b:1 is already a destination of this route, x / each destination once",
            ]
        );
    }

    #[test]
    fn a_bad_route_does_not_hide_what_is_wrong_between_others() {
        let text = route("a", ":1", "'bad'") + &route("b", ":1", "'x:2'");

        let problems = refusals(&text);

        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[1].starts_with("f:7: listen: tcp://:1 is already taken"), "{problems:?}");
    }
}
