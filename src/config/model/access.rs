//! Who may use a location: mod_authz_core, mod_authz_host and mod_access_compat.
//!
//! Responsible for: the rules as data, and [`Net::contains`]. Judging a request is `request/access.rs`.
//!
//! Know first: mod_access_compat has no merge; a section with any `Order`, `Allow`, `Deny` or `Satisfy` replaces the whole of the base's.

use crate::config::setting::{Merge, Setting, over};
use std::fmt;
use std::net::IpAddr;

/// The access rules of a section.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Access {
    /// `Order`, `Allow`, `Deny`, `Satisfy`; `None` when the section has none of them.
    pub compat: Option<CompatAccess>,
    /// The `Require` tree; `None` when the section has none.
    pub require: Option<Require>,
    /// `AuthMerging`, default off.
    pub merging: Setting<AuthMerging>,
}

impl Merge for Access {
    fn merge(base: &Self, section: &Self) -> Self {
        let require = match (&base.require, &section.require) {
            (Some(outer), Some(inner)) => Some(match section.merging.or(AuthMerging::Off) {
                AuthMerging::Off => inner.clone(),
                AuthMerging::And => Require::AllOf(vec![outer.clone(), inner.clone()]),
                AuthMerging::Or => Require::AnyOf(vec![outer.clone(), inner.clone()]),
            }),
            (outer, inner) => inner.clone().or_else(|| outer.clone()),
        };
        Self {
            compat: section.compat.clone().or_else(|| base.compat.clone()),
            require,
            merging: over(&base.merging, &section.merging),
        }
    }
}

/// The rules of 2.2, kept by mod_access_compat.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CompatAccess {
    /// Which list speaks first, and what holds when neither speaks. Default `Deny,Allow`.
    pub order: Setting<Order>,
    /// `Allow from`.
    pub allow: Vec<Who>,
    /// `Deny from`.
    pub deny: Vec<Who>,
    /// `Satisfy`, default All.
    pub satisfy: Setting<Satisfy>,
}

/// `Order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Allowed unless denied and not allowed.
    DenyAllow,
    /// Denied unless allowed and not denied.
    AllowDeny,
    /// Allowed only when allowed and not denied.
    MutualFailure,
}

/// `Satisfy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Satisfy {
    /// Both the address rules and the Require rules must pass.
    All,
    /// One of them is enough.
    Any,
}

/// `AuthMerging`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMerging {
    /// A section's Require rules replace the base's.
    Off,
    /// Both must pass.
    And,
    /// One of them is enough.
    Or,
}

/// One word after `Allow from` or `Deny from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// `all`.
    All,
    /// `env=[!]NAME`.
    Env {
        /// The variable.
        name: String,
        /// True for `env=!NAME`.
        negated: bool,
    },
    /// An address, a partial address or a network.
    Net(Net),
    /// A host name or a domain suffix, in lower case.
    Host(String),
}

/// A `Require` line or container.
#[derive(Debug, Clone, PartialEq)]
pub enum Require {
    /// `<RequireAll>`.
    AllOf(Vec<Self>),
    /// `<RequireAny>`, and several plain lines side by side.
    AnyOf(Vec<Self>),
    /// `<RequireNone>`.
    NoneOf(Vec<Self>),
    /// `Require not …`.
    Not(Box<Self>),
    /// `Require all granted` (true) or `denied` (false).
    All(bool),
    /// `Require ip`.
    Ip(Vec<Net>),
    /// `Require local`: a loopback client, or one with the server's own address.
    Local,
    /// `Require host`: names or domain suffixes in lower case.
    Host(Vec<String>),
    /// `Require forward-dns`.
    ForwardDns(Vec<String>),
    /// `Require env`: one of these variables is set.
    Env(Vec<String>),
    /// `Require method`: one of these methods.
    Method(Vec<String>),
    /// `<Limit>` and `<LimitExcept>`: a rule for requests with these methods, or with all but these; for others it is not there.
    Limited {
        /// The methods.
        methods: Vec<String>,
        /// They are the exceptions.
        except: bool,
        /// What holds for the rest.
        rule: Box<Self>,
    },
}

/// Addresses that agree with `base` wherever `mask` has ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Net {
    base: IpAddr,
    mask: IpAddr,
}

impl Net {
    /// The network of `base` under `mask`; `None` when the families differ.
    pub fn new(base: IpAddr, mask: IpAddr) -> Option<Self> {
        (base.is_ipv4() == mask.is_ipv4()).then(|| Self {
            base: and(base, mask),
            mask,
        })
    }

    /// The network with the first `prefix_bits` of `base` fixed; `None` when the address has fewer bits.
    pub fn with_prefix(base: IpAddr, prefix_bits: u32) -> Option<Self> {
        let mask: IpAddr = match base {
            IpAddr::V4(_) if prefix_bits <= 32 => {
                IpAddr::V4(u32::MAX.checked_shl(32 - prefix_bits).unwrap_or(0).into())
            }
            IpAddr::V6(_) if prefix_bits <= 128 => {
                IpAddr::V6(u128::MAX.checked_shl(128 - prefix_bits).unwrap_or(0).into())
            }
            IpAddr::V4(_) | IpAddr::V6(_) => return None,
        };
        Self::new(base, mask)
    }

    /// True when the address belongs here. A mapped IPv4 address is the IPv4 address that it maps.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = match (self.base, address) {
            (IpAddr::V4(_), IpAddr::V6(v6)) => v6.to_canonical(),
            (IpAddr::V4(_) | IpAddr::V6(_), address) => address,
        };
        address.is_ipv4() == self.base.is_ipv4() && and(address, self.mask) == self.base
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.mask)
    }
}

/// Bitwise and of two addresses of one family; the first one when the families differ.
fn and(address: IpAddr, mask: IpAddr) -> IpAddr {
    match (address, mask) {
        (IpAddr::V4(a), IpAddr::V4(m)) => IpAddr::V4((a.to_bits() & m.to_bits()).into()),
        (IpAddr::V6(a), IpAddr::V6(m)) => IpAddr::V6((a.to_bits() & m.to_bits()).into()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_contain_their_addresses() {
        let rows = [
            ("10.0.0.0", 8, "10.200.3.4", true),
            ("10.0.0.0", 8, "11.0.0.1", false),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("0.0.0.0", 0, "203.0.113.9", true),
            ("10.0.0.0", 8, "::ffff:10.1.1.1", true),
            ("2001:db8::", 32, "2001:db8:1::1", true),
            ("2001:db8::", 32, "2001:db9::1", false),
            ("2001:db8::", 32, "10.0.0.1", false),
        ];
        for (base, bits, address, inside) in rows {
            let net = Net::with_prefix(ip(base), bits).unwrap();
            assert_eq!(
                net.contains(ip(address)),
                inside,
                "{address} in {base}/{bits}"
            );
        }
        assert_eq!(Net::with_prefix(ip("10.0.0.0"), 33), None);
    }

    #[test]
    fn a_section_with_one_compat_directive_replaces_all_of_the_base() {
        let base = Access {
            compat: Some(CompatAccess {
                deny: vec![Who::All],
                ..CompatAccess::default()
            }),
            ..Access::default()
        };
        let section = Access {
            compat: Some(CompatAccess {
                allow: vec![Who::All],
                ..CompatAccess::default()
            }),
            ..Access::default()
        };
        let merged = Access::merge(&base, &section);
        assert_eq!(merged.compat.map(|compat| compat.deny), Some(vec![]));
    }
}
