//! The commands that are clients of the REST API, against a running controller.

use std::process::Output;

use nix::sys::signal::Signal;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::controller::{Controller, DataDir, pinhole};

/// A shell of an administrator's.
struct Shell {
    server: String,
    login: (String, String),
    directory: tempfile::TempDir,
}

impl Shell {
    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = pinhole(arguments);
        command.env("PINHOLE_SERVER", &self.server).env("PINHOLE_USERNAME", &self.login.0);
        command.env("PINHOLE_PASSWORD", &self.login.1).env("PINHOLE_NEW_PASSWORD", "a long enough secret");
        command.current_dir(self.directory.path());
        command.output().await.unwrap()
    }

    #[track_caller]
    fn told(output: &Output, status: i32) -> String {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{stderr}{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout.clone()).unwrap()
    }

    async fn good(&self, arguments: &[&str]) -> String {
        Self::told(&self.run(arguments).await, 0)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }
}

const FILE: &str = r#"
tenant: acme
services:
  - { name: ftp-alt, protocol: tcp, destination_port: "2121" }
alg_policies:
  - name: branch
    tags: [voice]
    protocols: { ftp: { services: ["name:ftp-alt"] }, sip: { enabled: false } }
    permissions: [ { role: enterprise_operator, permission: hide } ]
master_profiles:
  - { name: branch-mp, kind: basic, alg_policy: "name:branch" }
---
appliances:
  - name: edge
    master_profile: name:branch-mp
    nat: { inside: [in0], outside: [out0], inside_prefixes: [10.0.0.0/24], pool: [203.0.113.1] }
"#;

async fn shell(data: &DataDir) -> (Controller, Shell) {
    let controller = Controller::start(data, &[]).await;
    let login = controller.login.clone().unwrap();
    let shell = Shell { server: controller.http.clone(), login, directory: tempfile::tempdir().unwrap() };
    shell.good(&["tenant", "create", "acme"]).await;
    (controller, shell)
}

#[tokio::test]
async fn files_are_applied_once() {
    let data = DataDir::new();
    let (controller, shell) = shell(&data).await;
    shell.write("acme.yaml", FILE);
    let apply = ["apply", "-f", "acme.yaml"];
    let planned = Shell::told(&shell.run(&["apply", "-f", "acme.yaml", "--dry-run"]).await, 2);
    assert!(
        planned.contains("+ service ftp-alt\n") && planned.contains("4 to create, 0 to update"),
        "{planned}"
    );
    assert!(shell.good(&apply).await.contains("4 to create"));
    let again = shell.good(&apply).await;
    assert_eq!(again, "0 to create, 0 to update, 0 to delete, 4 unchanged\n");

    shell.write("acme.yaml", &FILE.replace("2121", "2122"));
    let changed = shell.good(&apply).await;
    assert!(
        changed.contains("~ service ftp-alt\n    /destination_port: \"2121\" -> \"2122\"\n"),
        "{changed}"
    );

    // What stands in no file stays, unless it is to go.
    let empty = "tenant: acme\nappliances: []\nmaster_profiles: []\nalg_policies: []\nservices: []\n";
    shell.write("empty.yaml", empty);
    assert!(shell.good(&["apply", "-f", "empty.yaml"]).await.contains("0 to delete"));
    let pruned = shell.good(&["apply", "-f", "empty.yaml", "--prune"]).await;
    assert!(pruned.contains("5 to delete"), "{pruned}");
    let list = shell.good(&["policy", "list", "--tenant", "acme", "--output", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&list).unwrap(), json!([]));

    shell.write("wrong.yaml", "services: [{name: s, protocol: pigeon}]");
    let wrong = shell.run(&["apply", "-t", "acme", "-f", "wrong.yaml"]).await;
    Shell::told(&wrong, 1);
    let stderr = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        stderr.contains("wrong.yaml: services[0]/protocol is to be")
            || stderr.contains("services[0]/protocol: "),
        "{stderr}"
    );
    assert!(controller.end(Signal::SIGTERM).await.success());
}

/// Objects of a tenant, as files have them.
fn holdings() -> impl Strategy<Value = Value> {
    let service = (1..=u16::MAX, 0..100_u16, "[ -~]{0,40}", any::<bool>());
    let services = proptest::collection::vec(service, 0..5);
    let policies = proptest::collection::vec((any::<[bool; 5]>(), any::<bool>()), 0..4);
    (services, policies).prop_map(|(services, policies)| {
        let names: Vec<String> = (0..services.len()).map(|index| format!("s{index}")).collect();
        let services: Vec<Value> = services
            .iter()
            .enumerate()
            .map(|(index, (port, width, description, hidden))| {
                let ports = format!("{port}-{}", port.saturating_add(*width));
                let mut service = json!({"name": format!("s{index}"), "protocol": "tcp", "destination_port": ports,
                                         "description": description});
                if *hidden {
                    service["permissions"] = json!([{"role": "enterprise_operator", "permission": "hide"}]);
                }
                service
            })
            .collect();
        let policy = |(index, (on, listens)): (usize, &([bool; 5], bool))| {
            let listening: Vec<String> = names.iter().filter(|_| *listens).take(1).map(|name| format!("name:{name}")).collect();
            json!({"name": format!("p{index}"), "protocols": {
                "ftp": {"enabled": on[0], "services": listening}, "ike_esp": {"enabled": on[1]},
                "pptp": {"enabled": on[2]}, "sip": {"enabled": on[3]}, "tftp": {"enabled": on[4]}}})
        };
        let profiles: Vec<Value> = (0..policies.len())
            .map(|index| json!({"name": format!("m{index}"), "kind": "basic", "alg_policy": format!("name:p{index}")}))
            .collect();
        let policies: Vec<Value> = policies.iter().enumerate().map(policy).collect();
        json!({"services": services, "alg_policies": policies, "master_profiles": profiles})
    })
}

