//! The rules of objects, versions, references and permissions, as plainly as they can be said.

use std::collections::{BTreeMap, BTreeSet};

use super::{NO_NAME, Op};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Service,
    Policy,
    Sub,
    Basic,
    Standard,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Service, Self::Policy, Self::Sub, Self::Basic, Self::Standard];

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Policy => "alg-policies",
            Self::Sub => "sub-profiles",
            Self::Basic | Self::Standard => "master-profiles",
        }
    }

    pub(super) fn letter(self) -> char {
        match self {
            Self::Service => 's',
            Self::Policy => 'p',
            Self::Sub => 'u',
            Self::Basic => 'b',
            Self::Standard => 't',
        }
    }

    /// What it refers to.
    fn target(self) -> Option<Self> {
        match self {
            Self::Service => None,
            Self::Policy => Some(Self::Service),
            Self::Sub | Self::Basic => Some(Self::Policy),
            Self::Standard => Some(Self::Sub),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Admin,
    Operator,
    Root,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Admin, Self::Operator, Self::Root];

    pub(super) fn user(self) -> &'static str {
        match self {
            Self::Admin => "acme-admin",
            Self::Operator => "acme-operator",
            Self::Root => "root",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Admin => "enterprise_administrator",
            Self::Operator => "enterprise_operator",
            Self::Root => "service_provider_administrator",
        }
    }

    fn default(self) -> Perm {
        if self == Self::Operator { Perm::Read } else { Perm::Edit }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Perm {
    Edit,
    Read,
    Hide,
}

impl Perm {
    pub(super) const ALL: [Self; 3] = [Self::Edit, Self::Read, Self::Hide];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Read => "read",
            Self::Hide => "hide",
        }
    }
}

/// What a change says of the version that it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Any,
    Current,
    Stale,
    Missing,
}

/// An object, which keeps its number whatever it is called.
pub(super) type Uid = usize;
type Grants = BTreeMap<Role, Perm>;

#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) name: usize,
    pub(super) text: u8,
    pub(super) refs: BTreeSet<Uid>,
    pub(super) version: usize,
    grants: Grants,
    /// Every version: name, text, references, port.
    history: Vec<(usize, u8, BTreeSet<Uid>, usize)>,
    /// Only of a service: the name that its port was made from.
    port: usize,
}

impl Object {
    pub(super) fn permission(&self, role: Role) -> Perm {
        self.grants.get(&role).copied().unwrap_or_else(|| role.default())
    }
}

#[derive(Debug, Default)]
pub(super) struct Model {
    objects: BTreeMap<Uid, Object>,
    next: Uid,
}

/// A status that ends an operation early.
type Early<T> = Result<T, u16>;

impl Model {
    pub(super) fn objects(&self) -> impl Iterator<Item = (Uid, &Object)> {
        self.objects.iter().map(|(uid, object)| (*uid, object))
    }

    pub(super) fn object(&self, uid: Uid) -> &Object {
        &self.objects[&uid]
    }

    pub(super) fn find(&self, kind: Kind, name: usize) -> Option<&Object> {
        self.objects.values().find(|object| object.kind == kind && object.name == name)
    }

    /// How many objects that a role sees refer to one.
    pub(super) fn users_of(&self, uid: Uid, role: Role) -> usize {
        let users = self.objects.values().filter(|object| object.refs.contains(&uid));
        users.filter(|object| object.permission(role) != Perm::Hide).count()
    }

    /// Does it, if it can be done, and says how it is answered.
    pub(super) fn perform(&mut self, role: Role, op: &Op) -> u16 {
        let outcome = match op {
            Op::Create { kind, name, refs } => self.create(role, *kind, *name, refs),
            Op::Replace { kind, name, to, refs, text, tag } => {
                self.replace(role, (*kind, *name), *to, refs, *text, *tag)
            }
            Op::Describe { kind, name, text, tag } => self.editable(role, *kind, *name, *tag).map(|uid| {
                let object = self.objects[&uid].clone();
                self.save(uid, Object { text: *text, ..object });
                200
            }),
            Op::Delete { kind, name, tag } => self.delete(role, *kind, *name, *tag),
            Op::Permit { kind, name, role: whose, perm } => {
                self.editable(role, *kind, *name, Tag::Any).map(|uid| self.permit(uid, *whose, *perm))
            }
            Op::Attach { policy, kind, name } => self.attach(role, *policy, *kind, *name),
            Op::Restore { kind, name, version } => self.restore(role, *kind, *name, *version),
        };
        outcome.unwrap_or_else(|status| status)
    }

    fn sees(&self, role: Role, kind: Kind, name: usize) -> Option<Uid> {
        let found = self.objects.iter().find(|(_, object)| object.kind == kind && object.name == name);
        found.filter(|(_, object)| object.permission(role) != Perm::Hide).map(|(uid, _)| *uid)
    }

    fn editable(&self, role: Role, kind: Kind, name: usize, tag: Tag) -> Early<Uid> {
        let uid = self.sees(role, kind, name).ok_or(404_u16)?;
        if self.objects[&uid].permission(role) != Perm::Edit {
            return Err(403);
        }
        match tag {
            Tag::Any | Tag::Current => Ok(uid),
            Tag::Missing => Err(428),
            Tag::Stale => Err(412),
        }
    }

    fn targets(&self, role: Role, kind: Kind, refs: &[usize]) -> Early<BTreeSet<Uid>> {
        let Some(target) = kind.target() else { return Ok(BTreeSet::new()) };
        let wanted = if kind == Kind::Policy { refs } else { &refs[..refs.len().min(1)] };
        wanted.iter().map(|name| self.sees(role, target, *name).ok_or(422_u16)).collect()
    }

