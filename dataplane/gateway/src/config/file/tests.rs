use pinhole_dataplane::config::nat::{Allocation, Dependence, Mss, OtherProtocols, Translation};

use super::*;

/// What `check` prints for a text, without the file's name.
fn problems(text: &str) -> Vec<String> {
    parse(text).map_or_else(|found| found.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

const GOOD: &str = r#"inside = ["in0"]
outside = ["out0"]
[nat]
inside_prefixes = ["10.0.0.0/24"]
pool = ["203.0.113.1"]        # may be the outside interface's own address
[[alg]]
protocol = "ftp"
enabled = true
services = [{ name = "ftp-alt", protocol = "tcp", destination_port = "2121" }]
"#;

#[test]
fn the_smallest_useful_file_is_accepted() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.pool.len(), 1);
    assert_eq!(config.nat_ports, None);
    let [ftp, rest @ ..] = config.algs.as_slice() else { panic!("no ALG") };
    assert_eq!(ftp.services.len(), 1);
    assert!(rest.iter().all(|alg| alg.state == AlgState::Enabled && alg.services.is_empty()));
}

#[test]
fn every_problem_is_printed_with_its_place() {
    let text = r#"inside = []
outside = ["out0", 7, "in 0"]
colour = "blue"
[nat]
inside_prefixes = ["10.0.0.5/24", "10.0.0.0/24"]
pool = ["203.0.113.1", "10.0.0.9", "nonsense"]
ports = "0-10"
mtu = 1500
[[alg]]
protocol = "ftp"
enabled = "yes"
services = [
  { name = "ftp-alt", protocol = "tcp", destination_port = "99999" },
  { name = "größer", protocol = "sctp", destination_port = "1" },
  { name = "none", protocol = "tcp" },
  { protocol = "tcp", source_port = 5, port = "6" },
]
[[alg]]
protocol = "ftp"
[[alg]]
protocol = "http"
[[alg]]
enabled = false
"#;
    let expected = [
        "1:10: inside is empty",
        "2:20: \"outside\" is an integer, but must be a string",
        "2:23: \"in 0\" is not an interface name: 1 to 15 printable characters without space, / or :",
        "3:1: unknown key \"colour\" in the file; known are inside, outside, nat, ipv6, host, alg, export",
        "5:20: \"10.0.0.5/24\" has host bits set: did you mean 10.0.0.0/24?",
        "6:24: the pool's 10.0.0.9 overlaps with the inside prefix 10.0.0.0/24",
        "6:36: \"nonsense\" is not an IPv4 address",
        "7:9: \"0\" is not a port from 1 to 65535",
        "8:1: unknown key \"mtu\" in [nat]; known are inside_prefixes, pool, ports, mode, mapping, filtering, other_protocols, tcp_mss, port_block, deterministic, limits, forwards, exempt_destinations, pcp",
        "11:11: \"enabled\" is a string, but must be true or false",
        "13:60: \"99999\" is not a port from 1 to 65535",
        "14:33: \"sctp\" is not one of tcp, udp, tcp_udp",
        "15:3: the service \"none\" needs a source_port or a destination_port",
        "16:3: [[services]] lacks \"name\"",
        "16:37: \"source_port\" is an integer, but must be a string",
        "16:40: unknown key \"port\" in [[services]]; known are name, protocol, source_port, destination_port",
        "19:12: the ALG ftp is listed twice",
        "21:12: \"http\" is not one of ftp, ike_esp, pptp, sip, tftp",
        "22:1: [[alg]] lacks \"protocol\"",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn what_is_missing_is_named() {
    let expected =
        ["1:1: the file lacks \"inside\"", "1:1: the file lacks \"nat\"", "1:1: the file lacks \"outside\""];
    assert_eq!(problems(""), expected);
    let expected = ["3:1: [nat] lacks \"inside_prefixes\"", "3:1: [nat] lacks \"pool\""];
    assert_eq!(problems("inside = [\"a\"]\noutside = [\"b\"]\n[nat]\n"), expected);
}

#[test]
fn every_syntax_error_is_printed_beside_the_others() {
    let text = GOOD.replace("[[alg]]", "typo = 1\n[[alg]").replace("enabled = true", "enabled = ");
    // Behind the first syntax error only syntax errors are sure.
    assert_eq!(
        problems(&text),
        [
            "6:1: unknown key \"typo\" in [nat]; known are inside_prefixes, pool, ports, mode, mapping, filtering, other_protocols, tcp_mss, port_block, deterministic, limits, forwards, exempt_destinations, pcp",
            "7:7: unclosed array table, expected `]`",
        ]
    );
    let twice = ["2:1: duplicate key", "3:5: string values must be quoted, expected literal string"];
    assert_eq!(problems("inside = [\"a\"]\ninside = [\"b\"]\nx = \n"), twice);
}

#[test]
fn addresses_that_are_no_hosts_are_refused() {
    for (what, bad) in [
        ("pool", "127.0.0.1"),
        ("pool", "224.0.0.0/28"),
        ("pool", "0.0.0.1"),
        ("pool", "240.0.0.1"),
        ("pool", "169.254.0.1"),
    ] {
        let found = problems(&GOOD.replace("203.0.113.1", bad));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains(what), "{found:#?}");
    }
    assert!(problems(&GOOD.replace("10.0.0.0/24", "0.0.0.0/0"))[0].contains("cannot be an inside prefix"));
    assert!(problems(&GOOD.replace("\"203.0.113.1\"", "\"11.0.0.0/8\""))[0].contains("at most 4096"));
    assert!(problems(&GOOD.replace("[\"203", "[\"203.0.113.0/30\", \"203"))[0].contains("overlaps"));
}

#[test]
fn privileged_ports_are_not_for_subscribers() {
    let found = problems(&GOOD.replace("[[alg]]", "ports = \"1000-2000\"\n[[alg]]"));
    assert_eq!(found, ["6:9: the ports 1000-2000 start below 1024"]);
}

#[test]
fn subscribers_ports_are_one_range() {
    let found = problems(&GOOD.replace("[[alg]]", "ports = \"2000-3000,5000\"\n[[alg]]"));
    assert_eq!(found, ["6:9: the ports 2000-3000,5000 are more than one range"]);
}

#[test]
fn one_interface_is_on_one_side() {
    assert_eq!(problems(&GOOD.replace("out0", "in0")), ["2:12: in0 is both inside and outside"]);
    let twice = GOOD.replace("[\"in0\"]", "[\"in0\", \"in0\"]");
    assert_eq!(problems(&twice), ["1:18: in0 is listed twice in inside"]);
}

#[test]
fn files_that_are_no_text_are_refused_with_a_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, b"inside = [\"in0\"]\nout\xff").unwrap();
    let Err(FileError::Problems(found)) = load(&path) else { panic!("accepted") };
    assert_eq!(found[0].to_string(), "2:4: this is not UTF-8 text");
    assert!(matches!(load(&directory.path().join("absent")), Err(FileError::Read(_))));
    std::fs::write(&path, vec![b'#'; 1 << 20]).unwrap();
    assert!(matches!(load(&path), Err(FileError::Problems(_))));
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(load(&path), Err(FileError::TooLarge)));
}

