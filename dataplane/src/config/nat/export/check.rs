//! An exporter as files and messages have it, checked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::{
    DEFAULT_DOMAIN, DEFAULT_ENTERPRISE, DEFAULT_KEEP, DEFAULT_QUEUE, DEFAULT_ROTATE_BYTES, EventKind,
    EventKinds, ExportError, ExportFormat, ExportSettings, ExportTarget, MAX_EXPORT_NAME, MAX_EXPORTS,
    MAX_QUEUE, Trust, cut,
};
use crate::config::nat::{List, Located, NatError, NatProblem};

/// An exporter before its checks.
#[derive(Clone, Debug)]
pub struct ExportDraft<L> {
    /// See [`ExportSettings::name`].
    pub name: Located<String, L>,
    /// The name of [`ExportSettings::format`].
    pub format: Located<String, L>,
    /// See [`ExportSettings::target`].
    pub to: Located<String, L>,
    /// The names of [`ExportSettings::events`]; `None` is the default.
    pub events: Option<List<L>>,
    /// See [`ExportSettings::queue`]; `None` is the default.
    pub queue: Option<Located<i64, L>>,
    /// See [`ExportFormat::Ipfix`].
    pub domain: Option<Located<i64, L>>,
    /// See [`ExportFormat::Syslog`].
    pub enterprise: Option<Located<i64, L>>,
    /// See [`ExportTarget::File`].
    pub rotate_bytes: Option<Located<i64, L>>,
    /// See [`ExportTarget::File`].
    pub keep: Option<Located<i64, L>>,
}

/// Where the problems of one exporter are put.
struct Checker<'p, L> {
    problems: &'p mut Vec<NatProblem<L>>,
}

/// Checks exporters and adds what is wrong to `problems`.
pub(in crate::config::nat) fn check<L: Clone>(
    drafts: Vec<ExportDraft<L>>,
    trust: Trust,
    problems: &mut Vec<NatProblem<L>>,
) -> Vec<ExportSettings> {
    let mut checker = Checker { problems };
    let mut settings: Vec<ExportSettings> = Vec::new();
    if let Some(first_beyond) = drafts.get(MAX_EXPORTS) {
        checker.report(&first_beyond.name.at, ExportError::TooMany(drafts.len()));
        return settings;
    }
    for draft in drafts {
        let name = &draft.name;
        if name.value.is_empty()
            || name.value.len() > MAX_EXPORT_NAME
            || !name.value.bytes().all(|byte| byte.is_ascii_graphic())
        {
            checker.report(&name.at, ExportError::Name);
        } else if settings.iter().any(|earlier| earlier.name == name.value) {
            checker.report(&name.at, ExportError::Repeated(name.value.clone()));
        }
        settings.extend(checker.exporter(&draft, trust));
    }
    settings
}

