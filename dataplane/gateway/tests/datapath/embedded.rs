//! The gateway as a library in this process.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use pinhole_gateway::config::{Config, file};
use pinhole_gateway::{
    ConfigSource, ControllerOptions, Gateway, GatewayOptions, NetworkNamespace, StartError,
};
use pinhole_lab::net::{GATEWAY_INSIDE, GATEWAY_OUTSIDE, PATIENCE, SERVER, SILENCE};
use pinhole_lab::{Net, Scratch};
use pinhole_proto::v1;

use crate::CONFIG;

fn config(text: &str) -> Config {
    file::parse(text).expect("the configuration is valid")
}

/// The gateway's host, for a gateway to enter.
fn namespace(net: &Net) -> NetworkNamespace {
    NetworkNamespace::Descriptor(net.gateway.descriptor().expect("a descriptor can be shared"))
}

fn options(net: &Net, run_dir: &Path, text: &str) -> GatewayOptions {
    GatewayOptions {
        namespace: namespace(net),
        run_dir: run_dir.to_owned(),
        source: ConfigSource::Fixed(Box::new(config(text))),
    }
}

pub(crate) async fn start(net: &Net, run_dir: &Path, text: &str) -> Gateway {
    Gateway::start(options(net, run_dir, text)).await.expect("the gateway starts")
}

fn address(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(host.parse().expect("an address"), port)
}

/// Connects and returns both ends, and whom the server saw.
pub(crate) fn connect(net: &Net, listener: &TcpListener) -> (TcpStream, TcpStream, SocketAddr) {
    let to = listener.local_addr().expect("a listener has an address");
    let client = net.client.connect(to, PATIENCE).expect("the client gets through");
    let (server, seen) = listener.accept().expect("the server accepts");
    server.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    server.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    (client, server, seen)
}

pub(crate) fn exchange(client: &mut TcpStream, server: &mut TcpStream) {
    let mut buffer = [0; 4];
    client.write_all(b"ping").expect("the client sends");
    server.read_exact(&mut buffer).expect("the server receives");
    server.write_all(b"pong").expect("the server sends");
    client.read_exact(&mut buffer).expect("the client receives");
    assert_eq!(&buffer, b"pong");
}

async fn drops(gateway: &Gateway, reason: &str) -> u64 {
    let counters = gateway.counters().await.expect("the datapath runs");
    counters.drops_by_reason.get(reason).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_and_udp_are_translated_and_bulk_data_arrives_whole() {
    const BYTES: usize = 32 << 20;
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, seen) = connect(&net, &listener);
    assert_eq!(seen.ip(), address(GATEWAY_OUTSIDE, 0).ip());
    assert!((16_384..=59_975).contains(&seen.port()), "{seen}");
    exchange(&mut client, &mut server);

    let before = gateway.counters().await.unwrap().packets_forwarded;
    let data: Vec<u8> = (0..BYTES).map(|index| (index % 251) as u8).collect();
    let sent = data.clone();
    let sender = std::thread::spawn(move || {
        client.write_all(&sent).unwrap();
        client
    });
    let mut received = vec![0; BYTES];
    server.read_exact(&mut received).unwrap();
    assert!(received == data, "the bytes differ");
    drop(sender.join().unwrap());
    // Segments of 1,460 bytes would be more than 22,000 packets one way alone.
    let packets = gateway.counters().await.unwrap().packets_forwarded - before;
    assert!(packets < 12_000, "{packets} packets for {BYTES} bytes: large segments did not pass whole");

    let (client, server) = (net.client.udp("10.0.0.2:0").unwrap(), net.server.udp("203.0.113.2:0").unwrap());
    let mut buffer = [0; 16];
    client.send_to(b"question", server.local_addr().unwrap()).unwrap();
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from.ip()), (b"question".as_slice(), address(GATEWAY_OUTSIDE, 0).ip()));
    server.send_to(b"answer", from).unwrap();
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (b"answer".as_slice(), server.local_addr().unwrap()));
    gateway.shutdown().await.unwrap();
}

