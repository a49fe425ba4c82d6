//! As much Markdown as these documents use: headings, fences, links, and tables whose cells hold names in backticks.

use std::collections::BTreeSet;

/// The lines that are prose: what stands in fences is somebody's output.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

/// Where the links lead, as written.
pub(crate) fn links(text: &str) -> Vec<&str> {
    let of_line = |line| str::split(line, "](").skip(1).filter_map(|rest| rest.split(')').next());
    prose(text).flat_map(of_line).collect()
}

/// What a link may name after `#`: headings as GitHub spells them.
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|&letter| letter.is_alphanumeric() || " -_".contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The text below a heading, up to the next one of its rank.
#[track_caller]
pub(crate) fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let rank = heading.split(' ').next().unwrap();
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split(&format!("\n{rank} ")).next().unwrap()
}

/// The cells of every table in `text`, row by row, without headings and rules.
pub(crate) fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows: Vec<&str> = prose(text).collect();
    let is_row = |line: &str| line.starts_with('|') && !line.starts_with("|-");
    let is_heading = |index: usize| rows.get(index + 1).is_some_and(|next| next.starts_with("|-"));
    let of_tables = (0..rows.len()).filter(|&index| is_row(rows[index]) && !is_heading(index));
    of_tables.map(|index| cells(rows[index])).collect()
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

/// What stands in backticks.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names in one column of the tables in `text`.
pub(crate) fn column(text: &str, index: usize) -> BTreeSet<String> {
    let named: BTreeSet<String> =
        rows(text).iter().flat_map(|row| names(row[index])).map(String::from).collect();
    assert!(!named.is_empty(), "a table with names in it");
    named
}
