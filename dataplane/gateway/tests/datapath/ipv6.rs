//! IPv6 beside IPv4: hosts see each other's own addresses, and nobody comes in unasked.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use pinhole_lab::net::{CLIENT_IPV6, GATEWAY_OUTSIDE_IPV6, PATIENCE, SERVER_IPV6, SILENCE};
use pinhole_lab::{Net, Scratch, Vsftpd};

use crate::CONFIG;
use crate::embedded::{connect, exchange, start};

fn config(more: &str) -> String {
    format!("{CONFIG}[ipv6]\ninside_prefixes = [\"2001:db8:1::/48\"]\n{more}\n")
}

fn net() -> Net {
    let net = Net::new().expect("namespaces can be made");
    net.add_ipv6().expect("the kernel has IPv6");
    net
}

fn endpoint(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(host.parse().expect("an address"), port)
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_reach_the_internet_by_both_versions_and_bulk_data_arrives_whole() {
    const BYTES: usize = 16 << 20;
    let (net, run_dir) = (net(), Scratch::new().unwrap());
    let before = net.host_state().unwrap();
    let gateway = start(&net, run_dir.path(), &config("")).await;
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, _) = connect(&net, &listener);
    exchange(&mut client, &mut server);

    let listener = net.server.listen(&format!("[{SERVER_IPV6}]:0")).unwrap();
    let (mut client, mut server, seen) = connect(&net, &listener);
    assert_eq!(seen, client.local_addr().unwrap());
    assert_eq!(seen.ip().to_string(), CLIENT_IPV6);
    exchange(&mut client, &mut server);
    let packets = gateway.counters().await.unwrap().packets_forwarded;
    let data: Vec<u8> = (0..BYTES).map(|index| (index % 251) as u8).collect();
    let sent = data.clone();
    let sender = std::thread::spawn(move || client.write_all(&sent).map(|()| client));
    let mut received = vec![0; BYTES];
    server.read_exact(&mut received).unwrap();
    assert!(received == data, "the bytes differ");
    drop(sender.join().unwrap().unwrap());
    // Segments of 1,440 bytes would be more than 11,000 packets one way alone.
    let packets = gateway.counters().await.unwrap().packets_forwarded - packets;
    assert!(packets < 6_000, "{packets} packets for {BYTES} bytes: large segments did not pass whole");

    let client = net.client.udp(&format!("[{CLIENT_IPV6}]:0")).unwrap();
    let server = net.server.udp(&format!("[{SERVER_IPV6}]:0")).unwrap();
    client.send_to(b"question", server.local_addr().unwrap()).unwrap();
    let (_, from) = server.recv_from(&mut [0; 16]).unwrap();
    assert_eq!(from, client.local_addr().unwrap());
    server.send_to(b"answer", from).unwrap();
    assert_eq!(client.recv_from(&mut [0; 16]).unwrap(), (6, server.local_addr().unwrap()));
    gateway.shutdown().await.unwrap();
    assert_eq!(net.host_state().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_unasked_but_where_it_is_open() {
    let (net, run_dir) = (net(), Scratch::new().unwrap());
    let closed = net.client.listen(&format!("[{CLIENT_IPV6}]:0")).unwrap();
    let open = net.client.listen(&format!("[{CLIENT_IPV6}]:0")).unwrap();
    let port = open.local_addr().unwrap().port();
    let opening = format!("{{ protocol = \"tcp\", address = \"{CLIENT_IPV6}\", port = \"{port}\" }}");
    let gateway = start(&net, run_dir.path(), &config(&format!("openings = [{opening}]"))).await;
    let (mut outer, (mut inner, from)) =
        (net.server.connect(open.local_addr().unwrap(), PATIENCE).unwrap(), open.accept().unwrap());
    assert_eq!(from, outer.local_addr().unwrap());
    exchange(&mut outer, &mut inner);
    // Not at once, as both ends could be opening it, but then it is told (RFC 6092, REC-34).
    let error = net.server.connect(closed.local_addr().unwrap(), PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    // Datagrams are dropped in silence.
    let (inner, outer) = (
        net.client.udp(&format!("[{CLIENT_IPV6}]:0")).unwrap(),
        net.server.udp(&format!("[{SERVER_IPV6}]:0")).unwrap(),
    );
    outer.send_to(b"hello", inner.local_addr().unwrap()).unwrap();
    inner.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(inner.recv_from(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let dropped = gateway.counters().await.unwrap().drops_by_reason;
    assert!(dropped.get("not_expected").is_some_and(|count| *count >= 2), "{dropped:?}");
    // The gateway's host is reached from both sides, at its outside address.
    let service = net.gateway.listen(&format!("[{GATEWAY_OUTSIDE_IPV6}]:0")).unwrap();
    for host in [&net.client, &net.server] {
        host.connect(service.local_addr().unwrap(), PATIENCE).unwrap();
    }
    gateway.shutdown().await.unwrap();
}

/// Says something to an FTP server and returns its answer.
fn ask(control: &mut BufReader<TcpStream>, command: &str) -> String {
    control.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("the client sends");
    answer(control)
}

fn answer(control: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    control.read_line(&mut line).expect("the server answers");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ftp_server_connects_back_to_where_eprt_says() {
    let (net, run_dir, files) = (net(), Scratch::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), &config("filtering = \"address_and_port_dependent\"")).await;
    let server = endpoint(SERVER_IPV6, 21);
    let vsftpd = Vsftpd::start(&net.server, server, files.path()).unwrap();
    fs::write(vsftpd.files().join("pub/file"), "content").unwrap();
    let mut control = BufReader::new(net.client.connect(server, PATIENCE).unwrap());
    assert!(answer(&mut control).starts_with("220"));
    for (command, code) in [("USER anonymous", "331"), ("PASS nobody@example", "230"), ("TYPE I", "200")] {
        assert!(ask(&mut control, command).starts_with(code));
    }
    let data = net.client.listen(&format!("[{CLIENT_IPV6}]:0")).unwrap();
    let port = data.local_addr().unwrap().port();
    assert!(ask(&mut control, &format!("EPRT |2|{CLIENT_IPV6}|{port}|")).starts_with("200"));
    assert!(ask(&mut control, "RETR pub/file").starts_with("150"));
    let (mut stream, from) = data.accept().unwrap();
    assert_eq!(from, endpoint(SERVER_IPV6, 20));
    let mut content = String::new();
    stream.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
    assert!(answer(&mut control).starts_with("226"));
    // And the other way round.
    let reply = ask(&mut control, "EPSV");
    let port = reply.split('|').nth(3).and_then(|port| port.parse().ok()).unwrap();
    let mut stream = net.client.connect(endpoint(SERVER_IPV6, port), PATIENCE).unwrap();
    assert!(ask(&mut control, "RETR pub/file").starts_with("150"));
    content.clear();
    stream.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
    gateway.shutdown().await.unwrap();
}
