//! Version 1 of the API: one folder per resource, each with its handlers and its view.

pub(super) mod alg_policies;
pub(super) mod appliances;
pub(super) mod audit;
pub(super) mod auth;
pub(super) mod master_profiles;
mod objects;
pub(super) mod permission_defaults;
pub(super) mod publications;
pub(super) mod service_accounts;
pub(super) mod services;
pub(super) mod sessions;
pub(super) mod sub_profiles;
pub(super) mod tenants;
pub(super) mod users;

pub(super) use self::objects::view::NamedView;
