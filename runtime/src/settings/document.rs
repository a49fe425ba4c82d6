//! What is generated from the keys: the settings table of the documents; and the template that `init` writes.
//!
//! Tests here hold document, template, examples and keys together.

use std::fmt::Write as _;

use super::{Destination, Http, Key, Route, Settings};

/// A commented settings file with one route and every default, as `pegloom init replicate` writes it.
pub fn template_replicate() -> &'static str {
    include_str!("replicate.toml")
}

/// One for a proxy of the Foo protocol, with every default that matters there, as `pegloom init foo` writes it.
pub fn template_foo() -> &'static str {
    include_str!("foo.toml")
}

/// One for a reverse proxy for HTTP, with every default that matters there, as `pegloom init http` writes it.
pub fn template_http() -> &'static str {
    include_str!("http.toml")
}

/// `docs/settings.md`, from the keys.
pub fn settings_document() -> String {
    let mut text = String::from(include_str!("document.md"));
    for (title, keys) in [
        ("At the top of the file", Settings::KEYS),
        ("In each `[[route]]`", Route::KEYS),
        ("In each `[[route]]` that listens on `http://`", Http::KEYS),
        ("In a destination's table", Destination::KEYS),
    ] {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n## {title}\n\n| key | default | environment | what it does |\n|---|---|---|---|\n"
        );
        text.extend(keys.iter().map(row));
    }
    text
}

fn row(key: &Key) -> String {
    let variable = if has_variable(key) { format!("`{}`", key.variable()) } else { String::new() };
    let is_literal = key.default != "required" && !key.default.starts_with('`');
    let default = if is_literal { format!("`{}`", key.default) } else { key.default.to_owned() };
    let help = key.help_line().replace('|', "\\|");
    format!("| `{}` | {default} | {variable} | {help} |\n", key.name)
}

/// Listener and destinations may be exported too, where there is one route.
fn has_variable(key: &Key) -> bool {
    key.in_environment || ["listen", "destinations"].contains(&key.name)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::{
        super::{Environment, RouteArgs},
        *,
    };

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn the_document_says_what_the_code_says() {
        let path = root().join("docs/settings.md");
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, settings_document()).unwrap();
        }

        let written = fs::read_to_string(&path).unwrap();

        assert_eq!(written, settings_document(), "run it again with BLESS=1");
        assert!(written.contains("| `grace` | `10s` | `PEGLOOM_GRACE` | How long a drain may take"));
    }

    #[test]
    fn a_template_says_every_default_and_nothing_else() {
        let replicate = "[[route]]\nlisten = 'tcp://:7890'\n\
                         destinations = ['10.0.0.1:1234', { name = 'mirror', address = '10.0.0.2:1234' }]";
        let foo = "[[route]]\nlisten = 'tcp://:8002'\ndestinations = [':8001']\ncodec = 'foo'";
        let http = "[[route]]\nlisten = 'http://:8080'\n\
                    destinations = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']";
        let shown = |settings: &Settings| {
            let rows = settings.rows.iter().chain(&settings.routes[0].rows);
            rows.map(|row| format!("{} = {}", row.key, row.value)).collect::<Vec<_>>()
        };
        for (template, bare) in [
            (template_replicate(), replicate),
            (template_foo(), foo),
            (&template_foo_in_full(), foo),
            (template_http(), http),
            (&template_http_in_full(), http),
        ] {
            let settings = Settings::from_toml("template", template).unwrap();
            let defaults = Settings::from_toml("bare", bare).unwrap();
            assert_eq!(shown(&settings), shown(&defaults));
            assert_eq!(settings.routes[0].name, defaults.routes[0].name);
        }
    }

    /// With the keys that it shows, and does not set.
    fn template_foo_in_full() -> String {
        let full = template_foo().replace("# reply_timeout = ", "reply_timeout = ");
        full.replace("# ignore = []", "ignore = []")
    }

    fn template_http_in_full() -> String {
        const SHOWN: [&str; 8] = [
            "cache_disk",
            "health_interval",
            "mirror_methods",
            "mirror_body",
            "mirror_copies",
            "mirror_timeout",
            "compare_headers",
            "ignore_json",
        ];
        SHOWN.iter().fold(template_http().to_owned(), |full, key| {
            full.replace(&format!("# {key} = "), &format!("{key} = "))
        })
    }

    /// The keys that a template leaves to their defaults.
    fn unset(template: &str) -> Vec<String> {
        let settings = Settings::from_toml("template", template).unwrap();
        let rows = settings.rows.iter().chain(&settings.routes[0].rows);
        rows.filter(|row| row.origin.file() != Some("template")).map(|row| row.key.clone()).collect()
    }

    #[test]
    fn a_template_sets_every_key_but_those_that_its_codec_makes_idle() {
        assert!(unset(template_replicate()).is_empty());
        let idle = ["quiet_gap", "idle_timeout", "replies", "dedup_window", "hold", "answer"];
        assert_eq!(unset(&template_foo_in_full()), idle);
        assert!(unset(&template_http_in_full()).is_empty());
    }

    fn examples(extension: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(root().join("examples")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect()
    }

    #[test]
    fn every_example_loads() {
        let (toml, env) = (examples("toml"), examples("env"));
        assert!(!toml.is_empty() && !env.is_empty());

        for path in toml {
            let args = RouteArgs { config: Some(path), ..RouteArgs::default() };
            Settings::load(&args, &Environment::default()).unwrap();
        }
        for path in env {
            let args = RouteArgs { env: Some(path), ..RouteArgs::default() };
            Settings::load(&args, &Environment::default()).unwrap();
        }
    }
}
