//! From root to the configured user.
//!
//! Responsible for: resolving `User` and `Group` once, at configuration time, and dropping to them in each child. Not responsible for: what
//! is opened before (listeners, logs, the scoreboard: as root, in the parent).
//!
//! Know first: a server that was not started as root keeps the identity that it has, as httpd does; one that was, and was told another
//! user, must not serve a single byte as root. [`Identity::assume`] checks that it has worked.

use nix::unistd::{
    Gid, Group, Uid, User, getegid, geteuid, getgid, getuid, initgroups, setgid, setgroups, setuid,
};
use std::ffi::CString;
use std::fmt;

/// Who the children are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The login name, if the user has one: its supplementary groups are taken too.
    name: Option<String>,
    uid: Uid,
    gid: Gid,
}

/// Why an identity could not be found or taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// `User` names nobody.
    BadUser(String),
    /// `Group` names nothing.
    BadGroup(String),
    /// The system refused a step.
    Refused {
        /// The call.
        call: &'static str,
        /// What the system said.
        cause: String,
    },
    /// Every call succeeded, and yet we can be root.
    StillRoot,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadUser(name) => write!(f, "bad user name {name}"),
            Self::BadGroup(name) => write!(f, "bad group name {name}"),
            Self::Refused { call, cause } => {
                write!(f, "cannot become the configured user: {call}: {cause}")
            }
            Self::StillRoot => f.write_str("still root after changing to the configured user"),
        }
    }
}

impl std::error::Error for IdentityError {}

/// Whether this process may become somebody else.
#[must_use]
pub fn are_root() -> bool {
    geteuid().is_root()
}

impl Identity {
    /// Look up `User` and `Group`: names, or `#` and a number. Without a group it is the user's own.
    ///
    /// # Errors
    /// When there is no such user or group.
    pub fn resolve(user: &str, group: Option<&str>) -> Result<Self, IdentityError> {
        let bad_user = || IdentityError::BadUser(user.to_owned());
        let entry = match user.strip_prefix('#') {
            Some(number) => {
                let uid = Uid::from_raw(number.parse().map_err(|_| bad_user())?);
                // A number without an entry is allowed: it has no supplementary groups.
                (uid, User::from_uid(uid).ok().flatten())
            }
            None => {
                let found = User::from_name(user).ok().flatten().ok_or_else(bad_user)?;
                (found.uid, Some(found))
            }
        };
        let (uid, found) = entry;
        let gid = match (group, &found) {
            (Some(group), _) => resolve_group(group)?,
            (None, Some(found)) => found.gid,
            (None, None) => return Err(IdentityError::BadGroup("of a user without entry".into())),
        };
        Ok(Self {
            name: found.map(|found| found.name),
            uid,
            gid,
        })
    }

    /// The user's number.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The group's number.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }

    /// Become this identity for good. Does nothing when not started as root.
    ///
    /// # Errors
    /// When a step is refused, or when it turns out that we can still be root. The caller must end then.
    pub fn assume(&self) -> Result<(), IdentityError> {
        if !are_root() {
            return Ok(());
        }
        setgid(self.gid).map_err(refused("setgid"))?;
        match self.name.as_deref().map(CString::new) {
            Some(Ok(name)) => initgroups(&name, self.gid).map_err(refused("initgroups"))?,
            Some(Err(_)) | None => setgroups(&[self.gid]).map_err(refused("setgroups"))?,
        }
        setuid(self.uid).map_err(refused("setuid"))?;
        self.check()
    }

    /// That the change is complete and cannot be undone.
    fn check(&self) -> Result<(), IdentityError> {
        let is_taken =
            [getuid(), geteuid()] == [self.uid; 2] && [getgid(), getegid()] == [self.gid; 2];
        if !is_taken {
            return Err(IdentityError::StillRoot);
        }
        let can_return = !self.uid.is_root() && setuid(Uid::from_raw(0)).is_ok();
        if can_return {
            return Err(IdentityError::StillRoot);
        }
        Ok(())
    }
}

fn resolve_group(group: &str) -> Result<Gid, IdentityError> {
    let bad = || IdentityError::BadGroup(group.to_owned());
    match group.strip_prefix('#') {
        Some(number) => Ok(Gid::from_raw(number.parse().map_err(|_| bad())?)),
        None => Ok(Group::from_name(group).ok().flatten().ok_or_else(bad)?.gid),
    }
}

fn refused(call: &'static str) -> impl Fn(nix::Error) -> IdentityError {
    move |error| IdentityError::Refused {
        call,
        cause: error.desc().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_resolve() {
        let root = Identity::resolve("root", None).expect("every system has root");
        assert_eq!((root.uid(), root.gid()), (0, 0));
        let numbered = Identity::resolve("#0", Some("#7")).expect("numbers always resolve");
        assert_eq!((numbered.uid(), numbered.gid()), (0, 7));
        let unlisted = Identity::resolve("#4000000001", Some("#4000000002")).expect("no entry");
        assert_eq!(unlisted.name, None);
    }

    #[test]
    fn nobody_is_named_in_httpds_words() {
        let table = [
            (
                Identity::resolve("no-such-user", None),
                "bad user name no-such-user",
            ),
            (Identity::resolve("#x", None), "bad user name #x"),
            (
                Identity::resolve("root", Some("no-such-group")),
                "bad group name no-such-group",
            ),
        ];
        for (result, message) in table {
            assert_eq!(result.expect_err(message).to_string(), message);
        }
    }
}