#[test]
fn ports_come_in_blocks_and_subscribers_have_limits() {
    let nat = "[nat]\nport_block = { size = 1_024, hold_seconds = 0 }\nlimits.ports_per_subscriber = 2048\n";
    let config = parse(&GOOD.replace("[nat]\n", nat)).unwrap();
    let Allocation::Blocks(rule) = config.translation.allocation else { panic!("no blocks") };
    assert_eq!((rule.size.ports(), rule.per_subscriber, rule.hold.as_secs()), (1_024, 4, 0));
    let limits = config.translation.limits;
    assert_eq!((limits.ports.map(|ports| ports.get()), limits.sessions), (Some(2_048), None));
    assert_eq!(parse(GOOD).unwrap().translation, Translation::default());

    let nat = r#"[nat]
port_block = { size = 100, blocks = 3, hold_seconds = "2 min" }
limits = { sessions_per_subscriber = 0, new_sessions_per_second = 999999999999999999999 }
"#;
    assert_eq!(
        problems(&GOOD.replace("[nat]\n", nat)),
        [
            "4:23: 100 is not a power of two from 64 to 4096",
            "4:28: unknown key \"blocks\" in [port_block]; known are size, per_subscriber, hold_seconds",
            "4:55: \"hold_seconds\" is a string, but must be an integer",
            "5:38: 0 is out of range: sessions_per_subscriber is 1 to 10000000",
            "5:67: 9223372036854775807 is out of range: new_sessions_per_second is 1 to 10000000",
        ]
    );
    let nat = "[nat]\nport_block = {}\nports = \"2000-2500\"\n";
    let expected = ["5:9: the ports 2000-2500 hold no block of 512 ports"];
    assert_eq!(problems(&GOOD.replace("[nat]\n", nat)), expected);
}

