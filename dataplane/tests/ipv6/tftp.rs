//! TFTP over IPv6: the answer is let in, and nothing is rewritten.

use pinhole_dataplane::config::ipv6::Ipv6Filtering;
use pinhole_dataplane::engine::DropReason;

use crate::network::{CLIENT, HOST, Network, SERVER, STRANGER, filtering, network};
use crate::packets::{Address, ported, udp};

const SERVICE: Address = (SERVER, 69);
const TRANSFER: Address = (SERVER, 3_333);
const READ: &[u8] = b"\0\x01boot.img\0octet\0";
const DATA: &[u8] = b"\0\x03\0\x01 a block";

fn requested() -> Network {
    let mut network = filtering(Ipv6Filtering::AddressAndPort);
    network.leaves(&udp(HOST, SERVICE, READ));
    network
}

#[test]
fn the_server_answers_from_a_port_of_its_choice() {
    let mut network = requested();
    let opened = network.engine.pinholes().next().map(|pinhole| (pinhole.peer, pinhole.inside));
    assert_eq!(opened, Some(((SERVER, 0).into(), HOST.into())));
    for refused in [udp((STRANGER, 3_333), HOST, DATA), udp(TRANSFER, (CLIENT, 40_001), DATA)] {
        assert_eq!(network.refused(&refused), DropReason::NotExpected);
    }
    network.enters(&udp(TRANSFER, HOST, DATA));
    network.leaves(&udp(HOST, TRANSFER, b"\0\x04\0\x01"));
    network.enters(&udp(TRANSFER, HOST, DATA));
    assert_eq!(network.refused(&udp((SERVER, 3_334), HOST, DATA)), DropReason::NotExpected);
}

#[test]
fn another_protocol_on_the_port_is_not_read() {
    let mut network = network();
    network.leaves(&ported(132, HOST, SERVICE, READ));
    assert_eq!(network.engine.pinhole_count(), 0);
}
