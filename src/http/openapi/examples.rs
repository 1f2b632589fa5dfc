//! An example for every body of the OpenAPI document, made from its schema: where the schema has an example that is taken, and
//! elsewhere what a field of that name could hold. So an operation that is added has its examples, too.

use serde_json::{Map, Value, json};
use utoipa::openapi::{Content, OpenApi, RefOr};

/// How deep schemas may stand in each other; none of ours does so deeper.
const MAX_DEPTH: usize = 24;
/// Where the components are.
const COMPONENTS: &str = "#/components/schemas/";
/// Optional fields that a request's example has all the same.
const WORTH_SHOWING: [&str; 9] = [
    "alg_policy",
    "destination_port",
    "enabled",
    "enterprise_operator",
    "ftp",
    "password",
    "protocols",
    "services",
    "username",
];

/// What a text of that name could be.
const TEXTS: [(&str, &str); 23] = [
    ("access_token", "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"),
    ("client", "192.0.2.10"),
    (
        "command",
        "pinhole-gateway run --controller http://192.0.2.1:7443 --token-file /etc/pinhole-gateway/token",
    ),
    ("description", "Branch offices"),
    ("detail", "is to be set"),
    ("email", "jo@example.com"),
    ("hash", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("inside", "in0"),
    ("inside_prefixes", "10.0.0.0/24"),
    ("labels", "emea"),
    ("master_profile", "name:branch-mp"),
    ("name", "branch"),
    ("next_cursor", "41"),
    ("outside", "out0"),
    ("password", "correct horse battery staple"),
    ("path", "/algs/ftp/enabled"),
    ("pointer", "/name"),
    ("pool", "203.0.113.1"),
    ("refresh_token", "l3Hn0pYVw3dX0pQk2ZpD6f5oQn7m1c8b9a0zYxWvUts"),
    ("request_id", "01940f6e-7c00-7a3b-8b53-6f1b8c4a7e11"),
    ("site", "Utrecht"),
    ("tags", "voice"),
    ("username", "jo"),
];

/// What a field of that name is shown with, whatever its schema.
const FIXED: [(&str, &str); 5] = [
    ("my_permission", r#""edit""#),
    ("per_page", "10"),
    ("permission", r#""edit""#),
    (
        "permissions",
        r#"[{"role": "enterprise_administrator", "permission": "edit", "inherited": true},
            {"role": "enterprise_operator", "permission": "hide", "inherited": false},
            {"role": "service_provider_administrator", "permission": "edit", "inherited": true},
            {"role": "service_provider_operator", "permission": "read", "inherited": true}]"#,
    ),
    ("role", r#""enterprise_operator""#),
];

/// Adds an example to every body that has none.
pub(super) fn add(document: &mut OpenApi) {
    let components = serde_json::to_value(&document.components).unwrap_or_default();
    let maker = Maker { schemas: components.get("schemas").cloned().unwrap_or_default() };
    for item in document.paths.paths.values_mut() {
        for (_, operation) in super::operations(item) {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                for (media_type, content) in &mut body.content {
                    maker.request(media_type, content);
                }
            }
            for response in operation.responses.responses.values_mut() {
                let RefOr::T(response) = response else { continue };
                // A problem is explained in its own schema and in the catalogue.
                let bodies =
                    response.content.iter_mut().filter(|(media_type, _)| *media_type != super::PROBLEM);
                bodies.for_each(|(_, content)| maker.response(content));
            }
        }
    }
}

/// Whose example it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

struct Maker {
    schemas: Value,
}

impl Maker {
    fn request(&self, media_type: &str, content: &mut RefOr<Content>) {
        let RefOr::T(content) = content else { return };
        let example = if media_type == "application/merge-patch+json" {
            json!({ "description": "Branch offices" })
        } else {
            let schema = serde_json::to_value(&content.schema).unwrap_or_default();
            self.value(&schema, "", Side::Request, 0)
        };
        content.example.get_or_insert(example);
    }

    fn response(&self, content: &mut RefOr<Content>) {
        let RefOr::T(content) = content else { return };
        let schema = serde_json::to_value(&content.schema).unwrap_or_default();
        let example = self.value(&schema, "", Side::Response, 0);
        content.example.get_or_insert(example);
    }

    fn value(&self, schema: &Value, name: &str, side: Side, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(example) = schema.get("example") {
            return example.clone();
        }
        if let Some((_, fixed)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
            return serde_json::from_str(fixed).unwrap_or_default();
        }
        if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|words| words.first()) {
            return first.clone();
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix(COMPONENTS).and_then(|target| self.schemas.get(target));
            return target.map_or(Value::Null, |target| self.value(target, name, side, depth + 1));
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            let mut fields = Map::new();
            for part in parts {
                if let Value::Object(more) = self.value(part, name, side, depth + 1) {
                    fields.extend(more);
                }
            }
            return Value::Object(fields);
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.get(choice).and_then(Value::as_array) {
                let chosen = choices.iter().find(|choice| type_of(choice) != Some("null"));
                return chosen.map_or(Value::Null, |chosen| self.value(chosen, name, side, depth + 1));
            }
        }
        match type_of(schema) {
            Some("object") => self.object(schema, side, depth),
            Some("array") => {
                let item = schema.get("items").map(|items| self.value(items, name, side, depth + 1));
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).max(1);
                (0..least).filter_map(|_| item.clone()).collect()
            }
            Some("string") => text(schema, name),
            Some("integer" | "number") => match schema.get("minimum") {
                Some(least) if least.as_i64().is_some_and(|least| least > 0) => least.clone(),
                Some(_) | None => json!(1),
            },
            Some("boolean") => Value::Bool(true),
            Some(_) | None => Value::Null,
        }
    }

    fn object(&self, schema: &Value, side: Side, depth: usize) -> Value {
        let required = schema.get("required").and_then(Value::as_array);
        let required =
            |name: &str| required.is_some_and(|required| required.iter().any(|field| field == name));
        let mut fields = Map::new();
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let shown = required(name)
                || (side == Side::Request && WORTH_SHOWING.contains(&name.as_str()))
                || (side == Side::Response && name != "warnings");
            if shown {
                fields.insert(name.clone(), self.value(field, name, side, depth + 1));
            }
        }
        Value::Object(fields)
    }
}

fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(word) => Some(word),
        Value::Array(words) => words.iter().filter_map(Value::as_str).find(|word| *word != "null"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn text(schema: &Value, name: &str) -> Value {
    match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => return "01940f6e-7c00-7a3b-8b53-6f1b8c4a7e10".into(),
        Some("date-time") => return "2026-01-05T09:30:00Z".into(),
        Some(_) | None => {}
    }
    let known = TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    known.unwrap_or("name:branch").into()
}
