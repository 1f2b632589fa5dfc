//! An OpenAPI document as HTML.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for a field that it does not have")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// How deep a schema is written out before a link has to do.
const MAX_DEPTH: usize = 8;

/// Renders a document.
pub(super) fn render(document: &Value) -> String {
    let title = escape(text(&document["info"], "title"));
    let version = escape(text(&document["info"], "version"));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\">\
         </head><body><nav><h1>{title} <small>{version}</small></h1>"
    );
    let operations = by_tag(document);
    for (tag, operations) in &operations {
        page += &format!("<h2>{}</h2><ul>", escape(tag));
        for operation in operations {
            let (method, path) = (operation.method, escape(operation.path));
            let id = escape(text(operation.value, "operationId"));
            page += &format!("<li><a href=\"#{id}\"><b class=\"{method}\">{method}</b> {path}</a></li>");
        }
        page += "</ul>";
    }
    page += &format!(
        "</nav><main><p>{}</p><p>The document itself: <a href=\"/openapi.json\">/openapi.json</a></p>",
        escape(text(&document["info"], "description"))
    );
    for (tag, operations) in &operations {
        page += &format!("<h2>{}</h2>", escape(tag));
        for operation in operations {
            page += &render_operation(operation);
        }
    }
    page += "<h2 id=\"schemas\">Schemas</h2>";
    for (name, schema) in fields(&document["components"]["schemas"]) {
        let name = escape(name);
        page += &format!("<section class=\"schema\" id=\"schema-{name}\"><h3>{name}</h3>");
        page +=
            &format!("<p>{}</p>{}</section>", escape(text(schema, "description")), render_schema(schema, 0));
    }
    page += "</main></body></html>\n";
    page
}

struct Operation<'a> {
    path: &'a str,
    method: &'static str,
    value: &'a Value,
}

fn by_tag(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut tags: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (path, item) in fields(&document["paths"]) {
        for method in METHODS {
            let Some(value) = item.get(method) else { continue };
            let tag = value["tags"][0].as_str().unwrap_or_default();
            tags.entry(tag).or_default().push(Operation { path, method, value });
        }
    }
    tags
}

fn render_operation(operation: &Operation<'_>) -> String {
    let Operation { path, method, value } = operation;
    let id = escape(text(value, "operationId"));
    let mut html = format!(
        "<section id=\"{id}\"><h3><b class=\"{method}\">{method}</b> <code>{}</code></h3><p>{}</p>",
        escape(path),
        escape(text(value, "summary"))
    );
    let parameters = value["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        html += "<table><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr>";
        for parameter in parameters {
            let required = if parameter["required"] == true { " <i>required</i>" } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(
                html,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}{required}</td></tr>",
                escape(text(parameter, "name")),
                escape(text(parameter, "in")),
                render_schema(&parameter["schema"], 0),
                escape(text(parameter, "description")),
            );
        }
        html += "</table>";
    }
    for (media_type, content) in fields(&value["requestBody"]["content"]) {
        let schema = render_schema(&content["schema"], 0);
        html += &format!("<h4>Body <small>{}</small></h4>{schema}", escape(media_type));
    }
    html += "<h4>Answers</h4><table>";
    for (status, response) in fields(&value["responses"]) {
        let contents = fields(&response["content"]);
        let schemas: String = contents.map(|(_, content)| render_schema(&content["schema"], 0)).collect();
        let detail = escape(text(response, "description"));
        html +=
            &format!("<tr><td><code>{}</code></td><td>{detail}</td><td>{schemas}</td></tr>", escape(status));
    }
    html += "</table></section>";
    html
}

fn render_schema(schema: &Value, depth: usize) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if depth >= MAX_DEPTH {
        return "...".to_owned();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().map(|part| render_schema(part, depth + 1)).collect::<Vec<_>>().join(" and ");
    }
    if let Some(parts) = schema["oneOf"].as_array() {
        return parts.iter().map(|part| render_schema(part, depth + 1)).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| format!("<code>{}</code>", escape(&word.to_string())));
        return words.collect::<Vec<_>>().join(" ");
    }
    if schema["properties"].is_object() {
        return render_properties(schema, depth);
    }
    if schema["items"].is_object() {
        return format!("array of {}{}", render_schema(&schema["items"], depth + 1), limits(schema));
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any".to_owned(),
    };
    format!("{}{}", escape(&kinds), limits(schema))
}

fn render_properties(schema: &Value, depth: usize) -> String {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut html = "<table>".to_owned();
    for (name, property) in fields(&schema["properties"]) {
        let mark = if required.iter().any(|field| field == name) { " <i>required</i>" } else { "" };
        let detail = escape(text(property, "description"));
        let kind = render_schema(property, depth + 1);
        html +=
            &format!("<tr><td><code>{}</code>{mark}</td><td>{kind}</td><td>{detail}</td></tr>", escape(name));
    }
    html + "</table>"
}

/// The bounds of a value, as far as there are any.
fn limits(schema: &Value) -> String {
    let names = [
        ("format", ""),
        ("minimum", "at least "),
        ("maximum", "at most "),
        ("minLength", "at least this long: "),
        ("maxLength", "at most this long: "),
        ("maxItems", "at most this many: "),
        ("pattern", ""),
    ];
    let limits: Vec<String> = names
        .iter()
        .filter_map(|(key, word)| schema.get(key).map(|value| (word, value)))
        .map(|(word, value)| {
            format!("{word}{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    if limits.is_empty() { String::new() } else { format!(" <small>{}</small>", escape(&limits.join(", "))) }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A text as HTML shows it.
pub(in crate::http) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_document_says_stays_text() {
        let page = render(&json!({
            "info": {"title": "<script>", "version": "1", "description": "a & \"b\""},
            "paths": {"/x": {"get": {"tags": ["<t>"], "operationId": "\"><i>", "summary": "<b>"}}},
        }));
        assert!(!page.contains("<script>") && !page.contains("<t>") && !page.contains("\"><i>"));
        assert!(page.contains("a &amp; &quot;b&quot;"));
    }
}
