//! Answers as columns for people.

use serde_json::Value;

/// Returns objects as a table: a line of names, and a line for each.
pub(super) fn lines(items: &[Value], columns: &[&str]) -> Vec<String> {
    let head = columns.iter().map(|column| column.to_uppercase()).collect();
    let row = |item: &Value| columns.iter().map(|column| cell(item.get(column))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(items.iter().map(row)).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Returns an object as lines of a name and a value; what is in objects in it is further to the right.
pub(super) fn pairs(value: &Value) -> Vec<String> {
    let Some(object) = value.as_object() else { return vec![cell(Some(value))] };
    let mut lines = Vec::new();
    for (name, value) in object {
        match value {
            Value::Object(_) | Value::Array(_) => {
                let parts: Vec<&Value> = value.as_array().map_or(vec![value], |items| items.iter().collect());
                for part in parts {
                    lines.push(format!("{name}:"));
                    lines.extend(pairs(part).into_iter().map(|line| format!("  {line}")));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                lines.push(format!("{name}: {}", cell(Some(value))));
            }
        }
    }
    lines
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
        let items = [json!({"id": "a", "out": 12}), json!({"id": "long\u{1b}", "out": null})];
        assert_eq!(lines(&items, &["id", "out"]), ["ID     OUT", "a      12", "long   -"]);
    }

    #[test]
    fn what_is_in_an_object_stands_further_to_the_right() {
        let value = json!({"a": 1, "b": {"c": "d"}, "e": [{"f": true}, {"f": null}], "g": []});
        assert_eq!(pairs(&value), ["a: 1", "b:", "  c: d", "e:", "  f: true", "e:", "  f: -"]);
    }
}