impl<L: Clone> Checker<'_, L> {
    fn report(&mut self, at: &L, error: ExportError) {
        self.problems.push(NatProblem { at: at.clone(), error: NatError::Export(error) });
    }

    fn exporter(&mut self, draft: &ExportDraft<L>, trust: Trust) -> Option<ExportSettings> {
        let format = self.format(draft);
        let target = self.target(draft, trust);
        if let (Some(format), Some(target)) = (&format, &target)
            && let Err(wanted) = can_go(format, target)
        {
            let (format, to) = (format.name(), cut(&draft.to.value));
            self.report(&draft.to.at, ExportError::Unfit { format, to, wanted });
        }
        let events = self.events(draft);
        let queue = self.number("queue", draft.queue.as_ref(), 1, MAX_QUEUE.into());
        let queue = queue.map_or(Some(DEFAULT_QUEUE), |queue| u32::try_from(queue).ok())?;
        Some(ExportSettings {
            name: draft.name.value.clone(),
            format: format?,
            target: target?,
            events,
            queue,
        })
    }

    /// Returns a number within its bounds; one outside is reported.
    fn number(
        &mut self,
        field: &'static str,
        number: Option<&Located<i64, L>>,
        least: i64,
        most: i64,
    ) -> Option<i64> {
        let number = number?;
        if !(least..=most).contains(&number.value) {
            let given = number.value;
            self.report(&number.at, ExportError::Number { field, given, least, most });
            return None;
        }
        Some(number.value)
    }

    fn refuse(&mut self, number: Option<&Located<i64, L>>, field: &'static str, with: &'static str) {
        if let Some(number) = number {
            self.report(&number.at, ExportError::Useless { field, with });
        }
    }

    fn format(&mut self, draft: &ExportDraft<L>) -> Option<ExportFormat> {
        let ids = i64::from(u32::MAX);
        let id =
            |number: Option<i64>, default| number.and_then(|id| u32::try_from(id).ok()).unwrap_or(default);
        let (domain, enterprise) = (draft.domain.as_ref(), draft.enterprise.as_ref());
        Some(match draft.format.value.as_str() {
            "ipfix" => {
                self.refuse(enterprise, "enterprise", "ipfix");
                ExportFormat::Ipfix { domain: id(self.number("domain", domain, 0, ids), DEFAULT_DOMAIN) }
            }
            "syslog" => {
                self.refuse(domain, "domain", "syslog");
                let number = self.number("enterprise", enterprise, 1, ids);
                ExportFormat::Syslog { enterprise: id(number, DEFAULT_ENTERPRISE) }
            }
            "ndjson" => {
                self.refuse(domain, "domain", "ndjson");
                self.refuse(enterprise, "enterprise", "ndjson");
                ExportFormat::Ndjson
            }
            other => {
                self.report(&draft.format.at, ExportError::Format(cut(other)));
                return None;
            }
        })
    }

    fn target(&mut self, draft: &ExportDraft<L>, trust: Trust) -> Option<ExportTarget> {
        let at = &draft.to.at;
        let text = draft.to.value.as_str();
        let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
        let target = match (scheme, trust) {
            ("udp", _) => self.address(at, text, rest, trust).map(ExportTarget::Udp),
            ("tcp", _) => self.address(at, text, rest, trust).map(ExportTarget::Tcp),
            ("unix", Trust::Host) => self.path(at, text, rest).map(ExportTarget::Unix),
            ("file", Trust::Host) => {
                let rotate = self.number("rotate_bytes", draft.rotate_bytes.as_ref(), 1 << 10, 1 << 40);
                let keep = self.number("keep", draft.keep.as_ref(), 1, u8::MAX.into());
                return self.path(at, text, rest).map(|path| ExportTarget::File {
                    path,
                    rotate_bytes: rotate
                        .and_then(|bytes| u64::try_from(bytes).ok())
                        .unwrap_or(DEFAULT_ROTATE_BYTES),
                    keep: keep.and_then(|keep| u8::try_from(keep).ok()).unwrap_or(DEFAULT_KEEP),
                });
            }
            (_, Trust::Host | Trust::Remote) => {
                self.report(at, ExportError::Scheme { text: cut(text), trust });
                None
            }
        };
        self.refuse(draft.rotate_bytes.as_ref(), "rotate_bytes", "anything but a file");
        self.refuse(draft.keep.as_ref(), "keep", "anything but a file");
        target
    }

    fn address(&mut self, at: &L, text: &str, rest: &str, trust: Trust) -> Option<SocketAddr> {
        let Some(address) = rest.parse::<SocketAddr>().ok().filter(|address| address.port() != 0) else {
            self.report(at, ExportError::Address(cut(text)));
            return None;
        };
        let usable = match (address.ip(), trust) {
            (IpAddr::V4(ip), _) if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() => false,
            (IpAddr::V6(ip), _) if ip.is_unspecified() || ip.is_multicast() => false,
            (ip, Trust::Remote) => !ip.to_canonical().is_loopback(),
            (_, Trust::Host) => true,
        };
        if !usable {
            self.report(at, ExportError::Unusable(address.ip()));
            return None;
        }
        Some(address)
    }

    fn path(&mut self, at: &L, text: &str, rest: &str) -> Option<PathBuf> {
        let path = PathBuf::from(rest);
        if !path.is_absolute() || path.file_name().is_none() {
            self.report(at, ExportError::Path(cut(text)));
            return None;
        }
        Some(path)
    }

    fn events(&mut self, draft: &ExportDraft<L>) -> EventKinds {
        let Some(list) = &draft.events else { return EventKinds::DEFAULT };
        let mut events = EventKinds::NONE;
        if list.items.is_empty() {
            self.report(&list.at, ExportError::NoEvent);
        }
        for item in &list.items {
            match item.value.parse::<EventKind>() {
                Ok(kind) => events = events.with(kind),
                Err(error) => self.report(&item.at, error),
            }
        }
        events
    }
}

/// Whether a format can be sent somewhere; else where it can be.
fn can_go(format: &ExportFormat, target: &ExportTarget) -> Result<(), &'static str> {
    match (format, target) {
        (ExportFormat::Ipfix { .. }, ExportTarget::Unix(_)) => Err("udp://, tcp:// or file://"),
        (ExportFormat::Syslog { .. }, ExportTarget::Unix(_) | ExportTarget::File { .. }) => {
            Err("udp:// or tcp://")
        }
        (ExportFormat::Ndjson, ExportTarget::Udp(_)) => Err("tcp://, unix:// or file://"),
        (
            ExportFormat::Ipfix { .. },
            ExportTarget::Udp(_) | ExportTarget::Tcp(_) | ExportTarget::File { .. },
        )
        | (ExportFormat::Syslog { .. }, ExportTarget::Udp(_) | ExportTarget::Tcp(_))
        | (ExportFormat::Ndjson, ExportTarget::Tcp(_) | ExportTarget::Unix(_) | ExportTarget::File { .. }) => {
            Ok(())
        }
    }
}
