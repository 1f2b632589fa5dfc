use super::*;
use crate::domain::revision::ConfigHash;
use crate::domain::version::Version;
use crate::ids::{CertificateId, RevisionId, StreamId};

fn held(appliance: ObjectId) -> Held {
    Held { appliance, stream: StreamId::generate(), certificate: CertificateId::generate() }
}

fn insert(registry: &Registry, held: Held) -> Result<watch::Receiver<Order>, Refusal> {
    registry.insert(held, None, Order::Serve(None), None, registry.looks()).map(|(orders, _)| orders)
}

fn desired(version: i64) -> Option<Desired> {
    Some(Desired {
        version: Version::new(version)?,
        revision: RevisionId::generate(),
        hash: ConfigHash::new([7; 32]),
        awaited: true,
        refused: false,
    })
}

#[test]
fn one_stream_of_an_appliance_is_held() {
    let (registry, appliance) = (Registry::default(), ObjectId::generate());
    let (older, newer) = (held(appliance), held(appliance));
    let older_orders = insert(&registry, older).unwrap();
    let newer_orders = insert(&registry, newer).unwrap();
    assert_eq!(*older_orders.borrow(), Order::Replaced);
    // What is said about the older one, also its end, is not about the newer.
    registry.order(older, Order::Revoked);
    registry.remove(older);
    assert_eq!(*newer_orders.borrow(), Order::Serve(None));
    assert_eq!(registry.look(), [newer]);
    registry.order(newer, Order::Revoked);
    assert_eq!(*newer_orders.borrow(), Order::Revoked);
    registry.remove(newer);
    assert!(registry.look().is_empty());
}

#[test]
fn there_is_room_for_so_many_and_an_appliance_that_is_there_may_come_again() {
    let registry = Registry::default();
    let streams: Vec<Held> = (0..limits::MAX_STREAMS).map(|_| held(ObjectId::generate())).collect();
    for stream in &streams {
        insert(&registry, *stream).unwrap();
    }
    let one_more = insert(&registry, held(ObjectId::generate()));
    assert_eq!(one_more.unwrap_err(), Refusal::Full);
    insert(&registry, held(streams[0].appliance)).unwrap();
    registry.remove(streams[1]);
    insert(&registry, held(ObjectId::generate())).unwrap();
}

#[test]
fn a_closed_registry_ends_its_streams_and_takes_none() {
    let registry = Registry::default();
    let orders = insert(&registry, held(ObjectId::generate())).unwrap();
    registry.close();
    assert_eq!(*orders.borrow(), Order::Shutdown);
    let late = insert(&registry, held(ObjectId::generate()));
    assert_eq!(late.unwrap_err(), Refusal::Closed);
}

#[test]
fn an_order_that_was_found_out_earlier_does_not_count() {
    let registry = Registry::default();
    let stream = held(ObjectId::generate());
    let orders = insert(&registry, stream).unwrap();
    let (older, newer) = (Order::Serve(desired(1)), Order::Serve(desired(2)));
    registry.order(stream, newer.clone());
    registry.order(stream, older);
    registry.order(stream, Order::Serve(None));
    assert_eq!(*orders.borrow(), newer);
}

#[test]
fn a_stream_that_a_look_missed_is_in_the_next() {
    let registry = Registry::default();
    let (seen, missed) = (held(ObjectId::generate()), held(ObjectId::generate()));
    let since = registry.looks();
    registry.insert(seen, None, Order::Serve(None), None, since).unwrap();
    assert_eq!(registry.look_at(&[]), []);
    let (_orders, told) = registry.insert(missed, None, Order::Serve(None), None, since).unwrap();
    assert_eq!(told, Missed::Perhaps);
    assert_eq!(registry.look_at(&[seen.appliance, missed.appliance]), [seen, missed]);
    assert_eq!(registry.look_at(&[]), []);
}

#[test]
fn what_a_gateway_runs_is_written_soon_and_a_sign_of_life_seldom() {
    let registry = Registry::default();
    let stream = held(ObjectId::generate());
    let _orders = insert(&registry, stream).unwrap();
    registry.heard(stream);
    assert!(registry.beats(&[]).is_empty());
    // Another replica has said that it is gone.
    assert_eq!(registry.beats(&[stream]).len(), 1);
    let running = Some(Running { revision: RevisionId::generate(), hash: ConfigHash::new([1; 32]) });
    registry.runs(stream, running);
    let beats = registry.beats(&[stream]);
    assert_eq!((beats.len(), beats[0].running), (1, running));
    registry.beats_written(&beats);
    assert!(registry.beats(&[]).is_empty());
    registry.runs_as_written(stream, None);
    assert!(registry.beats(&[]).is_empty());
}

#[test]
fn an_end_that_is_not_written_is_kept_until_it_is() {
    let registry = Registry::default();
    let streams = [held(ObjectId::generate()), held(ObjectId::generate())];
    for stream in streams {
        let _orders = insert(&registry, stream).unwrap();
        registry.keep_ended(&registry.remove(stream));
    }
    assert_eq!(registry.ended().iter().map(|beat| beat.held).collect::<Vec<_>>(), streams);
    registry.ended_written(1);
    assert_eq!(registry.ended().iter().map(|beat| beat.held).collect::<Vec<_>>(), [streams[1]]);
}
