//! The OpenAPI document: committed, current, and true to what the routes do.

use serde_json::Value;

use crate::support::snapshot;

#[test]
fn the_committed_document_is_current() {
    snapshot::compare("openapi/openapi.json", &pinhole::http::openapi_json());
}

#[test]
fn operations_have_unique_names_and_say_what_can_go_wrong() {
    let document: Value = serde_json::from_str(&pinhole::http::openapi_json()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}");
            assert!(!operation["tags"].as_array().unwrap().is_empty(), "{place}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                    if media_type == "application/problem+json" {
                        continue;
                    }
                    assert!(
                        content.get("example").is_some(),
                        "{place}: {status} {media_type} has no example"
                    );
                }
            }
            for (media_type, content) in operation["requestBody"]["content"].as_object().into_iter().flatten()
            {
                assert!(content.get("example").is_some(), "{place}: {media_type} has no example");
            }
            assert!(responses.contains_key("503") && responses.contains_key("500"), "{place}");
        }
    }
}
