//! TLS: of the REST API with its command line, and of the database.

use std::path::{Path, PathBuf};
use std::process::Output;

use nix::sys::signal::{Signal, kill};
use pinhole_lab::Authority;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::PATIENCE;
use crate::controller::{Controller, DataDir, pinhole};

/// Files with certificates in them.
struct Files {
    directory: TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap(), authority: Authority::new().unwrap() };
        std::fs::write(files.path("ca.pem"), files.authority.pem()).unwrap();
        std::fs::write(files.path("other.pem"), Authority::new().unwrap().pem()).unwrap();
        files.certify();
        files
    }

    /// Has another certificate for the same server.
    fn certify(&self) {
        let certified = self.authority.certify("127.0.0.1").unwrap();
        std::fs::write(self.path("server.key"), certified.key).unwrap();
        std::fs::write(self.path("server.pem"), certified.certificate).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    async fn serve(&self, data: &DataDir) -> Controller {
        let (certificate, key) = (self.text("server.pem"), self.text("server.key"));
        Controller::start(data, &["--tls-certificate", &certificate, "--tls-key", &key]).await
    }
}

async fn tenants(controller: &Controller, login: &(String, String), ca: Option<&Path>) -> Output {
    let mut command = pinhole(&["tenant", "list"]);
    command.env("PINHOLE_SERVER", &controller.http);
    command.env("PINHOLE_USERNAME", &login.0).env("PINHOLE_PASSWORD", &login.1);
    if let Some(ca) = ca {
        command.arg("--ca").arg(ca);
    }
    command.output().await.unwrap()
}

/// The certificate that a controller presents.
async fn presented(files: &Files, controller: &Controller) -> Vec<u8> {
    let mut roots = rustls::RootCertStore::empty();
    use rustls::pki_types::pem::PemObject as _;
    let ca = rustls::pki_types::CertificateDer::from_pem_slice(files.authority.pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let address = controller.http.strip_prefix("https://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_lowercase().contains("strict-transport-security: max-age=31536000"), "{answer}");
    certificate
}

#[tokio::test]
async fn the_command_line_talks_to_whom_it_is_told_to_trust() {
    let (data, files) = (DataDir::new(), Files::new());
    let controller = files.serve(&data).await;
    assert!(controller.http.starts_with("https://127.0.0.1:"), "{}", controller.http);
    let login = controller.login.clone().unwrap();
    let good = tenants(&controller, &login, Some(&files.path("ca.pem"))).await;
    assert!(good.status.success(), "{good:?}");
    for ca in
        [None, Some(files.path("other.pem")), Some(files.path("server.key")), Some(files.path("absent"))]
    {
        let refused = tenants(&controller, &login, ca.as_deref()).await;
        assert_eq!(refused.status.code(), Some(1), "{ca:?}: {refused:?}");
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(!told.contains(&login.1), "{told}");
    }
    // Without TLS there is no answer, and nothing leaves the client but the attempt.
    let plain = controller.http.replace("https://", "http://");
    assert!(crate::controller::web().get(plain).send().await.is_err());
    assert!(controller.end(Signal::SIGTERM).await.success());
}

#[tokio::test]
async fn a_certificate_is_replaced_while_it_runs_and_a_broken_one_is_not_taken() {
    let (data, files) = (DataDir::new(), Files::new());
    let controller = files.serve(&data).await;
    let first = presented(&files, &controller).await;
    // A connection whose handshake does not end keeps no other out.
    let address = controller.http.strip_prefix("https://").unwrap();
    let _idle = tokio::net::TcpStream::connect(address).await.unwrap();

    let whole = std::fs::read(files.path("server.pem")).unwrap();
    std::fs::write(files.path("server.pem"), &whole[..whole.len() / 2]).unwrap();
    kill(controller.pid(), Signal::SIGHUP).unwrap();
    let log = data.path().join("log");
    let told = async {
        while !std::fs::read_to_string(&log).unwrap().contains("the TLS certificate stays as it is") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, told).await.expect("nobody is told");
    assert_eq!(presented(&files, &controller).await, first);

    files.certify();
    kill(controller.pid(), Signal::SIGHUP).unwrap();
    let replaced = async { while presented(&files, &controller).await == first {} };
    timeout(PATIENCE, replaced).await.expect("the certificate is not replaced");
    assert!(controller.end(Signal::SIGTERM).await.success());
}

#[tokio::test]
async fn without_a_usable_certificate_it_does_not_start() {
    let (data, files) = (DataDir::new(), Files::new());
    let key = Authority::new().unwrap().certify("127.0.0.1").unwrap().key;
    std::fs::write(files.path("another.key"), key).unwrap();
    for (certificate, key) in
        [("absent.pem", "server.key"), ("server.pem", "another.key"), ("server.pem", "ca.pem")]
    {
        let mut command = pinhole(&["serve", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(data.path());
        command.arg("--tls-certificate").arg(files.path(certificate)).arg("--tls-key").arg(files.path(key));
        let (status, stdout, stderr) = crate::controller::run(command).await;
        assert_eq!((status.code(), stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains(certificate) || stderr.contains(key), "{stderr}");
    }
}
