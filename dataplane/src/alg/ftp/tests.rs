use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::address::Announcement;
use super::command::{self, Command};
use super::reply::{self, Reply};
use crate::addr::Endpoint;

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<u32>(), any::<u16>())
        .prop_map(|(address, port)| Endpoint::new(IpAddr::V4(Ipv4Addr::from_bits(address)), port))
}

fn rendered(line: &[u8], announcement: &Announcement, endpoint: Endpoint) -> Vec<u8> {
    let mut line = line.to_vec();
    line.splice(announcement.at..announcement.at + announcement.length, announcement.render(endpoint));
    line
}

fn announced(line: &[u8]) -> Announcement {
    let command = command::parse(line);
    let Command::Active(announcement) = command else {
        panic!("{command:?}: {}", String::from_utf8_lossy(line));
    };
    announcement
}

fn answered(line: &[u8], own: IpAddr) -> Announcement {
    match reply::parse(line, own) {
        Reply::Passive(announcement) => announcement,
        other @ Reply::Malformed(_) => panic!("{other:?}: {}", String::from_utf8_lossy(line)),
    }
}

proptest! {
    /// The law of every ALG: what was rendered announces exactly the mapped endpoint, in the same form.
    #[test]
    fn what_is_rendered_announces_the_mapping(first in endpoint(), mapped in endpoint(), delimiter in "[!-~&&[^0-9.]]") {
        let IpAddr::V4(address) = first.address else { unreachable!() };
        let [a, b, c, d] = address.octets();
        let [high, low] = first.port.to_be_bytes();
        let port = first.port;
        for line in [
            format!("PORT {a},{b},{c},{d},{high},{low}"),
            format!("eprt  {delimiter}1{delimiter}{address}{delimiter}{port}{delimiter}"),
        ] {
            let found = announced(line.as_bytes());
            prop_assert_eq!(found.named, first);
            let again = rendered(line.as_bytes(), &found, mapped);
            prop_assert_eq!(announced(&again).named, mapped);
            prop_assert_eq!(announced(&again).form, found.form);
            prop_assert_eq!(rendered(&again, &announced(&again), first), line.into_bytes());
        }
        for line in [
            format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low})."),
            format!("229 Extended ({delimiter}{delimiter}{delimiter}{port}{delimiter})"),
        ] {
            let found = answered(line.as_bytes(), first.address);
            prop_assert_eq!(found.named, first);
            let again = rendered(line.as_bytes(), &found, mapped);
            // A 229 names no address: its receiver uses the control session's.
            prop_assert_eq!(answered(&again, mapped.address).named, mapped);
        }
    }

    #[test]
    fn any_line_is_read_without_panic(line in prop::collection::vec(any::<u8>(), 0..80), verb in "(PORT|EPRT|227|229|) ?") {
        let line = [verb.as_bytes(), &line].concat();
        let _ = command::parse(&line);
        let _ = command::may_announce(&line);
        let _ = command::may_be_known(&line);
        let _ = reply::parse(&line, IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
}
