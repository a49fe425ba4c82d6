//! What `check` says of a route of `http://` that replicates.

use runtime::settings::{Http, Route};

use super::{called, list};

/// What the route will do.
pub(super) fn sentence(route: &Route, http: &Http) -> String {
    let Some((primary, secondaries)) = route.destinations.split_first() else { return String::new() };
    let Route { name, listen, .. } = route;
    let copies = match secondaries {
        [] => "no other destination gets a copy".to_owned(),
        _ => copies(&list(secondaries.iter().map(called).collect(), "and"), http),
    };
    let cache = if http.ttl.is_zero() { "" } else { ", unless the cache answers it" };
    format!(
        "{name}: a request to {listen} goes to {}, which replies to it{cache}; {copies}.",
        called(primary)
    )
}

fn copies(secondaries: &str, http: &Http) -> String {
    if http.mirror_methods.0.is_empty() {
        return format!("no method is to be copied, and nothing goes to {secondaries}");
    }
    let methods = list(http.mirror_methods.0.clone(), "or");
    let compared = ["status".to_owned()].into_iter().chain(http.compare_headers.0.iter().cloned());
    let compared = list(compared.chain(["body".to_owned()]).collect(), "and");
    let ignored = match http.ignore_json.0.as_slice() {
        [] => String::new(),
        paths => format!(", but for {} in JSON", list(paths.to_vec(), "and")),
    };
    format!(
        "a copy goes, if its method is {methods}, to {secondaries}, whose replies never reach the client and are \
         compared by {compared}{ignored}"
    )
}

#[cfg(test)]
mod tests {
    use runtime::settings::Settings;

    #[track_caller]
    fn sentence_of(destinations: &str, keys: &str) -> String {
        let text = format!(
            "[[route]]\nlisten = 'http://:80'\nmode = 'replicate'\ndestinations = [{destinations}]\n{keys}"
        );
        super::super::in_words(&Settings::from_toml("f", &text).unwrap().routes[0], None)
    }

    #[test]
    fn what_is_copied_and_compared_is_said() {
        assert_eq!(
            sentence_of("'a:1', 'b:1'", "ignore_json = '/time'"),
            "route-1: a request to http://:80 goes to primary (a:1), which replies to it, unless the cache answers it; \
             a copy goes, if its method is GET, HEAD or OPTIONS, to secondary-1 (b:1), whose replies never reach the \
             client and are compared by status, content-type and body, but for /time in JSON.\n"
        );
    }

    #[test]
    fn where_nobody_gets_a_copy_it_is_said() {
        let alone = sentence_of("'a:1'", "ttl = '0s'");
        assert!(alone.ends_with("which replies to it; no other destination gets a copy.\n"), "{alone}");
        let nothing = sentence_of("'a:1', 'b:1'", "mirror_methods = []");
        assert!(
            nothing.ends_with("no method is to be copied, and nothing goes to secondary-1 (b:1).\n"),
            "{nothing}"
        );
    }
}
