//! Who is who: the hosts of the picture.

/// A backend of the demo.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The host's name in the picture, and the answer's first word.
    pub(super) name: &'static str,
    /// The `BalancerMember` parameters; `None` for one that stands alone.
    pub(super) parameters: Option<&'static str>,
    /// What it is for.
    pub(super) role: Role,
}

/// What a backend is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A member of balancer://foo, which serves /apps/.
    Apps,
    /// A member of balancer://javaapps, which serves /serv/.
    Serv,
    /// The one that serves /images/.
    Images,
    /// The page to start from.
    Start,
}

const fn part(role: Role, name: &'static str, parameters: Option<&'static str>) -> Part {
    Part {
        name,
        parameters,
        role,
    }
}

/// All of them, in the order of the configuration.
pub(super) static CAST: [Part; 7] = [
    part(Role::Apps, "php1", Some("loadfactor=1")),
    part(Role::Apps, "php2", Some("loadfactor=4")),
    part(Role::Apps, "phpbkup", Some("loadfactor=4 status=+h")),
    part(Role::Serv, "tc1", Some("loadfactor=1")),
    part(Role::Serv, "tc2", Some("loadfactor=4")),
    part(Role::Images, "images", None),
    part(Role::Start, "start", None),
];

impl Role {
    /// Where the server maps it, with a slash at both ends.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Apps => "/apps/",
            Self::Serv => "/serv/",
            Self::Images => "/images/",
            Self::Start => "/",
        }
    }
}
