//! Reads a route's codec: `lines`, `delimiter:\r\n`, `length-prefixed:width=2,…` or a table with the same names.
//!
//! The words of the flag and the table of the file become one table first, so both are understood and refused alike.
//! What a codec does with its parameters is `proto`'s business; only their names are known here.

use std::collections::BTreeMap;

use proto::codec::{Codec, Counts, Endianness, LengthPrefix, MAX_DELIMITER, Width};

use super::{
    given::{Given, Raw, Table},
    key::nearest,
    layers::{Read, keep},
    problem::{Problem, Problems},
    value::Show,
};

const KINDS: [&str; 5] = ["raw", "lines", "length-prefixed", "delimiter", "foo"];
const PREFIX_KEYS: [&str; 6] = ["kind", "width", "endianness", "offset", "counts", "trailer"];
const DELIMITER_KEYS: [&str; 2] = ["kind", "bytes"];
const WIDTHS: [(&str, Width); 5] =
    [("1", Width::One), ("2", Width::Two), ("3", Width::Three), ("4", Width::Four), ("8", Width::Eight)];
const ENDIANNESSES: [(&str, Endianness); 2] = [("big", Endianness::Big), ("little", Endianness::Little)];
const COUNTS: [(&str, Counts); 3] =
    [("payload", Counts::Payload), ("field", Counts::Field), ("frame", Counts::Frame)];

impl Show for Codec {
    fn show(&self) -> String {
        match self {
            Self::Raw => "raw".to_owned(),
            Self::Lines => "lines".to_owned(),
            Self::Foo => "foo".to_owned(),
            Self::Delimiter(bytes) => format!("delimiter:{}", escaped(bytes)),
            Self::LengthPrefixed(prefix) => show_prefix(*prefix),
            Self::Datagram => "datagram".to_owned(),
        }
    }
}

fn show_prefix(LengthPrefix { offset, width, endianness, counts }: LengthPrefix) -> String {
    let (width, endianness) = (word(&WIDTHS, width), word(&ENDIANNESSES, endianness));
    let counts = match counts {
        Counts::BeforeTrailer(trailer) => format!("payload,trailer={trailer}"),
        counts => word(&COUNTS, counts).to_owned(),
    };
    format!("length-prefixed:width={width},endianness={endianness},offset={offset},counts={counts}")
}

/// `bytes` so that `unescape` gives them back.
fn escaped(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    if text.starts_with("hex:") { text.replacen('h', "\\x68", 1) } else { text }
}

fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

/// Reads a codec in either form.
pub(super) fn codec(given: &Given) -> Read<Codec> {
    let table = match &given.raw {
        Raw::Table(table) => table.clone(),
        _ => table_of_words(given)?,
    };
    let Some(kind) = table.find("kind") else {
        let what = "a codec's table needs its `kind`";
        return Err(given.refuse(what, "{ kind = \"delimiter\", bytes = \"\\r\\n\" }").into());
    };
    match kind.text().unwrap_or_default() {
        "raw" => only(&table, &["kind"]).map(|()| Codec::Raw),
        "lines" => only(&table, &["kind"]).map(|()| Codec::Lines),
        "foo" => only(&table, &["kind"]).map(|()| Codec::Foo),
        "length-prefixed" => length_prefixed(given, &table),
        "delimiter" => delimiter(given, &table),
        other => Err(unknown_kind(given, other).into()),
    }
}

fn unknown_kind(given: &Given, kind: &str) -> Problem {
    let what = format!("`{kind}` is not a codec; there are {}", KINDS.join(", "));
    given.refuse(what, nearest(kind, KINDS).unwrap_or("lines"))
}

/// `kind:rest` as the table it stands for.
fn table_of_words(given: &Given) -> Read<Table> {
    // Not trimmed: a delimiter may be a space.
    let text = match &given.raw {
        Raw::Words(text) | Raw::Text(text) => text.as_str(),
        _ => return Err(given.refuse_kind("a codec", "lines").into()),
    };
    let (kind, rest) =
        text.split_once(':').map_or((text.trim(), None), |(kind, rest)| (kind.trim(), Some(rest)));
    let mut table = BTreeMap::from([("kind".to_owned(), given.saying(Raw::Words(kind.to_owned())))]);
    match (kind, rest) {
        (_, None) => {}
        ("delimiter", Some(bytes)) => {
            table.insert("bytes".to_owned(), given.saying(Raw::Words(bytes.to_owned())));
        }
        ("length-prefixed", Some(rest)) => table.extend(parameters(given, rest)?),
        (kind, Some(rest)) if KINDS.contains(&kind) => {
            return Err(given.refuse(format!("`{kind}` takes no `:{rest}`"), kind).into());
        }
        _ => return Err(unknown_kind(given, kind).into()),
    }
    Ok(Table(table))
}

