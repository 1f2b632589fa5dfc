//! The control stream against a controller in this process, with a thread in place of the datapath.

mod authority;
mod inquiries;
mod trust;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinhole_proto::v1::controller_message::Message as FromController;
use pinhole_proto::v1::gateway_control_server::{GatewayControl, GatewayControlServer};
use pinhole_proto::v1::gateway_enrolment_server::GatewayEnrolmentServer;
use pinhole_proto::v1::gateway_message::Message as FromGateway;
use prost::Message as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Streaming};

use self::authority::{Authority, any_address};
use super::*;
use crate::events::EventSender;
use crate::options::Running;
use crate::store::Stored;
use crate::supervisor::{ApplyError, Command};

/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// One gateway that attached: its certificate and both directions.
struct Attached {
    certificate: Vec<u8>,
    inbound: Streaming<v1::GatewayMessage>,
    outbound: mpsc::Sender<Result<v1::ControllerMessage, tonic::Status>>,
}

impl Attached {
    async fn receive(&mut self) -> FromGateway {
        let message = timeout(PATIENCE, self.inbound.message()).await.unwrap().unwrap().unwrap();
        message.message.unwrap()
    }

    /// Skips heartbeats, which come when they come.
    async fn receive_answer(&mut self) -> FromGateway {
        loop {
            let message = self.receive().await;
            if !matches!(message, FromGateway::Heartbeat(_)) {
                return message;
            }
        }
    }

    async fn send(&self, message: FromController) {
        self.outbound.send(Ok(v1::ControllerMessage { message: Some(message) })).await.unwrap();
    }

    async fn hello(&mut self) -> v1::Hello {
        let FromGateway::Hello(hello) = self.receive().await else { panic!("no hello first") };
        hello
    }

    async fn welcome(&self) {
        let welcome = v1::Welcome {
            appliance_id: "a1".to_owned(),
            appliance_name: "branch".to_owned(),
            heartbeat_interval_ms: 50,
        };
        self.send(FromController::Welcome(welcome)).await;
    }
}

struct Service {
    attached: mpsc::Sender<Attached>,
    refusals: AtomicUsize,
}

