//! Medians, ratios and the words around them. Nothing here measures; it is told numbers and says them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// The middle of some numbers, and their ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// None of no numbers.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut numbers: Vec<_> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        let (lower, upper) = (numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]);
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }

    pub(crate) fn with_ends(&self, decimals: usize) -> String {
        let Self { median, min, max } = self;
        format!("{median:.decimals$} ({min:.decimals$} to {max:.decimals$})")
    }
}

/// What a number must not be beyond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Limit {
    pub(crate) fn is_kept_by(self, number: f64) -> bool {
        match self {
            Self::AtMost(limit) => number <= limit,
            Self::AtLeast(limit) => number >= limit,
        }
    }

    pub(crate) fn verdict(self, number: Option<f64>) -> String {
        let limit = match self {
            Self::AtMost(limit) => format!("<= {limit}"),
            Self::AtLeast(limit) => format!(">= {limit}"),
        };
        match number.map(|number| self.is_kept_by(number)) {
            Some(true) => format!("{limit}: kept"),
            Some(false) => format!("{limit}: BROKEN"),
            None => format!("{limit}: unknown"),
        }
    }
}

/// Rows below a heading, the first column to the left and the others to the right.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<_> = heading.iter().map(ToString::to_string).collect();
    let lines: Vec<_> = std::iter::once(&heading).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..heading.len()).map(width).collect();
    lines.iter().map(|line| table_line(line, &widths)).collect()
}

fn table_line(cells: &[String], widths: &[usize]) -> String {
    let mut line = format!("{:<width$}", cells[0], width = widths[0]);
    for (cell, width) in cells.iter().zip(widths).skip(1) {
        // Writing to a string cannot fail.
        let _ = write!(line, "  {cell:>width$}");
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

pub(crate) fn write_json(path: Option<&Path>, report: &impl Serialize) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(report)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write the report to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).map(|spread| spread.median), Some(2.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_limit_is_kept_at_its_edge_and_unknown_without_a_number() {
        assert_eq!(Limit::AtMost(1.25).verdict(Some(1.25)), "<= 1.25: kept");
        assert_eq!(Limit::AtMost(1.25).verdict(Some(1.26)), "<= 1.25: BROKEN");
        assert_eq!(Limit::AtLeast(0.95).verdict(Some(0.94)), ">= 0.95: BROKEN");
        assert_eq!(Limit::AtLeast(0.95).verdict(None), ">= 0.95: unknown");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["long name".into(), "1".into()], vec!["µs".into(), "1000".into()]];
        assert_eq!(
            table(&["case", "value"], &rows),
            "case       value\nlong name      1\nµs          1000\n"
        );
    }
}
