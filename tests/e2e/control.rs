//! Control connections that no ordinary client has: cut, pipelined, and hostile.

use std::net::SocketAddr;

use pinhole_lab::Namespace;
use pinhole_lab::net::{CLIENT, GATEWAY_OUTSIDE, SILENCE, STRANGER};

use crate::ftp::{Control, Cut, Data, port_command, port_endpoint};
use crate::world::{FILE, PORTS, World, content};

#[test]
fn commands_may_come_one_byte_at_a_time() {
    let world = World::new();
    // So that the kernel does not put bytes together while the gateway holds those before.
    world.net.client.command("ip route change default via 10.0.0.1 initcwnd 64").unwrap();
    for port in PORTS {
        let mut control = Control::sign_in(&world.net.client, port, Cut::Bytes);
        let data = Data::listen(&world.net.client);
        for command in [data.port_command(), data.eprt_command()] {
            control.ask(&command, 200);
            control.ask(&format!("RETR {FILE}"), 150);
            assert!(data.receive() == content(port), "{command}: the download differs");
            control.expect(226);
        }
        let (sent, segments) = (control.sent(), segments_sent(&world, port));
        assert!(segments >= sent, "{sent} bytes went in only {segments} segments");
        control.ask("QUIT", 221);
        for command in world.received(port, &["PORT", "EPRT"]) {
            let address = GATEWAY_OUTSIDE.replace('.', if command.starts_with("PORT") { "," } else { "." });
            assert!(command.contains(&address), "{command}");
        }
    }
    world.wait_until_closed(2 * PORTS.len());
}

/// Returns how many segments with data the client has sent on its one connection to a port (ss(8)).
fn segments_sent(world: &World, port: u16) -> usize {
    let command = format!("ss --no-header --tcp --numeric --info state established dport = :{port}");
    let listing = world.net.client.command(&command).expect("ss is installed");
    let count = listing.split_whitespace().find_map(|word| word.strip_prefix("data_segs_out:"));
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no connection in: {listing}"))
}

#[test]
fn commands_may_be_pipelined() {
    let world = World::new();
    for port in PORTS {
        let mut control = Control::connect(&world.net.client, port, Cut::Whole);
        let (first, second) = (Data::listen(&world.net.client), Data::listen(&world.net.client));
        control.send(&format!(
            "USER anonymous\r\nPASS nobody@example\r\nTYPE I\r\n\
             {}\r\nRETR {FILE}\r\n{}\r\nRETR {FILE}\r\nNOOP\r\nQUIT\r\n",
            first.port_command(),
            second.eprt_command(),
        ));
        for code in [331, 230, 200, 200, 150] {
            control.expect(code);
        }
        assert!(first.receive() == content(port), "the first download differs");
        for code in [226, 200, 150] {
            control.expect(code);
        }
        assert!(second.receive() == content(port), "the second download differs");
        for code in [226, 200, 221] {
            control.expect(code);
        }
    }
    world.wait_until_closed(2 * PORTS.len());
}

/// Connects to the endpoint that the server was told last, from some host.
fn knock(world: &World, port: u16, host: &Namespace) -> std::io::Result<std::net::TcpStream> {
    let received = world.received(port, &["PORT"]);
    let command = received.last().expect("the server received the command");
    host.connect(SocketAddr::V4(port_endpoint(command)), SILENCE)
}

#[test]
fn a_pinhole_admits_the_server_only_and_once() {
    let world = World::new();
    let stranger = world.net.add_stranger().unwrap();
    for port in PORTS {
        let mut control = Control::sign_in(&world.net.client, port, Cut::Whole);
        let data = Data::listen(&world.net.client);
        control.ask(&data.port_command(), 200);
        assert!(knock(&world, port, &stranger).is_err(), "a stranger got in");
        assert!(data.is_untouched());

        control.ask(&format!("RETR {FILE}"), 150);
        assert!(data.receive() == content(port), "the download differs");
        control.expect(226);
        assert!(knock(&world, port, &world.net.server).is_err(), "the pinhole is still open");
        assert!(knock(&world, port, &stranger).is_err(), "a stranger got in");
        assert!(data.is_untouched());
    }
    world.wait_until_closed(PORTS.len());
}

#[test]
fn a_pinhole_ends_with_its_control_connection() {
    let world = World::new();
    let mut control = Control::sign_in(&world.net.client, 21, Cut::Whole);
    let data = Data::listen(&world.net.client);
    control.ask(&data.port_command(), 200);
    world.wait_for_events("PinholeOpened", 1);
    drop(control);
    world.wait_until_closed(1);
    assert!(knock(&world, 21, &world.net.server).is_err(), "the pinhole is still open");
    assert!(data.is_untouched());
}

#[test]
fn bounces_open_nothing_and_harm_nothing() {
    let world = World::new();
    // Somebody of the server's network, another inside host, the gateway, and ports that are not the client's.
    let bounces = [
        port_command(STRANGER, 5000),
        port_command("10.0.0.3", 5000),
        port_command(GATEWAY_OUTSIDE, 5000),
        port_command(CLIENT, 22),
        port_command(CLIENT, 0),
        format!("EPRT |1|{STRANGER}|5000|"),
        "EPRT |1|10.0.0.3|5000|".to_owned(),
        format!("EPRT |1|{CLIENT}|22|"),
    ];
    for (before, port) in PORTS.into_iter().enumerate() {
        let mut control = Control::sign_in(&world.net.client, port, Cut::Whole);
        for bounce in &bounces {
            control.send(&format!("{bounce}\r\nNOOP\r\n"));
            // The server may think well of some of them; what counts is that nothing opens.
            control.reply();
            control.expect(200);
        }
        assert_eq!(world.events("PinholeOpened").len(), before);
        let data = Data::listen(&world.net.client);
        control.ask(&data.port_command(), 200);
        control.ask(&format!("RETR {FILE}"), 150);
        assert!(data.receive() == content(port), "the download differs");
        control.expect(226);
        control.ask("QUIT", 221);
        world.wait_until_closed(before + 1);
    }
    assert!(!world.events("AlgRefusal").is_empty());
}

#[test]
fn a_web_page_opens_nothing() {
    let world = World::new();
    let data = Data::listen(&world.net.client);
    let mut control = Control::connect(&world.net.client, 21, Cut::Whole);
    // What a browser can be made to send: vsftpd refuses every line of it, and obeys the last.
    control
        .send(&format!("POST / HTTP/1.1\r\nUSER anonymous\r\nPASS x\r\n{}\r\nNOOP\r\n", data.port_command()));
    for _ in 0..5 {
        control.reply();
    }
    world.wait_for_events("AlgOpaque", 1);
    assert_eq!(world.events("PinholeOpened"), [""; 0]);
    let received = world.received(21, &["PORT"]);
    assert_eq!(received, [data.port_command()], "passed as it is");
    assert!(
        world
            .net
            .server
            .connect(format!("{GATEWAY_OUTSIDE}:{}", data.port()).parse().unwrap(), SILENCE)
            .is_err()
    );
}
