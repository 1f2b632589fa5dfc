//! How far a session has come.

/// How far a session has come, for people.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Progress {
    /// Without a state machine, as UDP: the responder has not answered.
    Unreplied,
    /// Without a state machine: it has.
    Replied,
    /// TCP: the originator's SYN was seen.
    SynSent,
    /// TCP: both SYNs were seen.
    SynReceived,
    /// TCP: data may flow both ways.
    Established,
    /// TCP: one side has sent its FIN.
    Closing,
    /// TCP: it is over, and the place is kept for stragglers.
    Closed,
}

impl Progress {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Unreplied,
        Self::Replied,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::Closing,
        Self::Closed,
    ];

    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreplied => "unreplied",
            Self::Replied => "replied",
            Self::SynSent => "syn_sent",
            Self::SynReceived => "syn_received",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}