    fn taken(&self, kind: Kind, name: usize, by_other_than: Option<Uid>) -> bool {
        self.objects
            .iter()
            .any(|(uid, object)| object.kind == kind && object.name == name && Some(*uid) != by_other_than)
    }

    fn create(&mut self, role: Role, kind: Kind, name: usize, refs: &[usize]) -> Early<u16> {
        if role.default() != Perm::Edit {
            return Err(403);
        }
        let refs = self.targets(role, kind, refs)?;
        if name == NO_NAME {
            return Err(422);
        }
        if self.taken(kind, name, None) {
            return Err(409);
        }
        let history = vec![(name, 0, refs.clone(), name)];
        let object =
            Object { kind, name, text: 0, refs, version: 1, grants: Grants::new(), history, port: name };
        self.objects.insert(self.next, object);
        self.next += 1;
        Ok(201)
    }

    fn replace(
        &mut self,
        role: Role,
        (kind, name): (Kind, usize),
        to: usize,
        refs: &[usize],
        text: u8,
        tag: Tag,
    ) -> Early<u16> {
        let uid = self.editable(role, kind, name, tag)?;
        let refs = self.targets(role, kind, refs)?;
        if to == NO_NAME {
            return Err(422);
        }
        let refs = self.keep_hidden(role, uid, refs);
        if self.taken(kind, to, Some(uid)) {
            return Err(409);
        }
        let object = self.objects[&uid].clone();
        self.save(uid, Object { name: to, text, refs, port: to, ..object });
        Ok(200)
    }

    /// References that a role does not see stay; in a place for one, only where it names nothing else.
    fn keep_hidden(&self, role: Role, uid: Uid, mut refs: BTreeSet<Uid>) -> BTreeSet<Uid> {
        let object = &self.objects[&uid];
        let hidden: Vec<Uid> = object.refs.iter().copied().filter(|uid| self.hidden(role, *uid)).collect();
        if object.kind == Kind::Policy || refs.is_empty() {
            refs.extend(hidden);
        }
        refs
    }

    fn hidden(&self, role: Role, uid: Uid) -> bool {
        self.objects.get(&uid).is_none_or(|object| object.permission(role) == Perm::Hide)
    }

    fn save(&mut self, uid: Uid, object: Object) {
        let saved = &self.objects[&uid];
        let said = |object: &Object| (object.name, object.text, object.refs.clone(), object.port);
        // The port of a service is made from its name; nothing else has one.
        let same = match object.kind {
            Kind::Service => said(saved) == said(&object),
            Kind::Policy | Kind::Sub | Kind::Basic | Kind::Standard => {
                (saved.name, saved.text, &saved.refs) == (object.name, object.text, &object.refs)
            }
        };
        if same && saved.grants == object.grants {
            return;
        }
        let mut object = Object { version: saved.version + 1, ..object };
        object.history.push(said(&object));
        self.objects.insert(uid, object);
    }

    fn delete(&mut self, role: Role, kind: Kind, name: usize, tag: Tag) -> Early<u16> {
        let uid = self.editable(role, kind, name, tag)?;
        if self.objects.values().any(|object| object.refs.contains(&uid)) {
            return Err(409);
        }
        self.objects.remove(&uid);
        Ok(204)
    }

    fn permit(&mut self, uid: Uid, role: Role, perm: Option<Perm>) -> u16 {
        let object = self.objects[&uid].clone();
        let mut grants = object.grants.clone();
        match perm {
            Some(perm) => grants.insert(role, perm),
            None => grants.remove(&role),
        };
        let named = grants.values().any(|perm| *perm == Perm::Edit);
        let administrators = [Role::Admin, Role::Root];
        if !named && administrators.iter().any(|role| grants.contains_key(role)) {
            let heirs: Vec<Role> =
                administrators.into_iter().filter(|role| !grants.contains_key(role)).collect();
            if heirs.is_empty() {
                return 422;
            }
            grants.extend(heirs.into_iter().map(|role| (role, Perm::Edit)));
        }
        self.save(uid, Object { grants, ..object });
        200
    }

    fn attach(&mut self, role: Role, policy: usize, kind: Kind, name: usize) -> Early<u16> {
        let policy = self.sees(role, Kind::Policy, policy).ok_or(404_u16)?;
        let uid = self.sees(role, kind, name).ok_or(422_u16)?;
        if kind == Kind::Standard {
            return Err(422);
        }
        let uid = self.editable(role, kind, self.objects[&uid].name, Tag::Any)?;
        let object = self.objects[&uid].clone();
        self.save(uid, Object { refs: BTreeSet::from([policy]), ..object });
        Ok(200)
    }

    fn restore(&mut self, role: Role, kind: Kind, name: usize, version: usize) -> Early<u16> {
        let uid = self.sees(role, kind, name).ok_or(404_u16)?;
        let (name, text, refs, port) = self.objects[&uid].history.get(version - 1).cloned().ok_or(404_u16)?;
        let uid = self.editable(role, kind, self.objects[&uid].name, Tag::Any)?;
        if refs.iter().any(|uid| !self.objects.contains_key(uid)) {
            return Err(422);
        }
        let seen: BTreeSet<Uid> = refs.into_iter().filter(|uid| !self.hidden(role, *uid)).collect();
        let refs = self.keep_hidden(role, uid, seen);
        if self.taken(kind, name, Some(uid)) {
            return Err(409);
        }
        let object = self.objects[&uid].clone();
        self.save(uid, Object { name, text, refs, port, ..object });
        Ok(200)
    }
}
