//! JSON as what it says: the order of members, white space and how a number is written do not matter.

use serde_json::{Number, Value};

/// What stands for any member or element in a path.
const ANY: &str = "*";

/// A way into JSON: a JSON pointer (RFC 6901), where `*` is any member or element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn new(text: &str) -> Self {
        let unescaped = |step: &str| step.replace("~1", "/").replace("~0", "~");
        Self(text.split('/').skip(1).map(unescaped).collect())
    }

    /// Takes what is there out of `value`: a member altogether, an element by leaving nothing in its place.
    pub(crate) fn blank(&self, value: &mut Value) {
        blank(&self.0, value);
    }
}

fn blank(steps: &[String], value: &mut Value) {
    let Some((step, rest)) = steps.split_first() else { return };
    match value {
        Value::Object(members) if rest.is_empty() => members.retain(|name, _| step != ANY && name != step),
        Value::Object(members) => {
            let meant = members.iter_mut().filter(|(name, _)| step == ANY || *name == step);
            meant.for_each(|(_, member)| blank(rest, member));
        }
        Value::Array(elements) => {
            let is_meant = |index: usize| step == ANY || step.parse() == Ok(index);
            for (_, element) in elements.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
                match rest {
                    [] => *element = Value::Null,
                    rest => blank(rest, element),
                }
            }
        }
        _ => {}
    }
}

/// Where they differ first, as a JSON pointer; members are looked at by name.
pub(crate) fn first_difference(one: &Value, other: &Value) -> Option<String> {
    let mut steps = Vec::new();
    differ(one, other, &mut steps).then(|| {
        let escaped = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
        steps.iter().rev().map(escaped).collect()
    })
}

/// Whether they differ; the steps to the place are put in `steps`, the last one first.
fn differ(one: &Value, other: &Value, steps: &mut Vec<String>) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().any(|name| differ_at(one.get(name), other.get(name), steps, || name.clone()))
        }
        (Value::Array(one), Value::Array(other)) => (0..one.len().max(other.len()))
            .any(|index| differ_at(one.get(index), other.get(index), steps, || index.to_string())),
        (Value::Number(one), Value::Number(other)) => !is_same_number(one, other),
        (one, other) => one != other,
    }
}

fn differ_at(
    one: Option<&Value>,
    other: Option<&Value>,
    steps: &mut Vec<String>,
    step: impl Fn() -> String,
) -> bool {
    let differs = match (one, other) {
        (Some(one), Some(other)) => differ(one, other, steps),
        _ => true,
    };
    if differs {
        steps.push(step());
    }
    differs
}

/// `1`, `1.0` and `1e0` are one number.
fn is_same_number(one: &Number, other: &Number) -> bool {
    let is_whole = |number: &Number| !number.is_f64();
    if is_whole(one) && is_whole(other) { one == other } else { one.as_f64() == other.as_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_said_counts_and_not_how_it_is_written() {
        let rows = [
            (r#"{"a":1,"b":[true,null]}"#, "{ \"b\" : [true, null],\n\"a\": 1.0 }"),
            ("100", "1e2"),
            ("-0.0", "0"),
            (r#""\u0061/""#, r#""a\/""#),
            ("[]", " [ ] "),
            ("18446744073709551615", "18446744073709551615"),
        ];
        for (one, other) in rows {
            assert_eq!(first_difference(&value(one), &value(other)), None, "{one} {other}");
        }
    }

    /// Fails if a member that only one has is passed over, or whole numbers are compared as floats.
    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let rows = [
            ("1", "2", ""),
            ("1", "\"1\"", ""),
            ("null", "false", ""),
            ("[]", "{}", ""),
            ("[1,2,3]", "[1,2]", "/2"),
            (r#"{"a":{"b":[0,{"c":1}]}}"#, r#"{"a":{"b":[0,{"c":2}]}}"#, "/a/b/1/c"),
            (r#"{"b":1,"a":1}"#, r#"{"b":2,"a":2}"#, "/a"),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#, "/b"),
            (r#"{"a/b~":1}"#, r#"{"a/b~":2}"#, "/a~1b~0"),
            ("9007199254740993", "9007199254740992", ""),
        ];
        for (one, other, path) in rows {
            assert_eq!(first_difference(&value(one), &value(other)).as_deref(), Some(path), "{one} {other}");
            assert_eq!(first_difference(&value(other), &value(one)).as_deref(), Some(path), "{other} {one}");
        }
    }

    #[test]
    fn a_path_blanks_what_it_leads_to_and_nothing_else() {
        let rows = [
            ("/meta/time", r#"{"meta":{"time":1,"a":2},"time":3}"#, r#"{"meta":{"a":2},"time":3}"#),
            (
                "/items/*/id",
                r#"{"items":[{"id":1,"a":1},{"id":2}],"id":3}"#,
                r#"{"items":[{"a":1},{}],"id":3}"#,
            ),
            ("/*/id", r#"{"a":{"id":1},"b":{"id":2,"c":3}}"#, r#"{"a":{},"b":{"c":3}}"#),
            ("/1", "[1,2,3]", "[1,null,3]"),
            ("/*", "[1,2]", "[null,null]"),
            ("/*", r#"{"a":1}"#, "{}"),
            ("/a~1b/m~0n", r#"{"a/b":{"m~n":1}}"#, r#"{"a/b":{}}"#),
            ("/none/here", r#"{"a":1}"#, r#"{"a":1}"#),
            ("/a/b", r#"{"a":1}"#, r#"{"a":1}"#),
        ];
        for (path, before, after) in rows {
            let mut blanked = value(before);
            Path::new(path).blank(&mut blanked);
            assert_eq!(blanked, value(after), "{path}");
        }
    }
}
