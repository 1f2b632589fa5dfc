//! The gateway inside the controller: an ordinary gateway, which dials the controller's own listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use pinhole::access::authority::Fingerprint;
use pinhole::app::AppState;
use pinhole::app::embedded::{self, Claim, NAME};
use pinhole_gateway::{ConfigSource, ControllerOptions, Gateway, GatewayOptions, NetworkNamespace};
use tokio::time::timeout;

use crate::settings::EmbeddedSettings;
use crate::{describe, secret_file};

/// How long the gateway may take to restore the host.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// The embedded gateway, if it runs.
#[derive(Debug)]
pub(crate) struct Embedded(Option<Gateway>);

impl Embedded {
    /// Starts it. Whatever keeps it from starting is one warning, and the controller goes on.
    pub(crate) async fn start(
        state: &AppState,
        settings: &EmbeddedSettings,
        data_dir: &Path,
        controller: SocketAddr,
    ) -> Self {
        if settings.no_embedded_gateway {
            return Self(None);
        }
        match try_start(state, settings, data_dir, controller).await {
            Ok(gateway) => Self(gateway),
            Err(error) => {
                tracing::warn!(reason = describe(&error), "the embedded gateway does not run");
                Self(None)
            }
        }
    }

    /// Stops it and restores the host.
    pub(crate) async fn stop(self) {
        let Some(gateway) = self.0 else { return };
        match timeout(SHUTDOWN_TIMEOUT, gateway.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the embedded gateway did not end cleanly"),
            Err(_) => tracing::error!("the embedded gateway takes too long to end; its next start cleans up"),
        }
    }
}

async fn try_start(
    state: &AppState,
    settings: &EmbeddedSettings,
    data_dir: &Path,
    controller: SocketAddr,
) -> anyhow::Result<Option<Gateway>> {
    let state_dir = data_dir.join("gateway");
    prepare(&state_dir).with_context(|| format!("cannot use {}", state_dir.display()))?;
    let token_file = state_dir.join("join-token");
    let certificate = pinhole_gateway::trust::certificate(&state_dir)?;
    let claim = embedded::claim(state, certificate.map(Fingerprint::from_bytes)).await?;
    let appliance = match claim {
        Claim::Known(appliance) => appliance,
        Claim::Joining(appliance, token) => {
            secret_file::write(&token_file, token.reveal())
                .with_context(|| format!("cannot write {}", token_file.display()))?;
            appliance
        }
        Claim::Taken => {
            tracing::info!("another controller on this database runs the embedded gateway");
            return Ok(None);
        }
    };
    let namespace = settings.gateway_netns.clone();
    let gateway = Gateway::start(GatewayOptions {
        namespace: namespace.map_or(NetworkNamespace::Current, NetworkNamespace::Path),
        run_dir: settings.gateway_run_dir.clone(),
        source: ConfigSource::Controller(ControllerOptions {
            endpoint: format!("https://{}", reachable(controller)),
            join_token_file: Some(token_file),
            state_dir,
        }),
    });
    let gateway = gateway.await?;
    tracing::info!(appliance.id = %appliance, "the embedded gateway runs; it is the appliance \"{NAME}\" at first");
    Ok(Some(gateway))
}

/// Makes the directory of what the gateway remembers, which nobody else has to see.
fn prepare(state_dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    std::fs::set_permissions(state_dir, std::fs::Permissions::from_mode(0o700))
}

/// Where a listener is reached from its own host.
pub(crate) fn reachable(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    };
    SocketAddr::new(address, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_the_loopback() {
        for (listener, expected) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
            ("[2001:db8::1]:1", "[2001:db8::1]:1"),
        ] {
            assert_eq!(reachable(listener.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
