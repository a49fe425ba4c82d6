//! What a route of `http://` that replicates is told: which requests are copied, and what of the replies is compared.
//!
//! Words are read and refused one by one, each by its place; what they do is `web`'s business.

use super::{
    given::{Given, Raw},
    http,
    layers::Read,
    problem::Problems,
    value::Show,
};

const MAX_WORDS: usize = 64;

/// Who gets a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One of the servers.
    #[default]
    Balance,
    /// The primary, and every secondary a copy.
    Replicate,
}

const MODES: [(&str, Mode); 2] = [("balance", Mode::Balance), ("replicate", Mode::Replicate)];

/// A list of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Show for Mode {
    fn show(&self) -> String {
        let word = MODES.iter().find(|(_, mode)| mode == self);
        word.map_or("", |(word, _)| word).to_owned()
    }
}

impl Show for Words {
    fn show(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|word| format!("\"{word}\"")).collect();
        format!("[{}]", words.join(", "))
    }
}

/// Who gets a request: `balance` or `replicate`.
pub(super) fn mode(given: &Given) -> Read<Mode> {
    http::one_of(&MODES, given)
}

/// Methods of requests.
pub(super) fn methods(given: &Given) -> Read<Words> {
    let is_method = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    words(given, "GET", |word| {
        if is_method(word) { Ok(word.to_owned()) } else { Err(format!("`{word}` is not a method")) }
    })
}

/// Names of headers, in small letters.
pub(super) fn headers(given: &Given) -> Read<Words> {
    let is_name = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    words(given, "content-type", |word| {
        if is_name(word) {
            Ok(word.to_ascii_lowercase())
        } else {
            Err(format!("`{word}` is not the name of a header"))
        }
    })
}

/// Paths into JSON.
pub(super) fn paths(given: &Given) -> Read<Words> {
    words(given, "/meta/time", |word| {
        if word.starts_with('/') {
            Ok(word.to_owned())
        } else {
            Err(format!("`{word}` is not a path into JSON, which begins with /"))
        }
    })
}

/// A list, or words with commas between them where everything is text.
fn words(given: &Given, instead: &str, read: impl Fn(&str) -> Result<String, String>) -> Read<Words> {
    let items = items(given, instead)?;
    if items.len() > MAX_WORDS {
        let what = format!("{} words, where at most {MAX_WORDS} belong", items.len());
        return Err(given.refuse_with(what, "fewer of them").into());
    }
    let mut problems = Vec::new();
    let mut words = Vec::new();
    for item in &items {
        match item.text().filter(|word| !word.is_empty()).map(&read) {
            Some(Ok(word)) => words.push(word),
            Some(Err(what)) => problems.push(item.refuse(what, instead)),
            None => problems.push(item.refuse_kind("a word", instead)),
        }
    }
    Problems::none_or(problems, Some(Words(words)))
}

fn items(given: &Given, instead: &str) -> Read<Vec<Given>> {
    let text = match &given.raw {
        Raw::List(items) => return Ok(items.clone()),
        Raw::Text(_) => return Ok(vec![given.clone()]),
        Raw::Words(text) => text.trim().trim_start_matches('[').trim_end_matches(']'),
        _ => {
            let list = format!("[\"{instead}\"]");
            return Err(given
                .refuse_with(format!("{}: not a list of words", given.key), format!("{} = {list}", given.key))
                .into());
        }
    };
    let words = text.split(',').map(|word| word.trim().trim_matches('"')).filter(|word| !word.is_empty());
    Ok(words.zip(1..).map(|(word, number)| given.item(number, Raw::Words(word.to_owned()))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, tests::refusals};
    use super::*;

    const ROUTE: &str =
        "[[route]]\nlisten = 'http://:8080'\nmode = 'replicate'\ndestinations = ['a:1', 'b:1']\n";

    #[test]
    fn a_route_that_replicates_has_a_primary_and_secondaries() {
        let keys = "mirror_methods = ['GET', 'POST']\ncompare_headers = 'ETag'\nignore_json = ['/a/*/b']";
        let route = Settings::from_toml("f", &format!("{ROUTE}{keys}")).unwrap().routes.remove(0);
        let http = route.http.unwrap();

        let names: Vec<_> = route.destinations.iter().map(|it| it.name.as_str()).collect();
        assert_eq!((names, http.mode), (vec!["primary", "secondary-1"], Mode::Replicate));
        assert_eq!(http.mirror_methods.show(), r#"["GET", "POST"]"#);
        assert_eq!(
            (http.compare_headers.0, http.ignore_json.0),
            (vec!["etag".to_owned()], vec!["/a/*/b".to_owned()])
        );
    }

    #[test]
    fn what_changes_nothing_is_mirrored_and_the_kind_of_a_reply_compared_unless_it_is_said() {
        let http = Settings::from_toml("f", ROUTE).unwrap().routes.remove(0).http.unwrap();

        assert_eq!(http.mirror_methods.show(), r#"["GET", "HEAD", "OPTIONS"]"#);
        assert_eq!(
            (http.compare_headers.show().as_str(), http.ignore_json.show().as_str()),
            (r#"["content-type"]"#, "[]")
        );
    }

    #[test]
    fn words_that_are_none_are_refused_each_by_its_place() {
        let keys = "mirror_methods = ['get', 1]\ncompare_headers = 'a b'\nignore_json = ['time', '']";
        assert_eq!(
            refusals(&format!("{ROUTE}{keys}")),
            [
                "f:5: mirror_methods[1]: `get` is not a method / GET",
                "f:5: mirror_methods[2]: a number where a word belongs / GET",
                "f:6: compare_headers: `a b` is not the name of a header / compare_headers = \"content-type\"",
                "f:7: ignore_json[1]: `time` is not a path into JSON, which begins with / / /meta/time",
                "f:7: ignore_json[2]: a text where a word belongs / /meta/time",
            ]
        );
    }

    #[test]
    fn a_secondary_has_no_weight() {
        let text = "[[route]]\nlisten = 'http://:1'\nmode = 'replicate'\ndestinations = ['a:1', { address = 'b:1', weight = 2 }]";
        assert_eq!(
            refusals(text),
            ["f:4: weight: this key is not known / `weight` in a route that balances"]
        );
    }
}
