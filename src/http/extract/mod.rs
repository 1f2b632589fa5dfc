//! Requests to typed values, once.

mod address;
mod body;
mod caller;
mod json;
mod live;
mod path;
mod precondition;
mod query;
mod resume;

pub(super) use self::address::Address;
pub(super) use self::body::{FormBody, JsonBody, MAX_BODY_BYTES, PatchBody};
pub(super) use self::caller::Caller;
pub(super) use self::live::{LivePath, MappingListing, PinholeListing, SessionListing};
pub(super) use self::path::{ObjectPath, PublicationPath, SessionPath, TenantPath, UserPath, VersionPath};
pub(super) use self::precondition::{IfMatch, IfNoneMatch};
pub(super) use self::query::{
    After, Against, AuditParameters, FlowQuery, List, NoQuery, ObjectList, Pages, Removal, SentBack, SignIn,
    TenantList, Write,
};
pub(super) use self::resume::{DONE, Resume};
