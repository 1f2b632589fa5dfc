use super::{Tcp, TcpState};
use crate::engine::DropReason;
use crate::parse::TcpInfo;
use crate::tuple::Direction;
use crate::wire::tcp::{ACK_FLAG, FIN, RST, SYN};

fn segment(seq: u32, ack: u32, flags: u8) -> TcpInfo {
    TcpInfo { seq, ack, flags, window: 1000, payload: 0 }
}

fn established() -> Tcp {
    let mut tcp = Tcp::new(segment(99, 0, SYN), None);
    tcp.handle(Direction::Reply, segment(499, 100, SYN | ACK_FLAG), None).unwrap();
    tcp.handle(Direction::Original, segment(100, 500, ACK_FLAG), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Established);
    tcp
}

#[test]
fn rfc5961_section_3_only_an_exact_rst_closes() {
    let mut tcp = established();
    tcp.handle(Direction::Reply, segment(501, 0, RST), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Established, "in the window, but not exactly next");
    assert_eq!(tcp.handle(Direction::Reply, segment(90_000, 0, RST), None), Err(DropReason::TcpWindow));
    assert_eq!(tcp.handle(Direction::Reply, segment(499, 0, RST), None), Err(DropReason::TcpWindow));
    assert_eq!(tcp.state(), TcpState::Established);
    tcp.handle(Direction::Reply, segment(500, 0, RST), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Closed);
}

#[test]
fn rfc5961_section_4_a_syn_does_not_restart_a_session() {
    let mut tcp = established();
    tcp.handle(Direction::Original, segment(7, 0, SYN), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Established);
}

#[test]
fn rfc5382_req_2_simultaneous_open() {
    let mut tcp = Tcp::new(segment(99, 0, SYN), None);
    tcp.handle(Direction::Reply, segment(499, 0, SYN), None).unwrap();
    tcp.handle(Direction::Original, segment(99, 500, SYN | ACK_FLAG), None).unwrap();
    tcp.handle(Direction::Reply, segment(499, 100, SYN | ACK_FLAG), None).unwrap();
    tcp.handle(Direction::Original, segment(100, 500, ACK_FLAG), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Established);
}

#[test]
fn a_syn_ack_that_acknowledges_something_else_is_no_answer() {
    let mut tcp = Tcp::new(segment(99, 0, SYN), None);
    let blind = segment(1, 7, SYN | ACK_FLAG);
    assert_eq!(tcp.handle(Direction::Reply, blind, None), Err(DropReason::TcpState));
    assert_eq!(tcp.handle(Direction::Reply, segment(1, 7, RST | ACK_FLAG), None), Err(DropReason::TcpWindow));
    assert_eq!(tcp.state(), TcpState::SynSent);
    tcp.handle(Direction::Reply, segment(0, 100, RST | ACK_FLAG), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Closed);
}

#[test]
fn both_fins_acknowledged_close() {
    let mut tcp = established();
    tcp.handle(Direction::Original, segment(100, 500, FIN | ACK_FLAG), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Closing);
    tcp.handle(Direction::Reply, segment(500, 101, FIN | ACK_FLAG), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Closing);
    tcp.handle(Direction::Original, segment(101, 501, ACK_FLAG), None).unwrap();
    assert_eq!(tcp.state(), TcpState::Closed);
}