fn parameters(given: &Given, text: &str) -> Read<BTreeMap<String, Given>> {
    let mut table = BTreeMap::new();
    for parameter in text.split(',') {
        let (name, value) = parameter.split_once('=').ok_or_else(|| {
            given.refuse(format!("`{parameter}` is not NAME=VALUE"), "length-prefixed:width=2,endianness=big")
        })?;
        table.insert(name.trim().to_owned(), given.saying(Raw::Words(value.trim().to_owned())));
    }
    Ok(table)
}

/// Refuses the keys of `table` that are not `known`.
fn only(table: &Table, known: &[&str]) -> Read<()> {
    let unknown = table.0.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    let problems: Vec<_> = unknown
        .map(|(name, given)| {
            let advice = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("`{meant}`"),
                None => format!("only {}", known.join(", ")),
            };
            given.refuse_with(format!("this codec knows no `{name}`"), advice)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems::of(problems)) }
}

fn length_prefixed(given: &Given, table: &Table) -> Read<Codec> {
    let mut problems = Vec::new();
    keep(only(table, &PREFIX_KEYS), &mut problems);
    let width = keep(width(given, table), &mut problems);
    let endianness = keep(choice(table, "endianness", &ENDIANNESSES, Endianness::Big), &mut problems);
    let counts = keep(counts(table), &mut problems);
    let offset = keep(small(table, "offset", "0 to 255 bytes before the length"), &mut problems);
    let prefix =
        || Some(LengthPrefix { offset: offset?, width: width?, endianness: endianness?, counts: counts? });
    Problems::none_or(problems, prefix().map(Codec::LengthPrefixed))
}

fn width(given: &Given, table: &Table) -> Read<Width> {
    if table.find("width").is_none() {
        let what = "length-prefixed needs the `width` of the length: 1, 2, 3, 4 or 8 bytes";
        return Err(given.refuse_with(what, "width=2 (in a table: width = 2)").into());
    }
    choice(table, "width", &WIDTHS, Width::Two)
}

fn choice<T: Copy>(table: &Table, key: &str, words: &[(&str, T)], default: T) -> Read<T> {
    let Some(given) = table.find(key) else { return Ok(default) };
    let said = plain(given);
    let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let refuse = || given.refuse_with(format!("{key} is not `{said}`"), format!("one of {}", known()));
    Ok(words.iter().find(|(word, _)| *word == said).map(|(_, value)| *value).ok_or_else(refuse)?)
}

/// What the length counts. Only one that counts the payload can leave out a trailer.
fn counts(table: &Table) -> Read<Counts> {
    const TRAILER: &str = "0 to 255 bytes that the length does not count";
    let counts = choice(table, "counts", &COUNTS, Counts::Payload)?;
    let Some(given) = table.find("trailer") else { return Ok(counts) };
    match (small(table, "trailer", TRAILER)?, counts) {
        (0, counts) => Ok(counts),
        (trailer, Counts::Payload) => Ok(Counts::BeforeTrailer(trailer)),
        _ => {
            let what = "a trailer is what a length of the payload leaves out";
            Err(given.refuse_with(what, "counts=payload, or no trailer").into())
        }
    }
}

/// A parameter of one byte, 0 unless it was said.
fn small(table: &Table, key: &str, instead: &str) -> Read<u8> {
    let Some(given) = table.find(key) else { return Ok(0) };
    let said = plain(given);
    Ok(said.parse().map_err(|_| given.refuse_with(format!("{key} is not `{said}`"), instead))?)
}

/// A number or word as text.
fn plain(given: &Given) -> String {
    match &given.raw {
        Raw::Integer(number) => number.to_string(),
        _ => given.text().unwrap_or_default().to_owned(),
    }
}

fn delimiter(given: &Given, table: &Table) -> Read<Codec> {
    only(table, &DELIMITER_KEYS)?;
    let bytes = match table.find("bytes").map(|given| &given.raw) {
        Some(Raw::Words(text) | Raw::Text(text)) => {
            unescape(text).map_err(|fault| refuse_bytes(given, &fault))?
        }
        _ => return Err(refuse_bytes(given, "a delimiter needs its bytes").into()),
    };
    match bytes.len() {
        1..=MAX_DELIMITER => Ok(Codec::Delimiter(bytes.into())),
        length => {
            Err(refuse_bytes(given, &format!("a delimiter has 1 to {MAX_DELIMITER} bytes, not {length}"))
                .into())
        }
    }
}

fn refuse_bytes(given: &Given, what: &str) -> Problem {
    given.refuse(what, "delimiter:hex:0d0a")
}

