//! Identifiers: UUID version 7, one type for each thing that is identified.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = uuid::Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new identifier, greater than those made before in this process.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The identifier as a bare UUID.
            #[must_use]
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Reads the hyphenated form, in any case, and no other.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let hyphenated: uuid::fmt::Hyphenated = text.parse()?;
                Ok(Self(hyphenated.into_uuid()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id! {
    /// A tenant: the provider or one of its enterprises.
    TenantId
}
id! {
    /// A user.
    UserId
}
id! {
    /// A sign-in of a user.
    SessionId
}
id! {
    /// A service, ALG policy, profile or appliance: what a tenant configures.
    ObjectId
}
id! {
    /// A client certificate of a gateway.
    CertificateId
}
id! {
    /// An immutable compiled configuration of one appliance.
    RevisionId
}
id! {
    /// A push of revisions to appliances.
    PublicationId
}
id! {
    /// A control stream of a gateway, from its attaching to its end.
    StreamId
}
id! {
    /// A running controller, from its start to its end.
    ReplicaId
}
