//! NAT settings, which are in canonical order already.

use pinhole_proto::v1;

use crate::domain::nat::{NatSettings, texts_of};

pub(super) fn compile(settings: &NatSettings) -> v1::Nat {
    v1::Nat {
        inside_interfaces: texts_of(&settings.inside),
        outside_interfaces: texts_of(&settings.outside),
        inside_prefixes: texts_of(&settings.inside_prefixes),
        pool: texts_of(&settings.pool),
    }
}
