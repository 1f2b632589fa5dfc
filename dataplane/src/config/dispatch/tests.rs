use super::*;

fn service(name: &str, source: Option<u16>, destination: Option<u16>) -> AlgService {
    let range = |port: u16| PortRange::new(port, port).unwrap();
    AlgService {
        name: name.to_owned(),
        transport: ServiceTransport::TcpUdp,
        source_ports: source.map(range).into_iter().collect(),
        destination_ports: destination.map(range).into_iter().collect(),
    }
}

fn alg(protocol: AlgProtocol, services: Vec<AlgService>) -> AlgConfig {
    AlgConfig { protocol, enabled: true, services }
}

fn reader(
    algs: &[AlgConfig],
    transport: Transport,
    source: u16,
    destination: u16,
) -> Option<(AlgProtocol, String)> {
    let (protocol, found) = dispatch(algs, FlowPorts { transport, source, destination })?;
    Some((protocol, found.service().map_or("well-known".to_owned(), |service| service.name.clone())))
}

#[test]
fn the_closest_match_reads_the_session() {
    let algs = [
        alg(
            AlgProtocol::Ftp,
            vec![service("from-7", Some(7), None), service("from-8-to-9", Some(8), Some(9))],
        ),
        alg(AlgProtocol::Sip, vec![service("to-9", None, Some(9))]),
    ];
    let tcp = |source, destination| reader(&algs, Transport::Tcp, source, destination);
    let ftp = |name: &str| Some((AlgProtocol::Ftp, name.to_owned()));
    let sip = |name: &str| Some((AlgProtocol::Sip, name.to_owned()));
    assert_eq!(tcp(7, 1000), ftp("from-7"));
    // Who names the destination is closer than who names the source, in whatever order the protocols come.
    assert_eq!(tcp(7, 5060), sip("well-known"));
    assert_eq!(tcp(7, 9), sip("to-9"));
    assert_eq!(tcp(8, 9), ftp("from-8-to-9"));
    assert_eq!(tcp(0, 9), sip("to-9"));
    assert_eq!(tcp(0, 8), None);
}

#[test]
fn a_protocol_is_on_its_own_transports_only() {
    let algs = [alg(AlgProtocol::Ftp, vec![service("to-9", None, Some(9))])];
    assert!(reader(&algs, Transport::Tcp, 0, 9).is_some());
    assert_eq!(reader(&algs, Transport::Udp, 0, 9), None);
    assert_eq!(reader(&[], Transport::Udp, 0, 4500), Some((AlgProtocol::IkeEsp, "well-known".to_owned())));
}

#[test]
fn an_alg_that_is_off_reads_nothing() {
    let mut off = alg(AlgProtocol::Ftp, vec![service("to-9", None, Some(9))]);
    off.enabled = false;
    assert_eq!(reader(&[off.clone()], Transport::Tcp, 0, 9), None);
    assert_eq!(reader(&[off], Transport::Tcp, 0, 21), None);
}

#[test]
fn every_session_that_has_a_reader_is_told_by_its_port() {
    let mut off = alg(AlgProtocol::Tftp, vec![service("off", None, Some(99))]);
    off.enabled = false;
    let wide = AlgService {
        destination_ports: vec![PortRange::new(5_000, 5_070).unwrap(), PortRange::new(20, 21).unwrap()],
        ..service("wide", None, None)
    };
    for algs in [
        vec![],
        vec![off, alg(AlgProtocol::Sip, vec![wide, service("near", None, Some(5_071))])],
        vec![alg(AlgProtocol::Pptp, vec![service("from", Some(7), None)])],
    ] {
        let listened = Listened::new(&algs);
        for transport in [Transport::Tcp, Transport::Udp] {
            for destination in 0..=u16::MAX {
                let reads = [0, 7].map(|source| reader(&algs, transport, source, destination).is_some());
                let told = listened.has(transport, destination);
                assert_eq!(told, reads.contains(&true), "{algs:?} {transport:?} {destination}");
            }
        }
    }
}
