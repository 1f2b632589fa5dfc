use pinhole_proto::v1;

use pinhole_dataplane::config::nat::pcp::*;

use crate::config::{file, message};

fn read(nat: &str) -> Result<Option<PcpSettings>, Vec<String>> {
    let text = format!(
        "inside = [\"in0\"]\noutside = [\"out0\"]\n[nat]\ninside_prefixes = [\"10.0.0.0/24\"]\npool = [\"203.0.113.1\"]\n{nat}"
    );
    let parsed = file::parse(&text).map(|config| config.pcp);
    parsed.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

const DEFAULT: PcpSettings = PcpSettings {
    nat_pmp: true,
    third_party: false,
    min_lifetime: DEFAULT_MIN_LIFETIME,
    max_lifetime: DEFAULT_MAX_LIFETIME,
};

#[test]
fn it_is_off_unless_it_is_asked_for() {
    assert_eq!(read(""), Ok(None));
    assert_eq!(read("pcp = {}"), Ok(Some(DEFAULT)));
    let all =
        "pcp = { nat_pmp = false, third_party = true, min_lifetime_seconds = 1, max_lifetime_seconds = 5 }";
    let expected = PcpSettings { nat_pmp: false, third_party: true, min_lifetime: 1, max_lifetime: 5 };
    assert_eq!(read(all), Ok(Some(expected)));
    let long = PcpSettings { min_lifetime: 100_000, max_lifetime: 100_000, ..DEFAULT };
    assert_eq!(read("pcp = { min_lifetime_seconds = 100_000 }"), Ok(Some(long)));
}

#[test]
fn every_problem_is_printed_with_its_place() {
    let nat = "mapping = \"address_dependent\"\npcp = { min_lifetime_seconds = 0, max_lifetime_seconds = 604801, epoch = 1 }";
    let expected = [
        "7:7: pcp cannot be combined with a mapping that depends on the destination",
        "7:32: 0 is out of range: min_lifetime_seconds is 1 to 604800",
        "7:58: 604801 is out of range: max_lifetime_seconds is 120 to 604800",
        "7:66: unknown key \"epoch\" in [pcp]; known are nat_pmp, third_party, min_lifetime_seconds, max_lifetime_seconds",
    ];
    assert_eq!(read(nat).unwrap_err(), expected);
}

#[test]
fn a_message_means_the_same() {
    let parse = |pcp| {
        let nat = v1::Nat {
            inside_interfaces: vec!["in0".to_owned()],
            outside_interfaces: vec!["out0".to_owned()],
            inside_prefixes: vec!["10.0.0.0/24".to_owned()],
            pool: vec!["203.0.113.1".to_owned()],
            pcp,
            ..v1::Nat::default()
        };
        let message = v1::GatewayConfig { nat: Some(nat), ..v1::GatewayConfig::default() };
        message::parse(&message).map(|config| config.pcp).map_err(|error| error.to_string())
    };
    assert_eq!(parse(None), Ok(None));
    let pcp = v1::Pcp { nat_pmp: true, ..v1::Pcp::default() };
    assert_eq!(parse(Some(pcp)), Ok(Some(DEFAULT)));
    let wrong = v1::Pcp { max_lifetime_seconds: 7, ..pcp };
    let problem = "nat.pcp.max_lifetime_seconds: 7 is out of range: max_lifetime_seconds is 120 to 604800";
    assert_eq!(parse(Some(wrong)), Err(problem.to_owned()));
}
