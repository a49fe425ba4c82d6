//! A TOML file as raw values that know their lines.
//!
//! Syntax is checked here, all of it; what the keys mean is not known here.

use std::sync::Arc;

use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::{
    given::{Given, Origin, Raw, Table},
    layers::Read,
    problem::{Problem, Problems},
};

/// Reads `text`, which is the content of `file`.
pub(super) fn parse(file: &str, text: &str) -> Read<Table> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let place = Lines::of(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let mut table = place.table(document.get_ref());
        table.0.entry("route".to_owned()).or_insert_with(|| place.no_routes());
        return Ok(table);
    }
    let mut problems: Vec<_> = errors.iter().map(|error| place.syntax_problem(error)).collect();
    // One slip often gives several messages; the first of a line is the one that tells.
    problems.dedup_by_key(|problem| problem.origin.line());
    Err(Problems::of(problems))
}

/// Where the lines of a file begin.
struct Lines {
    file: Arc<str>,
    starts: Vec<usize>,
}

impl Lines {
    fn of(file: &str, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { file: file.into(), starts: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    fn origin(&self, at: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= at);
        Origin::Toml { file: self.file.clone(), line }
    }

    fn no_routes(&self) -> Given {
        Given::new(Raw::List(vec![]), "route", Origin::Toml { file: self.file.clone(), line: 0 })
    }

    fn syntax_problem(&self, error: &toml::de::Error) -> Problem {
        let origin = self.origin(error.span().map_or(0, |span| span.start));
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let advice = if message.contains("escape") {
            r"single quotes, between which a \ stands for itself, as in '\d+'"
        } else {
            "`pegloom init replicate` shows how a settings file is written"
        };
        Problem::new(origin, message, advice)
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entries = table.iter().map(|(key, value)| {
            let name = key.get_ref().to_string();
            let given = self.given(&name, value);
            (name, given)
        });
        Table(entries.collect())
    }

    fn given(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Given {
        let raw = match value.get_ref() {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Integer(number) => integer(number),
            DeValue::Float(_) => Raw::Other("a fraction"),
            DeValue::Boolean(value) => Raw::Boolean(*value),
            DeValue::Datetime(_) => Raw::Other("a date"),
            DeValue::Table(table) => Raw::Table(self.table(table)),
            DeValue::Array(items) => {
                let numbered = items.iter().zip(1..);
                Raw::List(
                    numbered.map(|(item, number)| self.given(&format!("{key}[{number}]"), item)).collect(),
                )
            }
        };
        Given::new(raw, key, self.origin(value.span().start))
    }
}

fn integer(number: &DeInteger<'_>) -> Raw {
    i64::from_str_radix(number.as_str(), number.radix())
        .map_or(Raw::Other("a number beyond 64 bits"), Raw::Integer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_know_their_lines_and_kinds() {
        let table = parse("f", "a = 1\n\n[[b]]\nc = [\n  'x',\n  0x10,\n]\nd = 1.5\n").unwrap();
        let Some(Raw::List(tables)) = table.find("b").map(|given| &given.raw) else { panic!("{table:?}") };
        let Raw::Table(b) = &tables[0].raw else { panic!("{tables:?}") };
        let Raw::List(items) = &b.find("c").unwrap().raw else { panic!("{b:?}") };

        assert_eq!(table.find("a").unwrap().origin.to_string(), "f:1");
        assert_eq!(tables[0].origin.to_string(), "f:3");
        assert_eq!((items[0].key.as_str(), items[0].origin.line()), ("c[1]", 5));
        assert_eq!((items[1].raw.clone(), items[1].origin.line()), (Raw::Integer(16), 6));
        assert_eq!(b.find("d").unwrap().raw, Raw::Other("a fraction"));
    }

    #[test]
    fn a_byte_order_mark_moves_no_line() {
        assert_eq!(parse("f", "\u{feff}a = 1\r\nb = 2").unwrap().find("b").unwrap().origin.line(), 2);
    }

    #[test]
    fn every_broken_line_is_reported() {
        let problems = parse("f", "a = \nb = 1\nb = 2\n[c\n").unwrap_err();
        let lines: Vec<_> = problems.as_slice().iter().map(|problem| problem.origin.line()).collect();

        assert_eq!(lines, [1, 3, 4]);
        assert!(problems.as_slice().iter().all(|problem| !problem.what.contains('\n')));
    }

    #[test]
    fn a_backslash_that_spells_nothing_is_shown_where_it_would_do() {
        let problems = parse("f", r#"a = "\d+""#).unwrap_err();

        assert!(problems.as_slice()[0].advice.starts_with("single quotes"), "{problems}");
        assert!(parse("f", r"a = '\d+'").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}=\"'#\\n\r\u{feff}a-c0-9.,_ é-]{0,60}") {
            let _ = parse("f", &text);
        }
    }
}