#[test]
fn the_whole_of_the_translation_is_read() {
    let nat = r#"[nat]
mapping = "address_dependent"
filtering = "endpoint_independent"
other_protocols = "translate"
tcp_mss = 1452
deterministic = { ports_per_subscriber = 252 }
exempt_destinations = [{ prefix = "192.0.2.0/24" }, { prefix = "198.51.100.1/32", port = "53,5000-5009" }]
forwards = [
  { protocol = "tcp", outside_address = "203.0.113.1", outside_port = "443", inside_address = "10.0.0.9" },
  { protocol = "tcp_udp", outside_address = "203.0.113.1", outside_port = "8000-8009", inside_address = "10.0.0.9", inside_port = "80-89" },
]
"#;
    let translation = parse(&GOOD.replace("[nat]\n", nat)).unwrap().translation;
    assert_eq!((translation.mapping, translation.filtering), (Dependence::Address, Dependence::Independent));
    assert_eq!(translation.other_protocols, OtherProtocols::Translate);
    assert_eq!(translation.tcp_mss.map(Mss::bytes), Some(1_452));
    let Allocation::Deterministic(ports) = translation.allocation else { panic!("{translation:?}") };
    assert_eq!(ports.get(), 252);
    let [https, range] = translation.forwards[..] else { panic!("{translation:?}") };
    assert_eq!((https.outside_ports, https.inside_ports.first()), (https.inside_ports, 443));
    assert_eq!((range.outside_ports.first(), range.inside_ports.last()), (8_000, 89));
    let [all, some] = &translation.exempt[..] else { panic!("{translation:?}") };
    assert_eq!((all.ports.len(), some.ports.len()), (0, 2));

    let file = "inside = [\"in0\"]\noutside = [\"out0\"]\n[nat]\nmode = \"none\"\ninside_prefixes = [\"10.0.0.0/8\"]\n";
    assert_eq!(parse(file).unwrap().translation.allocation, Allocation::Untranslated);
    let one_to_one =
        GOOD.replace("[nat]", "[nat]\nmode = \"one_to_one\"").replace("10.0.0.0/24", "10.0.0.9/32");
    assert_eq!(parse(&one_to_one).unwrap().translation.allocation, Allocation::OneToOne);
}