/// Datagrams that leave one after the other may be written as one packet; the receiver must not see it.
#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_datagrams_arrive_as_they_were_sent() {
    const BURSTS: usize = 50;
    const BURST: usize = 64;
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let (client, server) = (net.client.udp("10.0.0.2:0").unwrap(), net.server.udp("203.0.113.2:0").unwrap());
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 2_048];
    for burst in 0..BURSTS {
        // Equal sizes, and now and then another one: a shorter one ends a train, a longer one begins the next.
        let datagram = |index: usize| -> Vec<u8> {
            let size = if index % 11 == 10 { 1_400 } else { 64 };
            (0..size).map(|at| ((burst * BURST + index) * 7 + at) as u8).collect()
        };
        for index in 0..BURST {
            client.send(&datagram(index)).unwrap();
        }
        // All have arrived before there are more, so that no queue is ever full.
        for index in 0..BURST {
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            assert!(buffer[..length] == datagram(index), "burst {burst}, datagram {index}: {length} bytes");
            assert_eq!(from.ip(), address(GATEWAY_OUTSIDE, 0).ip());
        }
    }
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn icmp_errors_reach_the_socket_that_they_are_about() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    // Nobody listens there, so the server's kernel says so, first to a subscriber, then to the gateway's host.
    for socket in [net.client.udp("10.0.0.2:0").unwrap(), net.gateway.udp("203.0.113.1:0").unwrap()] {
        socket.connect(address(SERVER, 9)).unwrap();
        socket.send(b"x").unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    }
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_kernel_tells_a_subscriber_of_a_smaller_link() {
    const BYTES: usize = 256 << 10;
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    // The server does not know, so it announces large segments, which do not fit through the gateway.
    net.gateway.command("ip link set out0 mtu 1300").unwrap();
    for pool in [GATEWAY_OUTSIDE, "203.0.113.64"] {
        let gateway = start(&net, run_dir.path(), &CONFIG.replace(GATEWAY_OUTSIDE, pool)).await;
        net.client.command("ip route flush cache").unwrap();
        let listener = net.server.listen("203.0.113.2:0").unwrap();
        let (mut client, mut server, _) = connect(&net, &listener);
        client.write_all(&vec![7; BYTES]).unwrap();
        server.read_exact(&mut vec![0; BYTES]).unwrap();
        let route = net.client.command("ip route get 203.0.113.2").unwrap();
        assert!(route.contains("mtu 1300"), "{pool}: {route}");
        gateway.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_errors_do_not_show_inside_addresses() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let (client, server) = (net.client.udp("10.0.0.2:0").unwrap(), net.server.udp("203.0.113.2:0").unwrap());
    client.send_to(b"x", server.local_addr().unwrap()).unwrap();
    let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
    server.connect(from).unwrap();
    net.gateway.command("ip route add prohibit 10.0.0.2").unwrap();
    server.send(b"y").unwrap();
    // The server's kernel finds the socket only if the error quotes what that sent.
    let error = server.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::HostUnreachable, "{error}");
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_in_that_no_session_expects() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    // The host would forward by itself.
    net.gateway.set_sysctl("ipv4/ip_forward", "1").unwrap();
    let inside = net.client.listen("10.0.0.2:0").unwrap();
    let inside_udp = net.client.udp("10.0.0.2:0").unwrap();
    let hosts = net.gateway.listen("10.0.0.1:0").unwrap();
    let before = net.server.connect(inside.local_addr().unwrap(), PATIENCE);
    assert!(before.is_ok(), "the test's own network does not connect the two");

    let gateway = start(&net, run_dir.path(), CONFIG).await;
    for target in [inside.local_addr().unwrap(), hosts.local_addr().unwrap(), address(GATEWAY_OUTSIDE, 4444)]
    {
        let error = net.server.connect(target, SILENCE).expect_err("a stranger got in");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{target}");
    }
    net.server.udp("203.0.113.2:0").unwrap().send_to(b"x", inside_udp.local_addr().unwrap()).unwrap();
    inside_udp.set_read_timeout(Some(SILENCE)).unwrap();
    assert!(inside_udp.recv(&mut [0; 8]).is_err());
    assert!(drops(&gateway, "not_expected").await >= 4);
    // From inside, the host is as reachable as ever.
    assert!(net.client.connect(hosts.local_addr().unwrap(), PATIENCE).is_ok());
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_own_sockets_on_a_pool_address_keep_working() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let listener = net.gateway.listen("203.0.113.1:0").unwrap();
    for side in [&net.server, &net.client] {
        let mut stream = side.connect(listener.local_addr().unwrap(), PATIENCE).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        exchange(&mut stream, &mut accepted);
    }
    // Its own connections, from ports that no subscriber gets.
    let far = net.server.listen("203.0.113.2:0").unwrap();
    let mut stream = net.gateway.connect(far.local_addr().unwrap(), PATIENCE).unwrap();
    let (mut accepted, seen) = far.accept().unwrap();
    assert!((59_976..=60_999).contains(&seen.port()), "{seen}");
    exchange(&mut stream, &mut accepted);
    assert!(gateway.counters().await.unwrap().packets_delivered > 0);
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_addresses_that_are_not_the_hosts_are_answered_for() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let text = CONFIG.replace("203.0.113.1", "203.0.113.64/30");
    let gateway = start(&net, run_dir.path(), &text).await;
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, seen) = connect(&net, &listener);
    assert!(seen.to_string().starts_with("203.0.113.6"), "{seen}");
    exchange(&mut client, &mut server);
    // No socket of the host is behind such an address, whatever it listens on.
    let hosts = net.gateway.listen("0.0.0.0:0").unwrap();
    let target = address(&seen.ip().to_string(), hosts.local_addr().unwrap().port());
    assert!(net.server.connect(target, SILENCE).is_err());
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_restored_in_the_end() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    net.gateway.set_sysctl("ipv4/ip_forward", "1").unwrap();
    net.gateway.set_sysctl("ipv4/conf/all/rp_filter", "1").unwrap();
    net.gateway.set_sysctl("ipv4/ip_local_reserved_ports", "5000,20000-20010").unwrap();
    let before = net.host_state().unwrap();
    let gateway =
        start(&net, run_dir.path(), &CONFIG.replace("pool = [", "pool = [\"203.0.113.64/29\", ")).await;
    assert_ne!(net.host_state().unwrap(), before);
    assert_eq!(net.gateway.sysctl("ipv4/ip_local_reserved_ports").unwrap().trim(), "5000,16384-59975");
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, _) = connect(&net, &listener);
    exchange(&mut client, &mut server);
    gateway.shutdown().await.unwrap();
    assert_eq!(net.host_state().unwrap(), before);
    // Dropping it does the same.
    drop(start(&net, run_dir.path(), CONFIG).await);
    assert_eq!(net.host_state().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_filters_and_later_settings_stay() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    net.gateway.command("tc qdisc add dev in0 clsact").unwrap();
    net.gateway
        .command("tc filter add dev in0 ingress protocol ip pref 7 u32 match ip dst 192.0.2.1 flowid 1:1")
        .unwrap();
    let before = net.host_state().unwrap();
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    gateway.shutdown().await.unwrap();
    assert_eq!(net.host_state().unwrap(), before);
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    net.gateway.set_sysctl("ipv4/ip_local_reserved_ports", "99").unwrap();
    gateway.shutdown().await.unwrap();
    assert_eq!(net.gateway.sysctl("ipv4/ip_local_reserved_ports").unwrap().trim(), "99");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_enforced_changes_nothing() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, _) = connect(&net, &listener);
    let running = net.host_state().unwrap();
    let cases = [
        (CONFIG.replace("[\"in0\"]", "[\"in0\", \"in7\"]"), "there is no interface in7"),
        (CONFIG.replace("pool =", "ports = \"1024-65535\"\npool ="), "leave 0 of the host's own ports"),
    ];
    for (text, reason) in cases {
        let error = gateway.apply(config(&text)).await.expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(gateway.status().fault, Some(error));
        assert_eq!(net.host_state().unwrap(), running, "{reason}");
        exchange(&mut client, &mut server);
    }
    // The kernel's refusal comes in the middle: in1 is served already when in2's shared block takes no filter.
    net.gateway.command("ip link add in1 type veth peer name in2").unwrap();
    net.gateway.command("tc qdisc add dev in2 ingress_block 1 clsact").unwrap();
    let running = net.host_state().unwrap();
    let three = CONFIG.replace("[\"in0\"]", "[\"in0\", \"in1\", \"in2\"]");
    let error = gateway.apply(config(&three)).await.unwrap_err().to_string();
    assert!(error.starts_with("`tc filter") && error.contains("block"), "{error}");
    assert_eq!(net.host_state().unwrap(), running);
    assert_eq!(net.gateway.command("tc filter show dev in1 ingress").unwrap(), "");
    exchange(&mut client, &mut server);
    // Another one that can be enforced puts it right.
    gateway.apply(config(&CONFIG.replace("[\"in0\"]", "[\"in0\", \"in1\"]"))).await.unwrap();
    assert_eq!(gateway.status().fault, None);
    gateway.apply(config(CONFIG)).await.unwrap();
    assert_eq!(net.host_state().unwrap(), running);
    exchange(&mut client, &mut server);
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_change_of_algs_leaves_sessions_alone_and_a_new_pool_takes_over() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, _) = connect(&net, &listener);
    let off = format!("{CONFIG}\n[[alg]]\nprotocol = \"ftp\"\nenabled = false\n");
    gateway.apply(config(&off)).await.unwrap();
    exchange(&mut client, &mut server);
    gateway.apply(config(CONFIG)).await.unwrap();
    exchange(&mut client, &mut server);
    gateway.apply(config(&CONFIG.replace("203.0.113.1", "203.0.113.50"))).await.unwrap();
    let (mut client, mut server, seen) = connect(&net, &listener);
    assert_eq!(seen.ip().to_string(), "203.0.113.50");
    exchange(&mut client, &mut server);
    assert_eq!(net.gateway.sysctl("ipv4/ip_local_reserved_ports").unwrap().trim(), "");
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_comes_back_is_served_again() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let mut status = gateway.watch();
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    net.gateway.command("ip link del in0").unwrap();
    let gone = status.wait_for(|status| status.fault.as_deref() == Some("there is no interface in0"));
    tokio::time::timeout(PATIENCE, gone).await.expect("nobody noticed").unwrap();
    net.connect_inside().unwrap();
    let back = status.wait_for(|status| status.fault.is_none());
    tokio::time::timeout(PATIENCE, back).await.expect("nobody noticed").unwrap();
    let (mut client, mut server, _) = connect(&net, &listener);
    exchange(&mut client, &mut server);
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_namespace_has_one_gateway() {
    let (net, run_dir, other) = (Net::new().unwrap(), Scratch::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let running = net.host_state().unwrap();
    let error = Gateway::start(options(&net, run_dir.path(), CONFIG)).await.unwrap_err();
    assert!(matches!(error, StartError::Lock(_)), "{error}");
    let error = Gateway::start(options(&net, other.path(), CONFIG)).await.unwrap_err();
    assert!(matches!(error, StartError::Tun(_)), "{error}");
    assert_eq!(net.host_state().unwrap(), running);
    gateway.shutdown().await.unwrap();
    // Another namespace may use the same directory.
    let second = Net::new().unwrap();
    let gateways = [start(&net, run_dir.path(), CONFIG).await, start(&second, run_dir.path(), CONFIG).await];
    for gateway in gateways {
        gateway.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_controller_a_gateway_starts_from_disk() {
    use prost::Message as _;
    use sha2::Digest as _;

    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let state_dir = directory.path().join("state");
    let message = v1::GatewayConfig {
        nat: Some(v1::Nat {
            inside_interfaces: vec!["in0".to_owned()],
            outside_interfaces: vec!["out0".to_owned()],
            inside_prefixes: vec!["10.0.0.0/24".to_owned()],
            pool: vec![GATEWAY_OUTSIDE.to_owned()],
            ..v1::Nat::default()
        }),
        ..v1::GatewayConfig::default()
    }
    .encode_to_vec();
    let stored = v1::Config {
        version: 1,
        nonce: String::new(),
        revision_id: "r1".to_owned(),
        hash: sha2::Sha256::digest(&message).to_vec(),
        config: message,
    };
    pinhole_gateway::store::Store::open(&state_dir).unwrap().save(&stored).unwrap();
    let managed = || GatewayOptions {
        namespace: namespace(&net),
        run_dir: directory.path().to_owned(),
        source: ConfigSource::Controller(ControllerOptions {
            // Nobody listens there.
            endpoint: "https://127.0.0.1:9".to_owned(),
            join_token_file: None,
            state_dir: state_dir.clone(),
        }),
    };
    let before = net.host_state().unwrap();
    let gateway = Gateway::start(managed()).await.unwrap();
    assert!(gateway.status().running());
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, _) = connect(&net, &listener);
    exchange(&mut client, &mut server);
    gateway.shutdown().await.unwrap();

    // A damaged file is not enforced, and said.
    let path = state_dir.join("last-good-config");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let gateway = Gateway::start(managed()).await.unwrap();
    assert!(!gateway.status().running());
    assert!(gateway.status().fault.unwrap().contains("damaged"));
    gateway.shutdown().await.unwrap();
    assert_eq!(net.host_state().unwrap(), before);

    // An interface that is missing at the start is waited for.
    pinhole_gateway::store::Store::open(&state_dir).unwrap().save(&stored).unwrap();
    net.gateway.command("ip link del in0").unwrap();
    let gateway = Gateway::start(managed()).await.unwrap();
    assert_eq!(gateway.status().fault.as_deref(), Some("there is no interface in0"));
    let mut status = gateway.watch();
    net.connect_inside().unwrap();
    let runs = status.wait_for(|status| status.running());
    tokio::time::timeout(PATIENCE, runs).await.expect("nobody noticed").unwrap();
    let (mut client, mut server, _) = connect(&net, &listener);
    exchange(&mut client, &mut server);
    assert!(net.client.connect(address(GATEWAY_INSIDE, 1), PATIENCE).is_err_and(|error| {
        // The host answers for itself.
        error.kind() == std::io::ErrorKind::ConnectionRefused
    }));
    gateway.shutdown().await.unwrap();
}
