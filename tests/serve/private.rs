//! The private Postgres and the first login.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::{Signal, kill};

use crate::PATIENCE;
use crate::controller::{Controller, DataDir};

#[tokio::test]
async fn it_starts_from_nothing_says_so_and_leaves_in_order() {
    let data = DataDir::new();
    let file = data.path().join("login");
    let controller = Controller::start(&data, &["--first-login-file", file.to_str().unwrap()]).await;
    assert_eq!(controller.login, None, "it is in the file");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    let mut value = |name| lines.next().unwrap().strip_prefix(name).unwrap().to_owned();
    let login = (value("username="), value("password="));
    controller.sign_in(&login).await.get("appliances").await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(controller.status(path).await.status(), 200, "{path}");
    }
    let postgres = data.postgres();
    assert!(controller.end(Signal::SIGTERM).await.success());
    assert_eq!(kill(postgres, None), Err(nix::Error::ESRCH), "Postgres outlived it");

    std::fs::remove_file(&file).unwrap();
    let controller = Controller::start(&data, &["--first-login-file", file.to_str().unwrap()]).await;
    assert!(!file.exists(), "there is one first start");
    controller.sign_in(&login).await;
    assert!(controller.end(Signal::SIGINT).await.success());
}

#[tokio::test]
async fn killed_it_takes_postgres_along_and_starts_again_at_once() {
    let data = DataDir::new();
    let controller = Controller::start(&data, &[]).await;
    let login = controller.login.clone().expect("a first start announces a login");
    let first = data.postgres();
    controller.end(Signal::SIGKILL).await;

    // The one before may still be writing its data.
    let controller = Controller::start(&data, &[]).await;
    assert_eq!(controller.login, None);
    controller.sign_in(&login).await;

    // Postgres killed alone comes back without the controller's end.
    let second = data.postgres();
    assert_ne!(first, second, "it was left over");
    kill(second, Signal::SIGKILL).unwrap();
    let back = async {
        loop {
            let answer = controller.status("/readyz").await;
            if answer.status() == 200 && data.postgres() != second {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("Postgres does not come back");
    controller.sign_in(&login).await;
}