/// The bytes that `text` spells: `hex:0d0a`, or text with `\r \n \t \0 \\ \' \" \xNN`.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    if let Some(digits) = text.strip_prefix("hex:") {
        return hex(digits).ok_or_else(|| format!("`{digits}` is not pairs of hexadecimal digits"));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = escape(after).ok_or("`\\` is followed by none of r, n, t, 0, \\ and xNN")?;
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The byte that an escape stands for, and how much of `after` it takes.
fn escape(after: &str) -> Option<(u8, usize)> {
    let byte = match after.as_bytes().first()? {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        same @ (b'\\' | b'\'' | b'"') => *same,
        b'x' => return Some((*hex(after.get(1..3)?)?.first()?, 3)),
        _ => return None,
    };
    Some((byte, 1))
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    odd.is_empty()
        .then(|| pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::given::Origin, *};

    fn read(text: &str) -> Read<Codec> {
        codec(&Given::new(Raw::Words(text.to_owned()), "codec", Origin::Flag("--codec")))
    }

    fn prefix(offset: u8, width: Width, endianness: Endianness, counts: Counts) -> Codec {
        Codec::LengthPrefixed(LengthPrefix { offset, width, endianness, counts })
    }

    #[test]
    fn codecs_are_read_from_words() {
        let delimiter = |bytes: &[u8]| Codec::Delimiter(bytes.into());
        let little = prefix(1, Width::Four, Endianness::Little, Counts::Frame);

        for (text, codec) in [
            ("raw", Codec::Raw),
            (" lines ", Codec::Lines),
            ("foo", Codec::Foo),
            ("delimiter:\\r\\n", delimiter(b"\r\n")),
            ("delimiter:\r\n", delimiter(b"\r\n")),
            ("delimiter: ", delimiter(b" ")),
            ("delimiter::", delimiter(b":")),
            ("delimiter:hex:0D0a", delimiter(b"\r\n")),
            ("delimiter:\\x7e\\\\é", delimiter(b"~\\\xc3\xa9")),
            ("length-prefixed:width=2", prefix(0, Width::Two, Endianness::Big, Counts::Payload)),
            ("length-prefixed:width=1,counts=field", prefix(0, Width::One, Endianness::Big, Counts::Field)),
            (
                "length-prefixed:width=2,trailer=2",
                prefix(0, Width::Two, Endianness::Big, Counts::BeforeTrailer(2)),
            ),
            ("length-prefixed:width=4, endianness=little, offset=1, counts=frame", little),
        ] {
            assert_eq!(read(text), Ok(codec), "{text}");
        }
    }

    #[test]
    fn bad_codecs_are_refused_with_every_reason() {
        let kinds = "there are raw, lines, length-prefixed, delimiter, foo";

        for (text, reasons) in [
            ("line", vec![format!("`line` is not a codec; {kinds}")]),
            ("json:x", vec![format!("`json` is not a codec; {kinds}")]),
            ("lines:x", vec!["`lines` takes no `:x`".to_owned()]),
            ("foo:", vec!["`foo` takes no `:`".to_owned()]),
            ("delimiter", vec!["a delimiter needs its bytes".to_owned()]),
            ("delimiter:", vec!["a delimiter has 1 to 16 bytes, not 0".to_owned()]),
            ("delimiter:\\q", vec!["`\\` is followed by none of r, n, t, 0, \\ and xNN".to_owned()]),
            ("delimiter:\\x+1", vec!["`\\` is followed by none of r, n, t, 0, \\ and xNN".to_owned()]),
            ("delimiter:hex:0d0", vec!["`0d0` is not pairs of hexadecimal digits".to_owned()]),
            ("length-prefixed:2", vec!["`2` is not NAME=VALUE".to_owned()]),
            (
                "length-prefixed:width=2,counts=frame,trailer=2",
                vec!["a trailer is what a length of the payload leaves out".to_owned()],
            ),
            (
                "length-prefixed:widht=2,endianness=middle,offset=256,counts=all",
                vec![
                    "this codec knows no `widht`".to_owned(),
                    "length-prefixed needs the `width` of the length: 1, 2, 3, 4 or 8 bytes".to_owned(),
                    "endianness is not `middle`".to_owned(),
                    "counts is not `all`".to_owned(),
                    "offset is not `256`".to_owned(),
                ],
            ),
        ] {
            let problems = read(text).unwrap_err();
            let found: Vec<_> = problems.as_slice().iter().map(|problem| problem.what.clone()).collect();
            assert_eq!(found, reasons, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_reads_back(text in "(raw|lines|delimiter|length-prefixed|foo)?:?\\PC{0,20}") {
            if let Ok(codec) = read(&text) {
                prop_assert_eq!(read(&codec.show()), Ok(codec));
            }
        }

        #[test]
        fn any_length_prefix_is_shown_so_that_it_reads_back(
            offset: u8,
            trailer in 1_u8..,
            width in prop::sample::select(WIDTHS.map(|(_, width)| width).to_vec()),
            endianness in prop::sample::select(ENDIANNESSES.map(|(_, endianness)| endianness).to_vec()),
        ) {
            for counts in [Counts::Payload, Counts::Field, Counts::Frame, Counts::BeforeTrailer(trailer)] {
                let codec = prefix(offset, width, endianness, counts);
                prop_assert_eq!(read(&codec.show()), Ok(codec));
            }
        }

        #[test]
        fn any_delimiter_is_shown_so_that_it_reads_back(bytes in prop::collection::vec(any::<u8>(), 1..=MAX_DELIMITER)) {
            let codec = Codec::Delimiter(bytes.into());
            prop_assert_eq!(read(&codec.show()), Ok(codec));
        }
    }
}
