//! Somebody outside who sends what nobody has asked for.

use std::net::Ipv4Addr;

use crate::packets::{ACK, FIN, RST, SYN, tcp, udp, unreachable};
use crate::random::Random;

const SELF: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);

/// A connection's ends as they are outside, which the intruder has learned of.
pub(crate) type Seen = ((Ipv4Addr, u16), (Ipv4Addr, u16));

/// Returns a packet: a knock at some port, or one in the name of a server to where that has a session.
pub(crate) fn packet(random: &mut Random, pools: &[Ipv4Addr], seen: Option<Seen>) -> Vec<u8> {
    let own = (SELF, random.between(1, 65_535) as u16);
    let door = (*random.pick(pools), random.between(1_024, 65_535) as u16);
    let (seq, ack) = (random.next() as u32, random.next() as u32);
    let flags = *random.pick(&[RST, RST | ACK, SYN, SYN | ACK, ACK, FIN | ACK]);
    match (random.between(0, 5), seen) {
        (0, _) | (_, None) => udp(own, door, b"knock"),
        (1, _) => tcp(own, door, seq, 0, SYN, b""),
        (2, Some((outside, server))) => {
            tcp(own, outside, seq, ack, flags, if server.1 == 21 { b"" } else { b"x" })
        }
        // Nobody guesses 32 bits. A bare SYN is left out, as whoever is opening the connection believes any (RFC 9293,
        // 3.10.7.3), and no gateway can tell.
        (3 | 4, Some((outside, server))) if flags != SYN => tcp(server, outside, seq, ack, flags, b""),
        (_, Some((outside, server))) => {
            unreachable(3, SELF, outside.0, &tcp(outside, server, seq, ack, ACK, b""))
        }
    }
}
