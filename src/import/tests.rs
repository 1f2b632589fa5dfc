use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::desired::{Desired, Prune, plan};

fn proposal(system: System, text: &str) -> (Value, Vec<(usize, String)>) {
    let Proposal { document, skipped } = read(system, text, "imported").unwrap();
    // What is proposed is what `apply` takes.
    let mut desired = Desired::default();
    desired.add("proposal", &document.to_string()).unwrap();
    plan(&[], &desired, Prune::Keep).unwrap();
    (document, skipped.into_iter().map(|skipped| (skipped.line, skipped.reason)).collect())
}

fn protocol(document: &Value, protocol: &str) -> Value {
    document["alg_policies"][0]["protocols"][protocol].clone()
}

const NFTABLES: &str = r#"table inet filter {
	ct helper ftp-standard {
		type "ftp" protocol tcp
		l3proto inet
	}

	ct helper amanda {
		type "amanda" protocol udp
		l3proto inet
	}

	ct helper tftp-any {
		type "tftp" protocol udp
		l3proto ip
	}

	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		tcp dport 21 ct helper set "ftp-standard"
		tcp dport { 2121, 8000-8010 } counter packets 5 bytes 300 ct helper set "ftp-standard" # handle 5
		udp dport 10080 ct helper set "amanda"
		ip saddr 10.0.0.0/8 udp dport 69 ct helper set "tftp-any"
		udp dport 2121 ct helper set "ftp-standard"
		ct helper set tcp dport map { 21 : "ftp-standard" }
		tcp dport 22 accept
	}
}
"#;

#[test]
fn nftables_helpers_listen_where_rules_set_them() {
    let (document, skipped) = proposal(System::Nftables, NFTABLES);
    let services = ["name:ftp-tcp-2121", "name:ftp-tcp-8000-8010"];
    assert_eq!(protocol(&document, "ftp"), json!({"enabled": true, "services": services}));
    assert_eq!(protocol(&document, "tftp"), json!({"enabled": false, "services": []}));
    let lines: Vec<usize> = skipped.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [8, 21, 22, 23, 24], "{skipped:?}");
}

const FORTIOS: &str = "config system settings
    set default-voip-alg-mode kernel-helper-based
end
config system session-helper
    edit 1
        set name pptp
        set protocol 6
        set port 1723
    next
    edit 2
        set name h323
        set protocol 6
        set port 1720
    next
    edit 3
        set name sip
        set protocol 17
        set port 5065
    next
    edit 4
        set name tftp
        set protocol 6
        set port 69
    next
    edit 5
        set name ftp
        set protocol 6
        set port 99999
    next
end
";

#[test]
fn fortios_lists_every_helper_that_is_on() {
    let (document, skipped) = proposal(System::Fortios, FORTIOS);
    assert_eq!(protocol(&document, "pptp"), json!({"enabled": true, "services": []}));
    assert_eq!(protocol(&document, "sip"), json!({"enabled": true, "services": ["name:sip-udp-5065"]}));
    assert_eq!(protocol(&document, "ftp"), json!({"enabled": false, "services": []}));
    let lines: Vec<usize> = skipped.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 11, 21, 26], "{skipped:?}");
}

const JUNOS: &str = "security {
    alg {
        dns disable;
        ftp ftps-extension;
        inactive: tftp disable;
        sip disable;
        ike-esp-nat {
            enable;
        }
    }
}
applications {
    application my-ftp {
        application-protocol ftp;
        protocol tcp;
        destination-port 2121;
    }
    application web {
        protocol tcp;
        destination-port 8080;
    }
    application talk {
        term t1 alg sip protocol udp destination-port 5070-5080;
        term t2 alg sip protocol udp source-port 9 destination-port 5090;
    }
}
";

#[test]
fn junos_in_braces_and_as_commands_are_the_same() {
    let (document, skipped) = proposal(System::Junos, JUNOS);
    assert_eq!(protocol(&document, "ftp"), json!({"enabled": true, "services": ["name:ftp-tcp-2121"]}));
    assert_eq!(protocol(&document, "sip"), json!({"enabled": false, "services": ["name:sip-udp-5070-5080"]}));
    assert_eq!(protocol(&document, "ike_esp")["enabled"], true);
    assert_eq!(protocol(&document, "tftp")["enabled"], true);
    assert_eq!(skipped.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 24], "{skipped:?}");
    let commands = "set security alg dns disable
set security alg ftp ftps-extension
set security alg sip disable
set security alg ike-esp-nat enable
set applications application my-ftp application-protocol ftp
set applications application my-ftp protocol tcp
set applications application my-ftp destination-port 2121
set applications application talk term t1 alg sip protocol udp destination-port 5070-5080
";
    assert_eq!(proposal(System::Junos, commands).0, document);
}

#[test]
fn ports_that_another_alg_has_are_not_taken() {
    let text = "config system session-helper\nedit 1\nset name ftp\nset protocol 6\nset port 1723\nnext\n\
                edit 2\nset name ftp\nset protocol 6\nset port 7000\nnext\n\
                edit 3\nset name sip\nset protocol 6\nset port 7000\nnext\nend\n";
    let (_, skipped) = proposal(System::Fortios, text);
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert!(skipped[0].1.contains("PPTP") && skipped[1].1.contains("FTP"));
}

#[test]
fn a_file_about_something_else_is_said_to_be() {
    for system in [System::Nftables, System::Fortios, System::Junos] {
        assert!(read(system, "hostname router\n\u{0}\u{1b}[2J", "x").is_err());
        assert!(read(system, &"{\n".repeat(100_000), "x").is_err());
    }
}

proptest! {
    #[test]
    fn no_text_is_trouble(
        words in proptest::collection::vec(
            prop_oneof![
                Just("ct helper"), Just("set"), Just("{"), Just("}"), Just("\n"), Just(";"), Just("tcp dport"),
                Just("type \"ftp\" protocol tcp"), Just("config system session-helper"), Just("edit 1"),
                Just("name ftp"), Just("port 0"), Just("protocol 6"), Just("next"), Just("end"), Just("alg"),
                Just("security alg ftp"), Just("applications application a"), Just("disable"), Just("1-0"), Just("\u{0}"),
            ],
            0..60,
        ),
    ) {
        for system in [System::Nftables, System::Fortios, System::Junos] {
            if let Ok(proposal) = read(system, &words.join(" "), "x") {
                let mut desired = Desired::default();
                prop_assert!(desired.add("x", &proposal.document.to_string()).is_ok());
            }
        }
    }
}
