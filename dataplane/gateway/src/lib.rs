//! The gateway around the engine: control stream, configuration, datapath I/O.
