//! The gRPC service that gives gateways their certificates.

use chrono::Duration;
use pinhole_proto::v1;
use pinhole_proto::v1::gateway_enrolment_server::GatewayEnrolment;
use tonic::{Response, Status};

use super::service::{authenticate, status_of};
use super::{Core, limits};
use crate::access::authority::{self, Issued};
use crate::access::token::Secret;
use crate::error::Error;
use crate::ids::ObjectId;
use crate::store::push as store;

/// The service.
#[derive(Debug)]
pub(super) struct Enrolment {
    core: Core,
}

impl Enrolment {
    pub(super) fn new(core: Core) -> Self {
        Self { core }
    }

    async fn join(&self, request: &v1::EnrolRequest) -> Result<Issued, Status> {
        let refused = || Status::unauthenticated("the join token is not valid");
        let certification = parse(&request.certification_request)?;
        if request.join_token.len() > limits::MAX_TOKEN_BYTES {
            return Err(refused());
        }
        let (token, now) = (Secret::presented(&request.join_token).hash(), self.core.clock.now());
        let issued = self.core.enrolment(async |tx| {
            let redeemed = store::redeem(tx, token, certification.key_hash(), now).await?;
            let Some((tenant, appliance)) = redeemed else { return Ok(None) };
            let issued = self.certify(&certification, appliance)?;
            store::add_certificate(tx, tenant, appliance, &issued, None).await?;
            tracing::info!(appliance.id = %appliance, "a gateway was enrolled");
            Ok(Some(issued))
        });
        issued.await.map_err(|error| status_of(&error))?.ok_or_else(refused)
    }

    fn certify(&self, request: &authority::Request, appliance: ObjectId) -> Result<Issued, Error> {
        let lifetime = Duration::from_std(self.core.settings.certificate_lifetime)
            .map_err(|error| Error::Internal(error.to_string()))?;
        self.core.authority.certify_gateway(request, appliance, self.core.clock.now(), lifetime)
    }

    fn answer(&self, issued: Issued) -> Response<v1::Enrolled> {
        let lifetime = self.core.settings.certificate_lifetime;
        Response::new(v1::Enrolled {
            certificate: issued.certificate,
            authorities: vec![self.core.authority.certificate().to_vec()],
            lifetime_ms: u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

#[tonic::async_trait]
impl GatewayEnrolment for Enrolment {
    async fn enrol(
        &self,
        request: tonic::Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::Enrolled>, Status> {
        let peer = request.remote_addr();
        let issued = self.join(request.get_ref()).await.inspect_err(|status| {
            tracing::info!(?peer, reason = status.message(), "a gateway was not enrolled");
        })?;
        Ok(self.answer(issued))
    }

    async fn renew(
        &self,
        request: tonic::Request<v1::RenewRequest>,
    ) -> Result<Response<v1::Enrolled>, Status> {
        let credential = authenticate(&self.core, &request).await?;
        let certification = parse(&request.get_ref().certification_request)?;
        let issued = self.core.enrolment(async |tx| {
            let issued = self.certify(&certification, credential.appliance)?;
            let replaces = Some(credential.certificate);
            store::add_certificate(tx, credential.tenant, credential.appliance, &issued, replaces).await?;
            Ok(issued)
        });
        let issued = issued.await.map_err(|error| status_of(&error))?;
        tracing::info!(appliance.id = %credential.appliance, "the certificate of a gateway was renewed");
        Ok(self.answer(issued))
    }
}

fn parse(request: &[u8]) -> Result<authority::Request, Status> {
    authority::Request::parse(request).map_err(|error| Status::invalid_argument(error.to_string()))
}