#[test]
fn every_problem_of_the_translation_is_printed_with_its_place() {
    let nat = r#"[nat]
mode = "two"
mapping = "x"
forwards = [
  { protocol = "icmp", outside_address = "203.0.113.x", outside_port = "1,3", inside_address = "10.0.0.9", port = 1 },
  { protocol = "tcp", outside_address = "203.0.113.2", outside_port = "1-3", inside_address = "11.0.0.9", inside_port = "1-2" },
]
exempt_destinations = [{ prefix = "192.0.2.1/24", port = "0" }, {}]
"#;
    let expected = [
        "4:8: \"two\" is not one of port_translation, one_to_one, none",
        "5:11: \"x\" is not one of endpoint_independent, address_dependent, address_and_port_dependent",
        "7:16: \"icmp\" is not one of tcp, udp, tcp_udp",
        "7:42: \"203.0.113.x\" is not an IPv4 address",
        "7:72: the ports 1,3 are more than one range",
        "7:108: unknown key \"port\" in [[forwards]]; known are protocol, outside_address, outside_port, inside_address, inside_port",
        "8:3: 11.0.0.9 is in no inside prefix",
        "8:3: 203.0.113.2 is no address of the pool",
        "8:3: the outside ports 1-3 and the inside ports 1-2 are not equally many",
        "10:35: \"192.0.2.1/24\" has host bits set: did you mean 192.0.2.0/24?",
        "10:58: \"0\" is not a port from 1 to 65535",
        "10:65: [[exempt_destinations]] lacks \"prefix\"",
    ];
    assert_eq!(problems(&GOOD.replace("[nat]\n", nat)), expected);
    for (nat, problem) in [
        ("deterministic = {}\nport_block = {}", "4:17: deterministic cannot be combined with port_block"),
        ("mode = \"none\"", "6:8: the pool must be empty in the mode none"),
        ("mode = \"one_to_one\"", "6:8: the pool has room for 1 of 256 inside addresses"),
        ("deterministic = {}", "6:8: the pool has room for 64 of 256 inside addresses"),
        (
            "deterministic = { ports_per_subscriber = 64513 }",
            "4:42: 64513 is out of range: ports_per_subscriber is 1 to 64512",
        ),
    ] {
        let found = problems(&GOOD.replace("[nat]\n", &format!("[nat]\n{nat}\n")));
        assert!(found.contains(&problem.to_owned()), "{found:#?}");
    }
    let nat = "mode = \"one_to_one\"\nport_block = {}\n\
               forwards = [{ protocol = \"tcp\", outside_address = \"203.0.113.1\", outside_port = \"1\", \
               inside_address = \"10.0.0.9\" }]\n";
    let found = problems(&GOOD.replace("[nat]\n", &format!("[nat]\n{nat}")));
    assert_eq!(
        found[..2],
        [
            "5:14: port_block cannot be combined with the mode one_to_one",
            "6:13: a static forward cannot be combined with the mode one_to_one",
        ]
    );
}

#[test]
fn what_is_wrong_with_ipv6_is_said_at_its_place() {
    let ipv6 = |rest: &str| problems(&format!("{GOOD}[ipv6]\n{rest}"));
    assert_eq!(ipv6("inside_prefixes = [\"2001:db8::/32\"]\n"), [""; 0]);
    assert_eq!(ipv6(""), ["10:1: [ipv6] lacks \"inside_prefixes\""]);
    assert_eq!(ipv6("inside_prefixes = []\n"), ["11:19: inside_prefixes is empty"]);
    let text = r#"inside_prefixes = ["10.0.0.0/8", "2001:db8::1/32", "fe80::/64", "2001:db8:5::/48", "2001:db8:5:1::/64"]
filtering = "none"
ipsec = "yes"
openings = [
  { protocol = "icmp", address = "2001:db8:5::1", port = "1,5" },
  { protocol = "tcp", address = "10.0.0.1", port = "1" },
  { protocol = "tcp", address = "2001:db8:6::1", port = "1" },
]
"#;
    let expected = [
        "11:20: \"10.0.0.0/8\" is not an IPv6 prefix such as 2001:db8::/32",
        "11:34: \"2001:db8::1/32\" has host bits set: did you mean 2001:db8::/32?",
        "11:52: fe80::/64 cannot be an inside prefix: it holds link-local addresses (fe80::/10)",
        "11:84: 2001:db8:5:1::/64 overlaps with the inside prefix 2001:db8:5::/48",
        "12:13: \"none\" is not one of endpoint_independent, address_dependent, address_and_port_dependent, open",
        "13:9: \"ipsec\" is a string, but must be true or false",
        "15:16: \"icmp\" is not one of tcp, udp, tcp_udp",
        "15:58: the ports 1,5 are more than one range",
        "16:33: \"10.0.0.1\" is not an IPv6 address",
        "17:3: 2001:db8:6::1 is in no inside prefix",
    ];
    assert_eq!(ipv6(text), expected);
}
