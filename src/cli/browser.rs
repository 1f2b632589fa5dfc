//! `pinhole login` and `pinhole logout`: a sign-in with the installation's issuer, in a browser on this host (RFC 8252).

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use pinhole::access::pkce::Challenge;
use pinhole::access::token::Secret;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::client::{Client, receive, web};
use super::login::{Login, LoginSettings};
use super::session::{Place, Session};
use crate::print;

/// How long a person may take, which is how long the controller waits.
const PATIENCE: Duration = Duration::from_secs(600);
/// The most bytes of a browser's request, and how long it may take.
const MAX_REQUEST_BYTES: usize = 16 << 10;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

const DONE: &str = "You are signed in. You can close this page.\n";
const NOTHING_HERE: &str = "There is nothing here.\n";

#[derive(Debug, Args)]
pub(crate) struct BrowserSettings {
    #[command(flatten)]
    login: LoginSettings,
}

/// Signs in, and keeps that for later commands.
pub(super) async fn login(settings: &BrowserSettings) -> anyhow::Result<()> {
    let Login { server, roots, .. } = settings.login.resolve()?;
    let http = web(roots)?;
    let ways = receive(http.get(format!("{server}/v1/auth/oidc")).send().await, &server).await?;
    let issuer = ways.pointer("/items/0/issuer").and_then(Value::as_str);
    issuer.with_context(|| format!("{server} has no issuer to sign in with; use PINHOLE_USERNAME"))?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on 127.0.0.1")?;
    let port = listener.local_addr()?.port();
    // 256 random bits in base64url: a verifier.
    let verifier = Secret::generate();
    let challenge = Challenge::of(verifier.reveal()).encode();
    print(&format!(
        "Open this in a browser on this host:\n\
         {server}/v1/auth/oidc/start?code_challenge={challenge}&code_challenge_method=S256&loopback_port={port}\n"
    ))?;
    let code = timeout(PATIENCE, code(&listener)).await.context("nobody signed in")??;
    let form = [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", verifier.reveal())];
    let request = http.post(format!("{server}/v1/auth/token")).form(&form);
    let answer = receive(request.send().await, &server).await.context("cannot sign in")?;
    Place::open()?.keep(&Session::of(&server, &answer)?)?;
    print("signed in\n")?;
    Ok(())
}

/// Ends the sign-in that is kept.
pub(super) async fn logout(settings: &BrowserSettings) -> anyhow::Result<()> {
    let Login { server, roots, .. } = settings.login.resolve()?;
    let http = web(roots)?;
    let place = Place::open()?;
    // One that is over, or kept by no controller any more, is only forgotten.
    if let Ok(Some(token)) = place.token(&http, &server).await {
        let client = Client::with_token(http, server, token);
        let path = format!("/v1/tenants/{}/sessions", client.own_tenant().await?);
        let sessions = client.list(&path).await?;
        let own = sessions.iter().find(|session| session.get("current") == Some(&Value::Bool(true)));
        if let Some(id) = own.and_then(|session| session.get("id")).and_then(Value::as_str) {
            client.delete(&format!("{path}/{id}"), None).await?;
        }
    }
    place.forget()
}

/// Waits for a browser with a code. What else comes is told that there is nothing.
async fn code(listener: &TcpListener) -> anyhow::Result<String> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let request = timeout(REQUEST_TIMEOUT, head(&mut stream)).await;
        let found = request.ok().and_then(Result::ok).and_then(|request| code_in(&request));
        let (status, text) = match &found {
            Some(_) => ("200 OK", DONE),
            None => ("404 Not Found", NOTHING_HERE),
        };
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
             cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}"
        );
        // The code counts, whether the browser waits for the page or not.
        let _ = stream.write_all(answer.as_bytes()).await;
        if let Some(code) = found {
            return Ok(code);
        }
    }
}

/// The head of a request.
async fn head(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await?;
        request.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if read == 0 || request.len() > MAX_REQUEST_BYTES {
            bail!("no request");
        }
    }
    Ok(String::from_utf8(request)?)
}

/// The code that a browser was sent here with. Codes need no decoding.
fn code_in(request: &str) -> Option<String> {
    let target = request.strip_prefix("GET ")?.split_once(' ')?.0;
    let code = target.strip_prefix("/?code=")?;
    let whole = !code.is_empty()
        && code.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    whole.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_from_the_request_that_has_it() {
        assert_eq!(code_in("GET /?code=a-B_1 HTTP/1.1\r\n\r\n").as_deref(), Some("a-B_1"));
        for wrong in [
            "GET /favicon.ico HTTP/1.1",
            "GET /?code= HTTP/1.1",
            "POST /?code=a HTTP/1.1",
            "GET /?code=a",
            "",
            "GET /?code=a&code=b HTTP/1.1",
            "GET /x?code=a HTTP/1.1",
        ] {
            assert_eq!(code_in(wrong), None, "{wrong}");
        }
    }
}
