//! Network namespaces, real peers and a private database for tests, benchmarks and the demonstration.
