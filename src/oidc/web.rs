//! HTTP to an issuer: no redirects, and an end to everything.

use std::error::Error as _;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::http::Response;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{Certificate, Client, Request};

use crate::tls;

/// How long connecting may take, and how long a whole answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// The most bytes of an answer: of a discovery document, of keys, of tokens.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    /// No connection, no TLS, or no end of the answer.
    #[error("{0}")]
    Unreachable(String),
    /// An answer that says that there is none, or that it is elsewhere.
    #[error("answers {0}")]
    Status(u16),
    /// More than [`MAX_ANSWER_BYTES`].
    #[error("answers more than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
}

impl From<reqwest::Error> for WebError {
    fn from(error: reqwest::Error) -> Self {
        // The address may have a code in it.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::Unreachable(text)
    }
}

/// The client.
#[derive(Debug)]
pub(super) struct Web {
    client: Client,
}

impl Web {
    /// A client that trusts the system's roots and these.
    ///
    /// # Errors
    /// TLS does not work on this system.
    pub(super) fn new(roots: &[Certificate], tls_only: bool) -> Result<Self, WebError> {
        let client = tls::client_builder()
            .tls_certs_merge(roots.iter().cloned())
            .https_only(tls_only)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .user_agent(concat!("pinhole/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        let mut answer = self.client.execute(Request::try_from(request)?).await?;
        let status = answer.status();
        if status.is_redirection() || status.is_server_error() || status.as_u16() == 429 {
            return Err(WebError::Status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(WebError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WebError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}
