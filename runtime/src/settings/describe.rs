//! The resolved settings as `pegloom check` prints them: key, value, and who said so.
//!
//! It only shows what has been resolved, and never resolves anything itself.

use std::fmt::Write as _;

use super::{Origin, Route, Settings, layers::Row};

/// The resolved settings as a table, a line for each value with its origin.
pub fn describe(settings: &Settings) -> String {
    let routes = settings.routes.iter().map(|route| (format!("route {}", route.name), &route.rows));
    let sections: Vec<_> = std::iter::once(("process".to_owned(), &settings.rows)).chain(routes).collect();
    let widths = sections.iter().flat_map(|(_, rows)| rows.iter()).fold((0, 0), |(keys, values), row| {
        (keys.max(row.key.chars().count()), values.max(row.value.chars().count()))
    });
    let mut table = String::new();
    for (title, rows) in sections {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{title}");
        for Row { key, value, origin } in rows {
            let _ = writeln!(table, "  {key:0$}  {value:1$}  {origin}", widths.0, widths.1);
        }
    }
    table
}

impl Settings {
    /// Where the value of a key of the process came from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        origin(&self.rows, key)
    }
}

impl Route {
    /// Where the value of a key of this route came from; a destination goes by its name.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        origin(&self.rows, key)
    }
}

fn origin<'a>(rows: &'a [Row], key: &str) -> Option<&'a Origin> {
    rows.iter().find(|row| row.key == key).map(|row| &row.origin)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::{
            Environment,
            given::{Given, Raw},
            toml_file,
        },
        *,
    };

    #[test]
    fn every_value_is_shown_with_who_said_it() {
        let text = "shards = 3\n[[route]]\nname = 'devices'\nlisten = ':7890'\ndestinations = ['[::1]:1', { name = 'mirror', address = ':2', deny = 'x' }]\nwindow = '1MiB'";
        let table = toml_file::parse("pegloom.toml", text).unwrap();
        let environment = Environment::from_iter([("PEGLOOM_LINGER", "3s")]);
        let codec = Given::new(Raw::Words("delimiter:\\r\\n".to_owned()), "codec", Origin::Flag("--codec"));
        let flags = BTreeMap::from([("codec", codec)]);

        let settings = Settings::resolve(&flags, &environment, Some(&table), Vec::new()).unwrap();

        let expected = "\
process
  shards           3                   pegloom.toml:1
  grace            10s                 default
  link_window      64MiB               default
  max_sessions     100000              default
route devices
  listen           tcp://:7890         pegloom.toml:4
  primary          [::1]:1             pegloom.toml:5
  primary.allow    []                  default
  primary.deny     []                  default
  mirror           localhost:2         pegloom.toml:5
  mirror.asks      true                default
  mirror.allow     []                  default
  mirror.deny      [\"x\"]             pegloom.toml:5
  mirror.rejoin    next                default
  codec            delimiter:\\r\\n      --codec
  connect_timeout  5s                  default
  linger           3s                  environment PEGLOOM_LINGER
  quiet_gap        100ms               default
  idle_timeout     1m                  default
  max_frame        64KiB               default
  window           1MiB                pegloom.toml:6
  backoff_min      200ms               default
  backoff_max      10s                 default
  replies          one                 default
  reply_timeout    5s                  default
  dedup_window     30s                 default
  hold             50ms                default
  answer           []                  default
  ignore           []                  default
";
        // Column widths follow the longest value, which is the delimiter's here.
        let squeezed = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(squeezed(&describe(&settings)), squeezed(expected));
        assert_eq!(
            settings.routes[0].origin("linger"),
            Some(&Origin::Environment("PEGLOOM_LINGER".to_owned()))
        );
        assert_eq!(settings.origin("grace"), Some(&Origin::Default));
    }
}
