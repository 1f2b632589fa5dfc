//! The control stream on the wire: gRPC over HTTP/2 over TLS, with nothing between.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request};
use pinhole_proto::v1;
use prost::Message as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

const SERVER_NAME: &str = "controller.pinhole.internal";
const URL: &str = "https://controller.pinhole.internal/pinhole.v1.GatewayControl/Attach";
/// What stands before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// The largest message that is taken.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// A gateway's end of a control stream. The connection ends when it is dropped.
#[derive(Debug)]
pub struct Wire {
    send: SendStream<Bytes>,
    receive: RecvStream,
    received: BytesMut,
    connection: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Wire {
    /// Opens a stream with a first message. The controller may send `window` bytes before they are read.
    ///
    /// # Errors
    /// The controller is not there, or does not let the gateway in.
    pub async fn attach(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        window: u32,
        first: v1::gateway_message::Message,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER_NAME)?;
        let tls = TlsConnector::from(config).connect(name, stream).await?;
        let (client, connection) =
            h2::client::Builder::new().initial_window_size(window).enable_push(false).handshake(tls).await?;
        let connection = tokio::spawn(async move {
            // Whoever holds the stream sees how it ended.
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri(URL)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut client = client.ready().await?;
        let (response, mut send) = client.send_request(request, false)?;
        send.send_data(framed(first), false)?;
        let response = match response.await {
            Ok(response) => response,
            Err(error) => {
                connection.abort();
                return Err(error.into());
            }
        };
        let wire = Self { send, receive: response.into_body(), received: BytesMut::new(), connection };
        Ok(wire)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The stream has ended.
    pub fn send(&mut self, message: v1::gateway_message::Message) -> anyhow::Result<()> {
        self.send_bytes(framed(message))
    }

    /// Sends whatever it is.
    ///
    /// # Errors
    /// The stream has ended.
    pub fn send_bytes(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        Ok(self.send.send_data(bytes, false)?)
    }

    /// Takes the next message. May be given up and called again.
    ///
    /// # Errors
    /// The stream has ended, for the reason that the controller gave, if it did.
    pub async fn receive(&mut self) -> anyhow::Result<v1::controller_message::Message> {
        loop {
            if let Some(message) = self.message()? {
                return Ok(message);
            }
            let Some(data) = self.receive.data().await else {
                let trailers = self.receive.trailers().await?.unwrap_or_default();
                bail!("the controller has ended the stream: {}", reason(&trailers));
            };
            let data = data?;
            self.receive.flow_control().release_capacity(data.len())?;
            self.received.put(data);
        }
    }

    fn message(&mut self) -> anyhow::Result<Option<v1::controller_message::Message>> {
        let Some((prefix, rest)) = self.received.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [compressed, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length))?;
        ensure!(compressed == 0 && length <= MAX_MESSAGE_BYTES, "a message that nobody can read");
        if rest.len() < length {
            return Ok(None);
        }
        self.received.advance(PREFIX_BYTES);
        let message = v1::ControllerMessage::decode(self.received.split_to(length))?;
        message.message.map(Some).context("a message that says nothing")
    }
}

/// A message with what stands before it.
fn framed(message: v1::gateway_message::Message) -> Bytes {
    let message = v1::GatewayMessage { message: Some(message) };
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    bytes.put(message.encode_to_vec().as_slice());
    bytes.freeze()
}

fn reason(trailers: &HeaderMap) -> String {
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none");
    format!("status {}, {}", text("grpc-status"), text("grpc-message"))
}
