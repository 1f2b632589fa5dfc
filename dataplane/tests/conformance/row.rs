//! What a requirement is here.

/// How much a document insists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    Must,
    Should,
    May,
}

impl Level {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// How the engine stands to a requirement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stand {
    /// Tests say that it is so.
    Tested,
    /// Tests say so of all but this.
    Part(&'static str),
    /// It is not done, or nobody has tested it.
    Gap(&'static str),
    /// It is not followed, for a reason.
    Otherwise(&'static str),
    /// There is nothing that it could be about.
    Moot(&'static str),
}

/// One requirement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its name in its document.
    pub(crate) clause: &'static str,
    pub(crate) level: Level,
    pub(crate) wants: &'static str,
    /// Tests of it that are not named after it.
    pub(crate) also: &'static [&'static str],
    pub(crate) stand: Stand,
}

/// A document's requirements in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document {
    pub(crate) rfc: u16,
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Row],
}

pub(crate) const fn must(clause: &'static str, wants: &'static str) -> Row {
    Row { clause, level: Level::Must, wants, also: &[], stand: Stand::Tested }
}

pub(crate) const fn should(clause: &'static str, wants: &'static str) -> Row {
    Row { level: Level::Should, ..must(clause, wants) }
}

pub(crate) const fn may(clause: &'static str, wants: &'static str) -> Row {
    Row { level: Level::May, ..must(clause, wants) }
}

impl Row {
    pub(crate) const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    pub(crate) const fn part(self, missing: &'static str) -> Self {
        Self { stand: Stand::Part(missing), ..self }
    }

    pub(crate) const fn gap(self, reason: &'static str) -> Self {
        Self { stand: Stand::Gap(reason), ..self }
    }

    pub(crate) const fn moot(self, reason: &'static str) -> Self {
        Self { stand: Stand::Moot(reason), ..self }
    }

    pub(crate) const fn otherwise(self, reason: &'static str) -> Self {
        Self { stand: Stand::Otherwise(reason), ..self }
    }
}
