//! The Pinhole controller: REST API, policy compiler and push.
