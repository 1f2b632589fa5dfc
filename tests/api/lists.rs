//! Lists: searched, filtered, sorted, paged, counted.

use serde_json::{Value, json};

use crate::support::{World, create, service};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_searched_filtered_sorted_and_paged() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let list = |query: &'static str| {
        let api = api.clone();
        async move { api.get(&format!("/v1/tenants/acme/services{query}")).await.expect(200) }
    };
    for (name, description, tags) in [
        ("beta", "voice gateway", json!(["branch"])),
        ("Alpha", "100% sure_", json!(["branch", "voice"])),
        ("gamma", "", json!(["hq"])),
    ] {
        let body = json!({"name": name, "description": description, "tags": tags, "protocol": "tcp",
                          "destination_port": "1"});
        create(&api, "acme", "services", &body).await;
    }
    assert_eq!(names(&list("").await), ["Alpha", "beta", "gamma"]);
    assert_eq!(names(&list("?sort=-name").await), ["gamma", "beta", "Alpha"]);
    assert_eq!(names(&list("?sort=updated_at").await), ["beta", "Alpha", "gamma"]);
    assert_eq!(names(&list("?sort=-updated_at").await), ["gamma", "Alpha", "beta"]);
    assert_eq!(names(&list("?q=VOICE").await), ["Alpha", "beta"]);
    assert_eq!(names(&list("?q=alph").await), ["Alpha"]);
    // What a pattern would mean something in, means itself.
    assert_eq!(names(&list("?q=%25").await), ["Alpha"]);
    assert_eq!(names(&list("?q=e_").await), ["Alpha"]);
    assert_eq!(names(&list("?q=%5C").await), [""; 0]);
    assert_eq!(names(&list("?tag=branch").await), ["Alpha", "beta"]);
    assert_eq!(names(&list("?tag=branch&tag=voice").await), ["Alpha"]);
    assert_eq!(names(&list("?tag=bran").await), [""; 0]);

    let page = list("?per_page=2&page=2").await;
    assert_eq!((names(&page), &page["total"]), (vec!["gamma"], &json!(3)));
    assert_eq!((&page["page"], &page["per_page"]), (&json!(2), &json!(2)));
    let beyond = list("?page=1000000&per_page=100").await;
    assert_eq!((names(&beyond), &beyond["total"]), (vec![], &json!(3)));
}

#[tokio::test]
async fn parameters_that_do_not_parse_are_refused() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let long = format!("q={}", "x".repeat(201));
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=1000001",
        "page=+1",
        "per_page=0",
        "per_page=101",
        "sort=colour",
        "sort=name;drop",
        "q=%00",
        "q=a&q=b",
        "colour=red",
        long.as_str(),
        "tag=a&tag=a&tag=a&tag=a&tag=a&tag=a&tag=a&tag=a&tag=a&tag=a&tag=a",
        "q=%ff",
    ] {
        let answer = api.get(&format!("/v1/tenants/acme/services?{query}")).await;
        if query == "q=%ff" {
            // Not UTF-8: read with replacement characters, or refused; never an error of the server.
            assert!(answer.status.as_u16() < 500);
        } else {
            answer.problem(400, "bad-parameter");
        }
    }
}

#[tokio::test]
async fn a_policy_is_found_by_a_service_that_the_caller_may_see() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "needle", "2121").await;
    create(&api, "acme", "alg-policies", &json!({"name": "p", "protocols": {"ftp": {"services": [id]}}}))
        .await;
    let search = "/v1/tenants/acme/alg-policies?q=needle";
    assert_eq!(world.api("acme-operator").get(search).await.expect(200)["total"], 1);
    let hide = json!({"enterprise_operator": "hide"});
    api.put(&format!("/v1/tenants/acme/services/{id}/permissions"), &hide).await.expect(200);
    assert_eq!(world.api("acme-operator").get(search).await.expect(200)["total"], 0);
    assert_eq!(api.get(search).await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_search_finds_what_has_the_text_and_nothing_else() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let texts = ["", "Åre ÅRE", "100% of_it \\ \"q\"", "aaa", "aab aba", "日本語の説明", "two\nlines"];
    for (index, text) in texts.iter().enumerate() {
        let body = json!({"name": format!("n{index}"), "protocol": "tcp", "destination_port": "1", "description": text,
                          "tags": [format!("tag-{index}")]});
        create(&api, "acme", "services", &body).await;
    }
    for needle in [
        "n", "n1", "å", "åre å", "%", "f_i", "\\ \"", "aa", "aaa", "aba", "aaab", "本語", "語", "o\nl",
        "tag-3", "zz",
    ] {
        let encoded: String = needle.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = api.get(&format!("/v1/tenants/acme/services?q={encoded}")).await.expect(200);
        let found: Vec<&str> =
            found["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        let expected: Vec<String> = (0..texts.len())
            .filter(|index| {
                let all = format!("n{index}\n{}\ntag-{index}", texts[*index]).to_lowercase();
                all.contains(needle)
            })
            .map(|index| format!("n{index}"))
            .collect();
        assert_eq!(found, expected, "{needle}");
    }
}