#[tokio::test]
async fn what_was_exported_changes_nothing_when_it_is_applied() {
    let data = DataDir::new();
    let (controller, shell) = shell(&data).await;
    let mut runner = TestRunner::deterministic();
    for round in 0..12 {
        let tenant = format!("t{round}");
        shell.good(&["tenant", "create", &tenant]).await;
        let holdings = holdings().new_tree(&mut runner).unwrap().current();
        shell.write("made.json", &holdings.to_string());
        let made = shell.run(&["apply", "-t", &tenant, "-f", "made.json"]).await;
        // Ports that an ALG has by itself are refused by the API alone.
        if made.status.code() == Some(1) {
            assert!(String::from_utf8_lossy(&made.stderr).contains("/services/0"), "{holdings}: {made:?}");
        }
        let exported = shell.good(&["export", "-t", &tenant]).await;
        shell.write("exported.yaml", &exported);
        let applied = shell.good(&["apply", "-t", &tenant, "-f", "exported.yaml", "--prune"]).await;
        assert!(
            applied.starts_with("0 to create, 0 to update, 0 to delete"),
            "{holdings}\n{exported}\n{applied}"
        );
        assert_eq!(shell.good(&["export", "-t", &tenant]).await, exported);
    }
    assert!(controller.end(Signal::SIGTERM).await.success());
}

#[tokio::test]
async fn the_commands_do_what_they_say() {
    let data = DataDir::new();
    let (controller, shell) = shell(&data).await;
    let tenants = shell.good(&["tenant", "list"]).await;
    assert!(tenants.starts_with("NAME") && tenants.contains("\nacme"), "{tenants}");
    let user = ["user", "create", "jo", "-t", "acme", "--role", "enterprise_operator"];
    assert!(shell.good(&user).await.contains("enterprise_operator"));
    let again = shell.run(&user).await;
    Shell::told(&again, 1);
    assert!(String::from_utf8(again.stderr).unwrap().contains("The name is taken"));
    assert!(shell.good(&["user", "list", "-t", "acme"]).await.contains("jo"));
    shell.good(&["user", "delete", "jo", "-t", "acme"]).await;
    shell.write("acme.yaml", FILE);
    shell.good(&["apply", "-f", "acme.yaml"]).await;
    let shown = shell.good(&["policy", "show", "branch", "-t", "acme", "-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["protocols"]["sip"]["enabled"], false);
    let published = shell.good(&["publish", "edge", "-t", "acme"]).await;
    assert!(published.contains("edge  pending") || published.contains("edge  unreachable"), "{published}");
    Shell::told(&shell.run(&["publish", "nowhere", "-t", "acme"]).await, 1);
    for arguments in [
        vec!["appliance", "sessions", "edge", "--address", "10.0.0.2", "-t", "acme"],
        vec!["appliance", "kill", "edge", "--pinhole", "a-1", "-t", "acme"],
    ] {
        let nobody = shell.run(&arguments).await;
        Shell::told(&nobody, 1);
        assert!(
            String::from_utf8(nobody.stderr).unwrap().contains("no gateway of the appliance is connected")
        );
    }
    Shell::told(&shell.run(&["appliance", "kill", "edge", "-t", "acme"]).await, 2);
    Shell::told(&shell.run(&["policy", "show", "a/../b", "-t", "acme"]).await, 1);

    for shell_name in ["bash", "zsh", "fish"] {
        assert!(shell.good(&["completion", shell_name]).await.contains("import"), "{shell_name}");
    }
    shell.good(&["man", "pages"]).await;
    let page = std::fs::read_to_string(shell.directory.path().join("pages/pinhole-apply.1")).unwrap();
    assert!(page.contains("prune"));
    let verified = {
        // The database is the running controller's own, so its chains are read by another command after its end.
        assert!(controller.end(Signal::SIGTERM).await.success());
        shell.good(&["audit", "verify", "--data-dir", data.path().to_str().unwrap()]).await
    };
    assert!(
        verified.lines().count() >= 2 && verified.lines().all(|line| line.ends_with(" whole")),
        "{verified}"
    );
}
