use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::*;

fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address} is not IPv4"),
    }
}

fn stranger() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 77), 4)
}

#[test]
fn finds_listening_and_connected_tcp_sockets() {
    let mut table = SocketTable::open().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let local = v4(listener.local_addr().unwrap());
    let mut ask = |local, remote| table.lookup(SocketTuple { kind: SocketKind::Tcp, local, remote }).unwrap();
    assert_eq!(ask(local, stranger()), Presence::Socket);
    let client_end = v4(client.local_addr().unwrap());
    assert_eq!(ask(client_end, local), Presence::Socket);
    // The client's port is only for its server.
    assert_eq!(ask(client_end, stranger()), Presence::Nobody);
}

#[test]
fn finds_bound_and_connected_udp_sockets() {
    let mut table = SocketTable::open().unwrap();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    let mut ask = |local, remote| table.lookup(SocketTuple { kind: SocketKind::Udp, local, remote }).unwrap();
    let (server_end, client_end) = (v4(server.local_addr().unwrap()), v4(client.local_addr().unwrap()));
    assert_eq!(ask(server_end, stranger()), Presence::Socket);
    assert_eq!(ask(client_end, server_end), Presence::Socket);
    assert_eq!(ask(client_end, stranger()), Presence::Nobody);
}

#[test]
fn finds_dual_stack_listeners_for_ipv4_packets() {
    let mut table = SocketTable::open().unwrap();
    // Where IPv6 is off there is nothing to find.
    let Ok(listener) = TcpListener::bind("[::]:0") else { return };
    let local = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port());
    let tuple = SocketTuple { kind: SocketKind::Tcp, local, remote: stranger() };
    assert_eq!(table.lookup(tuple).unwrap(), Presence::Socket);
}

#[test]
fn nobody_is_there_after_a_socket_is_closed() {
    let mut table = SocketTable::open().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tuple =
        SocketTuple { kind: SocketKind::Tcp, local: v4(listener.local_addr().unwrap()), remote: stranger() };
    assert_eq!(table.lookup(tuple).unwrap(), Presence::Socket);
    drop(listener);
    assert_eq!(table.lookup(tuple).unwrap(), Presence::Nobody);
}

#[test]
fn the_probe_finds_its_own_socket() {
    let mut table = SocketTable::open().unwrap();
    assert_eq!(probe(&mut table).unwrap(), Presence::Socket);
}

#[test]
fn answers_that_are_cut_or_strange_are_errors() {
    assert_eq!(parse(&[0; 15], 1), Err(nix::Error::EBADMSG));
    let mut error = [0_u8; 18];
    error[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
    error[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    assert_eq!(parse(&error, 1), Err(nix::Error::EBADMSG));
    assert_eq!(parse(&error, 2), Ok(None));
}
