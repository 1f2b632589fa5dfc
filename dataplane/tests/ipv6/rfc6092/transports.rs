//! Connections of other transports (RFC 6092, section 3.3.2 to 3.3.4).

use pinhole_dataplane::engine::DropReason;

use super::lifetime;
use crate::network::{CLIENT, HOST, ROUTER, STRANGER, WEB, network};
use crate::packets::{Address, error, ported};

const SCTP: u8 = 132;
const DCCP: u8 = 33;

fn sctp(from: Address, to: Address, chunk: u8) -> Vec<u8> {
    ported(SCTP, from, to, &[0, 0, 0, 0, 0, 0, 0, 0, chunk, 0, 0, 4])
}

#[test]
fn rfc6092_rec_38_associations_pass_from_inside() {
    let mut network = network();
    let (init, init_ack, cookie) = (1, 2, 10);
    network.leaves(&sctp(HOST, WEB, init));
    network.enters(&sctp(WEB, HOST, init_ack));
    network.leaves(&sctp(HOST, WEB, cookie));
    // Both ends may open at the same time.
    let (here, there) = ((CLIENT, 41_000), (STRANGER, 42_000));
    assert_eq!(network.refused(&sctp(there, here, init)), DropReason::NotExpected);
    network.leaves(&sctp(here, there, init));
    network.enters(&sctp(there, here, init));
}

#[test]
fn rfc6092_rec_39_unsolicited_associations_are_refused_after_six_seconds() {
    let mut network = network();
    network.refused(&sctp(WEB, HOST, 1));
    network.refused(&sctp(WEB, (CLIENT, 9), 3));
    network.advance_seconds(5);
    assert_eq!(network.sent(), []);
    network.advance_seconds(1);
    let sent = network.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.payload[..2], [1, 1]);
}

#[test]
fn rfc6092_rec_40_association_state_lasts() {
    let (out, back) = (sctp(HOST, WEB, 1), sctp(WEB, HOST, 2));
    assert_eq!(lifetime(&out, &back, &[7_439, 7_442]), [true, false]);
}

#[test]
fn rfc6092_rec_41_and_42_association_errors_pass_and_end_nothing() {
    let mut network = network();
    network.leaves(&sctp(HOST, WEB, 1));
    for kind in [1, 2, 3, 4] {
        network.enters(&error(kind, ROUTER, CLIENT, &sctp(HOST, WEB, 1)));
    }
    network.enters(&sctp(WEB, HOST, 2));
}

fn dccp(from: Address, to: Address) -> Vec<u8> {
    ported(DCCP, from, to, &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

#[test]
fn rfc6092_rec_43_dccp_passes_from_inside() {
    let mut network = network();
    assert_eq!(network.refused(&dccp(WEB, HOST)), DropReason::NotExpected);
    network.leaves(&dccp(HOST, WEB));
    network.enters(&dccp(WEB, HOST));
}

#[test]
fn rfc6092_rec_44_dccp_state_lasts() {
    assert_eq!(lifetime(&dccp(HOST, WEB), &dccp(WEB, HOST), &[7_439, 7_442]), [true, false]);
    // Eight minutes at least while it opens.
    let mut network = network();
    network.leaves(&dccp(HOST, WEB));
    network.advance_seconds(479);
    network.enters(&dccp(WEB, HOST));
}

#[test]
fn rfc6092_rec_45_and_46_dccp_errors_pass_and_end_nothing() {
    let mut network = network();
    network.leaves(&dccp(HOST, WEB));
    for kind in [1, 2, 3, 4] {
        network.enters(&error(kind, ROUTER, CLIENT, &dccp(HOST, WEB)));
    }
    network.enters(&dccp(WEB, HOST));
}
