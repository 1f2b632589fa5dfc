//! Answers as tables for people and as JSON for programs.

use serde_json::Value;

use crate::print;

/// How answers are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns.
    #[default]
    Table,
    /// As the API answers.
    Json,
}

/// Prints some objects; in a table, the columns that are named.
pub(super) fn list(format: Format, items: &[Value], columns: &[&str]) -> anyhow::Result<()> {
    let text = match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(items)?),
        Format::Table => table(items, columns),
    };
    Ok(print(&text)?)
}

/// Prints an object.
pub(super) fn one(format: Format, item: &Value, columns: &[&str]) -> anyhow::Result<()> {
    match format {
        Format::Json => Ok(print(&format!("{}\n", serde_json::to_string_pretty(item)?))?),
        Format::Table => list(format, std::slice::from_ref(item), columns),
    }
}

fn table(items: &[Value], columns: &[&str]) -> String {
    let head = columns.iter().map(|column| column.to_uppercase()).collect();
    let row = |item: &Value| columns.iter().map(|column| cell(item.get(column))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(items.iter().map(row)).collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A value in a table. Control characters would reach the terminal.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let items = [json!({"name": "a", "total": 12}), json!({"name": "long\u{1b}", "total": null})];
        assert_eq!(table(&items, &["name", "total"]), "NAME   TOTAL\na      12\nlong   -\n");
    }
}
