//! What keeps the program from starting is one line, and never more than its reader may know.

use crate::controller::{Controller, DataDir, pinhole, run};

async fn refused(arguments: &[&str]) -> String {
    let (status, stdout, stderr) = run(pinhole(arguments)).await;
    assert_eq!((status.code(), stdout.as_str()), (Some(1), ""), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("pinhole: "), "{stderr}");
    stderr
}

#[tokio::test]
async fn errors_that_end_it_are_one_line() {
    let data = DataDir::new();
    let path = data.path().to_str().unwrap();
    let controller = Controller::start(&data, &[]).await;
    let serve = ["serve", "--grpc-listen", "127.0.0.1:0", "--data-dir", path, "--listen"];
    let on = |address| serve.iter().copied().chain([address]).collect::<Vec<_>>();

    let taken = controller.http.strip_prefix("http://").unwrap().to_owned();
    let error = refused(&on(&taken)).await;
    assert!(error.contains(&format!("cannot listen on {taken}")), "{error}");
    let error = refused(&on("127.0.0.1:0")).await;
    assert!(error.contains("another controller (process ") && error.contains(path), "{error}");
    let bad_url = ["migrate", "--database-url", "postgres://me:secret@host:port/x"];
    let error = refused(&bad_url).await;
    assert!(error.contains("DATABASE_URL") && !error.contains("secret"), "{error}");

    let other = DataDir::new();
    let version = other.path().join("postgres/data/PG_VERSION");
    std::fs::create_dir_all(version.parent().unwrap()).unwrap();
    std::fs::write(&version, "7\n").unwrap();
    let error = refused(&["migrate", "--data-dir", other.path().to_str().unwrap()]).await;
    assert!(error.contains("was made by Postgres 7"), "{error}");
}

#[tokio::test]
async fn the_openapi_document_is_printed_as_it_is_committed() {
    let (status, stdout, stderr) = run(pinhole(&["openapi"])).await;
    assert!(status.success() && stderr.is_empty(), "{stderr}");
    assert_eq!(stdout, include_str!("../../openapi/openapi.json"));
}
