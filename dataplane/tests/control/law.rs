//! The law of a control stream: whatever the network does, each end receives exactly the bytes that the other one's
//! whole stream, rewritten at once, would give.

use crate::arbiter::{INSIDE, POOL, Side, outside_port};
use crate::network::{Network, Weather};
use crate::peer::{Habit, Peer};
use crate::random::Random;
use crate::seeds::{Named, seeds};

/// Schedules of each test here; `PINHOLE_SCHEDULES` asks for more or fewer.
const SCHEDULES: u64 = 3_000;
const GREETING: &[u8] = b"220 ready\r\n";

fn schedules() -> std::ops::Range<u64> {
    seeds("PINHOLE_SCHEDULES", SCHEDULES)
}

fn weather(random: &mut Random) -> Weather {
    match random.between(0, 3) {
        0 => Weather { loss: 0, repetition: 0, delay: 0 },
        1 => Weather { loss: 0, repetition: 10, delay: 40 },
        2 => Weather { loss: 15, repetition: 5, delay: 5 },
        _ => Weather { loss: 20, repetition: 20, delay: 80 },
    }
}

fn habit(random: &mut Random) -> Habit {
    Habit {
        piece: *random.pick(&[1, 2, 7, 40, 300]),
        waits: random.percent(30),
        window: *random.pick(&[60, 200, 4_000]),
        closes_window: random.percent(20),
    }
}

fn command(random: &mut Random) -> String {
    let port = random.between(1024, 65_535) as u16;
    let [high, low] = port.to_be_bytes();
    match random.between(0, 11) {
        0..=2 => format!("PORT 10,0,0,2,{high},{low}\r\n"),
        3 => format!("port  10,0,0,2,{high},{low} \r\n"),
        4 => format!("EPRT |1|10.0.0.2|{port}|\r\n"),
        5 => format!("Eprt !1!10.0.0.2!{port}!\n"),
        6 => format!("PORT 10,0,0,3,{high},{low}\r\n"),
        7 => "PORT 10,0,0,2,1\r\n".to_owned(),
        8 => "PASV\r\n".to_owned(),
        9 => "EPSV\r\n".to_owned(),
        10 => "\r\n".to_owned(),
        _ => format!("RETR {}\r\n", "x".repeat(random.index(90))),
    }
}

/// What the inside client's line becomes: written from RFC 959 and 2428, not from the code.
fn rewritten_command(line: &str) -> String {
    let text = line.trim_end_matches(['\r', '\n', ' ']);
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let (verb, argument) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if verb.eq_ignore_ascii_case("PORT") {
        let numbers: Vec<u16> = argument.split(',').map(|number| number.parse().unwrap()).collect();
        if numbers.len() == 6 && numbers[..4] == INSIDE.octets().map(u16::from) {
            return line.replace(argument, &spelled(numbers[4] * 256 + numbers[5]));
        }
    } else if verb.eq_ignore_ascii_case("EPRT") {
        let delimiter = &argument[..1];
        let port: u16 = argument.split(delimiter).nth(3).unwrap().parse().unwrap();
        let new = format!("{delimiter}1{delimiter}{POOL}{delimiter}{}{delimiter}", outside_port(port));
        return line.replace(argument, &new);
    }
    line.to_owned()
}

fn spelled(port: u16) -> String {
    let [a, b, c, d] = POOL.octets();
    let [high, low] = outside_port(port).to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// A server that answers each line.
#[derive(Default)]
struct Server {
    answered: usize,
    replies: Vec<String>,
}

impl Server {
    fn serve(&mut self, peer: &mut Peer) {
        while let Some(end) = peer.incoming[self.answered..].iter().position(|&byte| byte == b'\n') {
            let line =
                String::from_utf8(peer.incoming[self.answered..=self.answered + end].to_vec()).unwrap();
            self.answered += end + 1;
            let port = 2_000 + u16::try_from(self.replies.len()).unwrap();
            let [high, low] = port.to_be_bytes();
            let reply = match line.trim_end() {
                "" => continue,
                "PASV" if port % 3 == 0 => {
                    format!("227-wait\r\n227-(10,0,0,9,9,9)\r\n 227 no\r\n227 =10,0,0,2,{high},{low}\r\n")
                }
                "PASV" => format!("227 Entering Passive Mode (10,0,0,2,{high},{low}).\r\n"),
                "EPSV" => format!("229 Extended (|||{port}|) ok\r\n"),
                _ if port % 5 == 0 => "200-two\r\n227 10,0,0,2,8,8\r\n200 lines\r\n".to_owned(),
                _ => "200 ok\r\n".to_owned(),
            };
            peer.outgoing.extend(reply.as_bytes());
            self.replies.push(reply);
        }
        if peer.incoming_ended && !peer.finished {
            peer.finished = true;
        }
    }
}

/// What the inside server's reply becomes.
fn rewritten_reply(reply: &str) -> String {
    let last = reply.trim_end().lines().last().unwrap();
    if !reply.starts_with(&last[..3]) {
        return reply.to_owned();
    }
    if last.starts_with("227") {
        let from = last.find("10,0,0,2,").unwrap();
        let spelling: String = last[from..].chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        let mut numbers = spelling.split(',').skip(4).map(|number| number.parse::<u16>().unwrap());
        let port = numbers.next().unwrap() * 256 + numbers.next().unwrap();
        return reply.replace(last, &last.replace(&spelling, &spelled(port)));
    }
    if last.starts_with("229") {
        let port: u16 = last.split('|').nth(3).unwrap().parse().unwrap();
        return reply.replace(&format!("|{port}|"), &format!("|{}|", outside_port(port)));
    }
    reply.to_owned()
}

fn run(seed: u64, inside: Side) {
    let _named = Named(seed);
    let mut random = Random(seed);
    let (weather, habits) = (weather(&mut random), [habit(&mut random), habit(&mut random)]);
    let commands: Vec<String> = (0..random.between(1, 12)).map(|_| command(&mut random)).collect();
    let commands = [vec!["USER anonymous\r\n".to_owned()], commands].concat();
    let mut network = Network::new(inside, weather, habits, random);
    network.server.outgoing.extend(GREETING);
    let mut server = Server::default();
    while !network.step(|client, peer| {
        if client.incoming.starts_with(GREETING) && !client.finished {
            client.outgoing = commands.concat().into_bytes();
            client.finished = true;
        }
        server.serve(peer);
    }) {}

    let rewrite = |line: &String| match inside {
        Side::Client => rewritten_command(line),
        Side::Server => line.clone(),
    };
    let expected: String = commands.iter().map(rewrite).collect();
    assert_eq!(String::from_utf8_lossy(&network.server.incoming), expected);
    let rewrite = |reply: &String| match inside {
        Side::Client => reply.clone(),
        Side::Server => rewritten_reply(reply),
    };
    let expected: String = server.replies.iter().map(rewrite).collect();
    let received = String::from_utf8_lossy(&network.client.incoming[GREETING.len()..]).into_owned();
    assert_eq!(received, expected);
    assert!(network.arbiter.opaque.is_empty(), "{:?}", network.arbiter.opaque);
}

#[test]
fn an_inside_client_s_commands_arrive_as_if_rewritten_at_once() {
    for seed in schedules() {
        run(seed, Side::Client);
    }
}

#[test]
fn an_inside_server_s_replies_arrive_as_if_rewritten_at_once() {
    for seed in schedules() {
        run(seed, Side::Server);
    }
}
