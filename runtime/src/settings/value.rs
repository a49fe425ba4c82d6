//! Reading and showing the plain kinds of values: durations, sizes, counts, names, true and false.
//!
//! Every reader takes what was said and gives the value or the problem with it. Nothing is ever rounded or clamped
//! silently, and nothing that could overflow a clock or a counter later is let in.

use std::{fmt, time::Duration};

use super::{
    given::{Given, Raw},
    layers::Read,
};

const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_SHARDS: usize = 1024;
const MAX_COUNT: usize = 100_000_000;
const MAX_BYTES: u64 = 1 << 40;
const MAX_NAME: usize = 64;

/// Shows a value as it could be written in a settings file.
pub(super) trait Show {
    fn show(&self) -> String;
}

/// A number of bytes, shown in the largest binary unit that fits it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(u64);

impl ByteCount {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// As a plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, shift) = [("GiB", 30), ("MiB", 20), ("KiB", 10)]
            .into_iter()
            .find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift)
            .unwrap_or(("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl Show for ByteCount {
    fn show(&self) -> String {
        self.to_string()
    }
}

/// All `u32` settings are sizes.
impl Show for u32 {
    fn show(&self) -> String {
        ByteCount(u64::from(*self)).show()
    }
}

/// All `usize` settings are counts.
impl Show for usize {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for Duration {
    fn show(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Show for bool {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for String {
    fn show(&self) -> String {
        self.clone()
    }
}

/// A duration such as `30s` or `100ms`: more than nothing, at most a day.
pub(super) fn duration(given: &Given) -> Read<Duration> {
    if let Some(number) = bare_number(given) {
        return Err(given.refuse(format_args!("{number} has no unit"), &format!("{number}s")).into());
    }
    let text = given.text().ok_or_else(|| given.refuse_kind("a duration", "10s"))?;
    let value = humantime::parse_duration(text)
        .map_err(|cause| given.refuse(format_args!("`{text}` is not a duration: {cause}"), "10s"))?;
    match value {
        Duration::ZERO => Err(given.refuse(format_args!("`{text}` is no time at all"), "10s").into()),
        value if value > MAX_DURATION => {
            Err(given.refuse(format_args!("`{text}` is more than a day"), "10s").into())
        }
        value => Ok(value),
    }
}

/// The number that was said where a unit is needed.
fn bare_number(given: &Given) -> Option<String> {
    match &given.raw {
        Raw::Integer(number) => Some(number.to_string()),
        Raw::Words(text) | Raw::Text(text) => {
            let text = text.trim();
            (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
        }
        _ => None,
    }
}

/// A size such as `64KiB`, or a number of bytes: at least one.
pub(super) fn bytes(given: &Given) -> Read<ByteCount> {
    sized(given, MAX_BYTES).map(ByteCount)
}

/// A size that fits 32 bits, as everything kept per session does.
pub(super) fn small_bytes(given: &Given) -> Read<u32> {
    sized(given, u64::from(u32::MAX)).map(|size| size as u32)
}

fn sized(given: &Given, max: u64) -> Read<u64> {
    let size = match &given.raw {
        Raw::Integer(number) => u64::try_from(*number)
            .map_err(|_| given.refuse(format_args!("{number} is less than nothing"), "64KiB"))?,
        _ => parse_size(given)?,
    };
    match size {
        0 => Err(given.refuse("0 bytes hold nothing", "64KiB").into()),
        size if size > max => {
            Err(given.refuse(format_args!("more than {} cannot be", ByteCount(max)), "64KiB").into())
        }
        size => Ok(size),
    }
}

fn parse_size(given: &Given) -> Read<u64> {
    let text = given.text().ok_or_else(|| given.refuse_kind("a size", "64KiB"))?;
    let size = text.parse::<bytesize::ByteSize>();
    Ok(size.map_err(|_| given.refuse(format_args!("`{text}` is not a size"), "64KiB"))?.as_u64())
}

/// A count: at least one.
pub(super) fn count(given: &Given) -> Read<usize> {
    counted(given, MAX_COUNT)
}

/// A number of shards, or `cores` for one per core that this process may use.
pub(super) fn shards(given: &Given) -> Read<usize> {
    match given.text() {
        Some("cores") => Ok(cores()),
        _ => counted(given, MAX_SHARDS),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_SHARDS)
}

fn counted(given: &Given, max: usize) -> Read<usize> {
    let number = match &given.raw {
        Raw::Integer(number) => i128::from(*number),
        Raw::Words(text) => {
            let text = text.trim();
            let digits = text.replace('_', "");
            digits.parse().map_err(|_| given.refuse(format_args!("`{text}` is not a number"), "4"))?
        }
        _ => return Err(given.refuse_kind("a number", "4").into()),
    };
    match usize::try_from(number) {
        Ok(0) | Err(_) => Err(given.refuse(format_args!("{number} is not between 1 and {max}"), "4").into()),
        Ok(number) if number > max => {
            Err(given.refuse(format_args!("{number} is not between 1 and {max}"), "4").into())
        }
        Ok(number) => Ok(number),
    }
}

/// `true` or `false`.
pub(super) fn boolean(given: &Given) -> Read<bool> {
    match &given.raw {
        Raw::Boolean(value) => Ok(*value),
        Raw::Words(text) => {
            let refuse = |_| given.refuse(format_args!("`{text}` is neither true nor false"), "true");
            Ok(text.trim().parse().map_err(refuse)?)
        }
        _ => Err(given.refuse_kind("true or false", "true").into()),
    }
}

/// A name of a route or destination, which must do as a label and as a part of a path.
pub(super) fn name(given: &Given) -> Read<String> {
    let text = given.text().ok_or_else(|| given.refuse_kind("a name", "mirror"))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(fits) || text.starts_with('.') {
        let what = format!(
            "`{text}` is not a name: 1 to {MAX_NAME} of a-z, A-Z, 0-9, `-`, `_` and `.`, no `.` first"
        );
        return Err(given.refuse(what, "mirror").into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::given::Origin, *};

    fn flag(text: &str) -> Given {
        Given::new(Raw::Words(text.to_owned()), "key", Origin::Flag("--key"))
    }

    fn toml(raw: Raw) -> Given {
        Given::new(raw, "key", Origin::Toml { file: "f".into(), line: 1 })
    }

    #[track_caller]
    fn refusal<T: fmt::Debug>(read: Read<T>) -> String {
        let problems = read.unwrap_err();
        assert_eq!(problems.as_slice().len(), 1, "{problems}");
        format!("{} / {}", problems.as_slice()[0].what, problems.as_slice()[0].advice)
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [("30s", 30_000), ("100ms", 100), (" 1m 30s ", 90_000), ("1day", 86_400_000)] {
            assert_eq!(duration(&flag(text)), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn durations_that_make_no_sense_are_refused() {
        for (text, refused) in [
            ("0s", "`0s` is no time at all / --key 10s"),
            ("30", "30 has no unit / --key 30s"),
            ("25h", "`25h` is more than a day / --key 10s"),
            ("", "`` is not a duration: value was empty / --key 10s"),
            ("-1s", "`-1s` is not a duration: expected number at 0 / --key 10s"),
        ] {
            assert_eq!(refusal(duration(&flag(text))), refused);
        }
        assert_eq!(refusal(duration(&toml(Raw::Integer(30)))), "key: 30 has no unit / key = \"30s\"");
        let refused = refusal(duration(&toml(Raw::Boolean(true))));
        assert_eq!(refused, "key: true or false where a duration belongs / key = \"10s\"");
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, size) in
            [("64KiB", 65_536), ("65536", 65_536), ("1 MiB", 1 << 20), ("1.5KiB", 1_536), ("1kB", 1000)]
        {
            assert_eq!(small_bytes(&flag(text)), Ok(size), "{text}");
        }
        assert_eq!(bytes(&toml(Raw::Integer(7))), Ok(ByteCount::new(7)));
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() {
        for (text, refused) in [
            ("0", "0 bytes hold nothing / --key 64KiB"),
            ("lots", "`lots` is not a size / --key 64KiB"),
            ("4GiB", "more than 4294967295B cannot be / --key 64KiB"),
        ] {
            assert_eq!(refusal(small_bytes(&flag(text))), refused);
        }
        assert_eq!(
            refusal(small_bytes(&toml(Raw::Integer(-1)))),
            "key: -1 is less than nothing / key = \"64KiB\""
        );
    }

    #[test]
    fn counts_are_whole_and_at_least_one() {
        assert_eq!(count(&flag("100_000")), Ok(100_000));
        assert_eq!(count(&toml(Raw::Integer(3))), Ok(3));
        assert_eq!(refusal(count(&flag("0"))), "0 is not between 1 and 100000000 / --key 4");
        assert_eq!(refusal(count(&flag("-2"))), "-2 is not between 1 and 100000000 / --key 4");
        assert_eq!(refusal(count(&flag("two"))), "`two` is not a number / --key 4");
        let quoted = refusal(count(&toml(Raw::Text("3".to_owned()))));
        assert_eq!(quoted, "key: a text where a number belongs / key = 4");
    }

    #[test]
    fn shards_may_be_as_many_as_there_are_cores() {
        assert_eq!(shards(&flag("cores")), Ok(cores()));
        assert_eq!(shards(&flag("3")), Ok(3));
        assert_eq!(refusal(shards(&flag("1025"))), "1025 is not between 1 and 1024 / --key 4");
    }

    #[test]
    fn true_and_false_are_words_without_quotes() {
        assert_eq!((boolean(&toml(Raw::Boolean(false))), boolean(&flag("true"))), (Ok(false), Ok(true)));
        assert_eq!(refusal(boolean(&flag("yes"))), "`yes` is neither true nor false / --key true");
        let quoted = refusal(boolean(&toml(Raw::Text("true".to_owned()))));
        assert_eq!(quoted, "key: a text where true or false belongs / key = true");
    }

    #[test]
    fn names_do_as_labels_and_as_file_names() {
        assert_eq!(name(&flag("mirror-2.eu")), Ok("mirror-2.eu".to_owned()));
        for bad in ["", "a b", "../x", ".", "a/b", "ü", &"x".repeat(65)] {
            assert!(name(&flag(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits_exactly() {
        for (size, shown) in
            [(0, "0B"), (1000, "1000B"), (65_536, "64KiB"), (64 << 20, "64MiB"), (3 << 30, "3GiB")]
        {
            assert_eq!(ByteCount::new(size).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,40}") {
            let given = flag(&text);
            let _ = (duration(&given), bytes(&given), small_bytes(&given), count(&given), shards(&given), name(&given));
        }

        #[test]
        fn what_is_shown_reads_back_the_same(size in 1..MAX_BYTES, millis in 1_u64..86_400_000) {
            prop_assert_eq!(bytes(&flag(&ByteCount::new(size).show())), Ok(ByteCount::new(size)));
            let time = Duration::from_millis(millis);
            prop_assert_eq!(duration(&flag(&time.show())), Ok(time));
        }
    }
}