#[tonic::async_trait]
impl GatewayControl for Service {
    type AttachStream = ReceiverStream<Result<v1::ControllerMessage, tonic::Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::GatewayMessage>>,
    ) -> Result<Response<Self::AttachStream>, tonic::Status> {
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        {
            return Err(tonic::Status::unauthenticated("unknown certificate"));
        }
        let certificate = request.peer_certs().unwrap().first().unwrap().to_vec();
        let (outbound, receiver) = mpsc::channel(16);
        let attached = Attached { certificate, inbound: request.into_inner(), outbound };
        self.attached.send(attached).await.map_err(|_| tonic::Status::unavailable("test ends"))?;
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// A controller that can be stopped and started at the same address.
struct Controller {
    address: SocketAddr,
    authority: Authority,
    attached: mpsc::Receiver<Attached>,
    task: tokio::task::JoinHandle<()>,
}

impl Controller {
    async fn start(address: SocketAddr, refusals: usize) -> Self {
        Self::of(Authority::new(Duration::from_secs(3600)), address, refusals).await
    }

    async fn of(authority: Authority, address: SocketAddr, refusals: usize) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, attached) = mpsc::channel(16);
        let service = Service { attached: sender, refusals: AtomicUsize::new(refusals) };
        let mut server = tonic::transport::Server::builder().tls_config(authority.server()).unwrap();
        let server = server
            .add_service(GatewayControlServer::new(service))
            .add_service(GatewayEnrolmentServer::new(authority.clone()));
        let task = tokio::spawn(async move {
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { address, authority, attached, task }
    }

    async fn accept(&mut self) -> Attached {
        timeout(PATIENCE, self.attached.recv()).await.expect("no gateway attached").unwrap()
    }
}

/// A control stream under test, with what stands around it.
struct Fixture {
    directory: tempfile::TempDir,
    status: Arc<watch::Sender<Status>>,
    events: EventSender,
    applied: Arc<Mutex<Vec<crate::config::Config>>>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

const SEED: u64 = 7;

impl Fixture {
    /// Starts a control stream whose datapath refuses configurations with `refused` as a pool address.
    fn start(controller: &Controller, refused: &'static str) -> Self {
        Self::at(controller.address, &controller.authority.token("secret"), refused)
    }

    fn at(address: SocketAddr, token: &str, refused: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let token_file = directory.path().join("token");
        std::fs::write(&token_file, token).unwrap();
        let (supervisor, commands) = SupervisorHandle::channel().unwrap();
        let status = Arc::new(watch::Sender::new(Status::default()));
        let applied = Arc::new(Mutex::new(Vec::new()));
        let (thread_status, thread_applied) = (Arc::clone(&status), Arc::clone(&applied));
        std::thread::spawn(move || {
            while let Ok(command) = commands.recv() {
                let Command::Apply { config, running, reply } = command else { panic!("{command:?}") };
                let bad = config.pool.iter().any(|range| range.to_string() == refused);
                if bad {
                    let name = "in7".parse().unwrap();
                    reply.send(Err(ApplyError::Compile(crate::PlanError::NoInterface(name).into()))).unwrap();
                } else {
                    thread_applied.lock().unwrap().push(*config);
                    thread_status.send_modify(|status| status.running = Some(running));
                    reply.send(Ok(())).unwrap();
                }
            }
        });
        let (events, event_receiver) = crate::events::channel();
        let url = format!("https://{address}");
        let control = Control {
            options: ControllerOptions {
                endpoint: url.clone(),
                join_token_file: Some(token_file),
                state_dir: directory.path().to_owned(),
            },
            store: Store::open(directory.path()).unwrap(),
            supervisor,
            worker: inquiries::worker(),
            events: event_receiver,
            status: Arc::clone(&status),
            instance_id: "i1".to_owned(),
            keeper: Keeper::new(directory.path()),
            refused_token: None,
        };
        let (stop, stopped) = oneshot::channel();
        let random = StdRng::seed_from_u64(SEED);
        let task = tokio::spawn(control.run(endpoint(&url).unwrap(), random, stopped));
        Self { directory, status, events, applied, stop, task }
    }

    fn stored(&self) -> Option<String> {
        match Store::open(self.directory.path()).unwrap().load().unwrap() {
            Stored::Config(config) => Some(config.revision_id),
            Stored::Absent => None,
            damaged @ Stored::Damaged { .. } => panic!("{damaged:?}"),
        }
    }

    fn running(&self) -> Option<String> {
        match &self.status.borrow().running {
            Some(Running::Revision(running)) => Some(running.revision_id.clone()),
            Some(Running::Fixed) | None => None,
        }
    }

    async fn end(self) {
        drop(self.stop);
        timeout(PATIENCE, self.task).await.expect("does not stop").unwrap();
    }
}

fn gateway_config(pool: &str) -> v1::GatewayConfig {
    v1::GatewayConfig {
        nat: Some(v1::Nat {
            inside_interfaces: vec!["in0".to_owned()],
            outside_interfaces: vec!["out0".to_owned()],
            inside_prefixes: vec!["10.0.0.0/24".to_owned()],
            pool: vec![pool.to_owned()],
            ..v1::Nat::default()
        }),
        ..v1::GatewayConfig::default()
    }
}

fn config_message(revision: &str, config: &[u8]) -> v1::Config {
    v1::Config {
        version: 1,
        nonce: format!("nonce-{revision}"),
        revision_id: revision.to_owned(),
        config: config.to_vec(),
        hash: Sha256::digest(config).to_vec(),
    }
}

fn good_message(revision: &str) -> v1::Config {
    config_message(revision, &gateway_config("203.0.113.1").encode_to_vec())
}

#[tokio::test]
async fn a_configuration_is_enforced_stored_and_acknowledged() {
    let mut controller = Controller::start(any_address(), 0).await;
    let fixture = Fixture::start(&controller, "");
    let mut stream = controller.accept().await;
    assert_eq!(stream.certificate, controller.authority.given()[0]);
    let hello = stream.hello().await;
    assert_eq!((hello.instance_id.as_str(), hello.running), ("i1", None));
    assert!(hello.capabilities.contains(&"alg.ftp".to_owned()));
    stream.welcome().await;
    let message = good_message("r1");
    stream.send(FromController::Config(message.clone())).await;
    let FromGateway::Ack(ack) = stream.receive_answer().await else { panic!("no ack") };
    assert_eq!(ack.nonce, "nonce-r1");
    assert_eq!(ack.running.unwrap().hash, message.hash);
    assert_eq!(fixture.applied.lock().unwrap().len(), 1);
    assert_eq!(fixture.stored().as_deref(), Some("r1"));
    assert_eq!(fixture.status.borrow().link, Link::Connected);
    fixture.end().await;
}

#[tokio::test]
async fn what_runs_already_is_acknowledged_without_another_change() {
    let mut controller = Controller::start(any_address(), 0).await;
    let fixture = Fixture::start(&controller, "");
    let mut stream = controller.accept().await;
    stream.hello().await;
    for _ in 0..2 {
        stream.send(FromController::Config(good_message("r1"))).await;
        assert!(matches!(stream.receive_answer().await, FromGateway::Ack(_)));
    }
    assert_eq!(fixture.applied.lock().unwrap().len(), 1);
    fixture.end().await;
}

#[tokio::test]
async fn bad_configurations_are_refused_with_the_reason_and_the_last_good_one_stays() {
    let mut controller = Controller::start(any_address(), 0).await;
    let fixture = Fixture::start(&controller, "203.0.113.99");
    let mut stream = controller.accept().await;
    stream.hello().await;
    stream.welcome().await;
    stream.send(FromController::Config(good_message("r1"))).await;
    assert!(matches!(stream.receive_answer().await, FromGateway::Ack(_)));

    let mut wrong_hash = good_message("r2");
    wrong_hash.hash[0] ^= 1;
    let mut unknown_alg = gateway_config("203.0.113.1");
    unknown_alg.algs.push(v1::Alg { protocol: 77, ..v1::Alg::default() });
    let cases = [
        (wrong_hash, "the configuration does not match its hash"),
        (config_message("r2", b"\xff\xff\xff"), "the configuration does not decode"),
        (config_message("r2", b""), "nat: the NAT settings are missing"),
        (
            config_message("r2", &unknown_alg.encode_to_vec()),
            "algs[0].protocol: 77 is no protocol known here",
        ),
        (config_message("r2", &gateway_config("203.0.113.99").encode_to_vec()), "there is no interface in7"),
    ];
    for (message, reason) in cases {
        stream.send(FromController::Config(message)).await;
        let FromGateway::Nack(nack) = stream.receive_answer().await else { panic!("accepted: {reason}") };
        assert!(nack.reason.contains(reason), "{}", nack.reason);
        assert_eq!(nack.nonce, "nonce-r2");
        assert_eq!(nack.running.unwrap().revision_id, "r1");
        assert_eq!(fixture.stored().as_deref(), Some("r1"), "{reason}");
        assert_eq!(fixture.running().as_deref(), Some("r1"), "{reason}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_lost_controller_is_found_again_and_told_what_runs() {
    let mut controller = Controller::start(any_address(), 0).await;
    let address = controller.address;
    let fixture = Fixture::start(&controller, "");
    let mut stream = controller.accept().await;
    stream.hello().await;
    stream.welcome().await;
    stream.send(FromController::Config(good_message("r1"))).await;
    assert!(matches!(stream.receive_answer().await, FromGateway::Ack(_)));

    // The stream ends, the controller stays.
    drop(stream);
    let mut stream = controller.accept().await;
    assert_eq!(stream.hello().await.running.unwrap().revision_id, "r1");

    // The controller goes, and comes back at its address.
    let mut status = fixture.status.subscribe();
    stream.welcome().await;
    timeout(PATIENCE, status.wait_for(|status| status.link == Link::Connected)).await.unwrap().unwrap();
    drop(stream);
    controller.task.abort();
    let authority = controller.authority.clone();
    timeout(PATIENCE, status.wait_for(|status| status.link == Link::Disconnected)).await.unwrap().unwrap();
    assert_eq!(fixture.running().as_deref(), Some("r1"));
    let _ = controller.task.await;
    let mut controller = Controller::of(authority, address, 2).await;
    // Refused twice, it goes on trying.
    let mut stream = controller.accept().await;
    assert_eq!(stream.hello().await.running.unwrap().revision_id, "r1");
    assert_eq!(fixture.applied.lock().unwrap().len(), 1);
    fixture.end().await;
}

#[tokio::test]
async fn heartbeats_carry_counters_and_events_follow_in_order() {
    let mut controller = Controller::start(any_address(), 0).await;
    let mut fixture = Fixture::start(&controller, "");
    let mut stream = controller.accept().await;
    stream.hello().await;
    stream.welcome().await;
    for _ in 0..3 {
        let beat = loop {
            if let FromGateway::Heartbeat(beat) = stream.receive().await {
                break beat;
            }
        };
        assert_eq!(beat.counters.unwrap().sessions, 3);
    }
    for id in 0..300 {
        let closed = v1::PinholeClosed { pinhole_id: id, ..v1::PinholeClosed::default() };
        fixture.events.send(v1::event::Event::PinholeClosed(closed));
    }
    let mut sequences = Vec::new();
    while sequences.len() < 300 {
        let FromGateway::Events(events) = stream.receive_answer().await else { panic!("no events") };
        assert_eq!(events.lost, 0);
        sequences.extend(events.events.iter().map(|event| event.sequence));
    }
    assert_eq!(sequences, (1..=300).collect::<Vec<_>>());
    fixture.end().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_controller() {
    let token = Authority::new(PATIENCE).token("secret");
    // A port where nobody listens.
    let free = TcpListener::bind(any_address()).await.unwrap().local_addr().unwrap();
    let fixture = Fixture::at(free, &token, "");
    fixture.end().await;
    // One that accepts and says nothing.
    let silent = TcpListener::bind(any_address()).await.unwrap();
    let fixture = Fixture::at(silent.local_addr().unwrap(), &token, "");
    let _connection = timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    fixture.end().await;
}

#[test]
fn only_urls_that_can_be_reached_are_taken() {
    for bad in ["", "127.0.0.1:1", "http://a:1", "https://", "https://a b"] {
        assert!(endpoint(bad).is_err(), "{bad:?}");
    }
    assert!(endpoint("https://127.0.0.1:1").is_ok());
}
