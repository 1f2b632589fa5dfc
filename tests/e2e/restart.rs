//! The gateway is killed and comes back.

use nix::sys::signal::Signal;
use pinhole_lab::net::{SERVER, SILENCE};

use crate::ftp::{Control, Cut, Data, download};
use crate::world::{World, address};

#[test]
fn a_killed_gateway_lets_nothing_through_and_its_successor_works() {
    let mut world = World::new();
    download(&world.net.client, 21);
    // A pinhole is open and a control connection established when it dies.
    let mut control = Control::sign_in(&world.net.client, 2121, Cut::Whole);
    let data = Data::listen(&world.net.client);
    control.ask(&data.port_command(), 200);
    world.take_gateway().end(Signal::SIGKILL).unwrap();
    assert!(world.net.client.connect(address(21), SILENCE).is_err(), "{SERVER} is reached without a gateway");

    world.start_gateway();
    for port in [21, 2121] {
        download(&world.net.client, port);
    }
    assert!(data.is_untouched());
    world.wait_until_closed(2);
}

#[test]
fn a_terminated_gateway_restores_the_host() {
    let mut world = World::new();
    let running = world.net.host_state().unwrap();
    download(&world.net.client, 21);
    assert!(world.take_gateway().end(Signal::SIGTERM).unwrap().success());
    let restored = world.net.host_state().unwrap();
    assert_ne!(running, restored);
    world.start_gateway();
    world.take_gateway().end(Signal::SIGKILL).unwrap();
    world.start_gateway();
    assert!(world.take_gateway().end(Signal::SIGTERM).unwrap().success());
    assert_eq!(world.net.host_state().unwrap(), restored);
}
