//! The REST API against a real Postgres: the router is called in process, each test on a database of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where something is missing")]

mod alg_policies;
mod appliances;
mod audit;
mod availability;
mod compiled;
mod compression;
mod concurrency;
mod conditional;
mod copies;
mod crashes;
mod errors;
mod hostile;
mod inspections;
mod keys;
mod lists;
mod master_profiles;
mod matrix;
mod model;
mod oidc;
mod openapi;
mod permission_defaults;
mod permissions;
mod publications;
mod push;
mod reads;
mod repetition;
mod scale;
mod service_accounts;
mod services;
mod sessions;
mod sign_in;
mod sub_profiles;
mod support;
mod tenancy;
mod tenants;
mod throttle;
mod users;
mod versions;
mod withdrawals;
