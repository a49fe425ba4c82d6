//! A table whose columns come by rank: the most important fit a narrow screen, the others a wider one.

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Rect},
    text::{Line, Text},
    widgets::{Cell, Row, Table, TableState},
};

use super::{Paint, Sight};

/// Between columns.
const GAP: u16 = 2;

/// A column of rows `R`.
pub(crate) struct Column<'a, R> {
    /// What stands above it.
    pub(crate) title: &'static str,
    /// Characters it takes at least.
    pub(crate) width: u16,
    /// Numbers stand to the right.
    pub(crate) is_number: bool,
    /// It takes what is left, where it is shown; else the first does.
    pub(crate) is_wide: bool,
    /// What stands in it.
    pub(crate) cell: Box<dyn Fn(&R) -> Line<'static> + 'a>,
}

impl<'a, R> Column<'a, R> {
    /// A column of words.
    pub(crate) fn words(title: &'static str, width: u16, cell: impl Fn(&R) -> Line<'static> + 'a) -> Self {
        Self { title, width, is_number: false, is_wide: false, cell: Box::new(cell) }
    }

    /// A column of numbers.
    pub(crate) fn numbers(title: &'static str, width: u16, cell: impl Fn(&R) -> Line<'static> + 'a) -> Self {
        Self { title, width, is_number: true, is_wide: false, cell: Box::new(cell) }
    }

    /// One that takes what is left.
    pub(crate) fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }

    fn aligned(&self, line: Line<'static>) -> Cell<'static> {
        let alignment = if self.is_number { Alignment::Right } else { Alignment::Left };
        Cell::from(Text::from(line.alignment(alignment)))
    }
}

/// Draws rows, with what is chosen of them in sight.
pub(crate) fn draw<R>(
    frame: &mut Frame,
    area: Rect,
    sight: &Sight,
    mut columns: Vec<Column<'_, R>>,
    rows: &[R],
) {
    columns.truncate(fitting(&columns.iter().map(|column| column.width).collect::<Vec<_>>(), area.width));
    let titles = columns.iter().map(|column| column.aligned(Line::from(column.title)));
    let head = Row::new(titles).style(sight.paint.title());
    let body =
        rows.iter().map(|row| Row::new(columns.iter().map(|column| column.aligned((column.cell)(row)))));
    let wide = columns.iter().position(|column| column.is_wide).unwrap_or(0);
    let widths = columns.iter().enumerate().map(|(at, column)| match column.width {
        width if at == wide => Constraint::Min(width),
        width => Constraint::Length(width),
    });
    let table =
        Table::new(body, widths).header(head).column_spacing(GAP).row_highlight_style(Paint::chosen());
    let mut state = TableState::new().with_selected(sight.cursor.row(rows.len()));
    frame.render_stateful_widget(table, area, &mut state);
}

/// How many columns fit, from the first.
fn fitting(widths: &[u16], room: u16) -> usize {
    let mut taken = 0;
    let fits = |width: &&u16| {
        taken += **width + GAP;
        taken <= room + GAP
    };
    widths.iter().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_as_there_is_room() {
        let fit = [3, 10, 11, 17, 18, 100].map(|room| fitting(&[10, 6, 80], room));
        assert_eq!(fit, [0, 1, 1, 1, 2, 3]);
    }
}
