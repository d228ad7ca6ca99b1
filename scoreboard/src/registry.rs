//! Balancers and members by identity.
//!
//! A record belongs to a name, not to a place in the configuration: a balancer is its name and virtual host, a member its
//! balancer and URL. Registering the same identity again finds the same record with its state, counters and edits, so a
//! graceful restart, a new binary or a crash of the parent forgets nothing. What the configuration says about a record is
//! applied only when it says something new: an operator's edit stays until its line in the configuration changes.
//!
//! Only the parent registers, before it forks; at run time whoever holds the edit lock may add a member.

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::board::{Board, BoardError};
use crate::layout::{FNV_START, fnv};
use crate::reader::{OpenError, Reader};
use crate::score::{BalancerFlags, BalancerScore, MemberScore, ProcessState, StatusBits, in_use};
use crate::shared::Shared;

/// In place of a balancer's index, for a member that belongs to none.
pub const PLAIN: u32 = u32::MAX;

/// Whether a record was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A free record was taken and set up.
    New,
    /// The identity was known; its state was kept.
    Kept,
}

/// What the configuration says of a balancer.
#[derive(Clone, Debug, Default)]
pub struct BalancerInit<'a> {
    /// Name of the balancing method.
    pub lbmethod: &'a str,
    /// Names of the sticky cookie and path parameter, `cookie|parameter`.
    pub sticky: &'a str,
    /// Separator between session and route; `None` for the default.
    pub sticky_separator: Option<char>,
    /// Longest wait for a free member, ms.
    pub timeout_ms: u64,
    /// Members tried at most for one request.
    pub max_attempts: u32,
    /// Switches.
    pub flags: BalancerFlags,
    /// Members that may be added at run time.
    pub growth: u32,
}

/// What the configuration says of a member.
#[derive(Clone, Debug)]
pub struct MemberInit<'a> {
    /// State it starts in; `INIT` is added.
    pub status: StatusBits,
    /// Set of the balancer it belongs to.
    pub lbset: u32,
    /// Its share of the load, in hundredths.
    pub lbfactor: u32,
    /// `lbstatus` it starts with.
    pub lbstatus: i64,
    /// How long it stays in error, ms.
    pub retry_ms: u64,
    /// Route that sticky sessions name.
    pub route: &'a str,
    /// Route to use instead when it is unusable.
    pub redirect: &'a str,
    /// Its place among its balancer's members.
    pub order: u32,
}

impl Default for MemberInit<'_> {
    fn default() -> Self {
        Self {
            status: StatusBits::empty(),
            lbset: 0,
            lbfactor: 100,
            lbstatus: 0,
            retry_ms: 60_000,
            route: "",
            redirect: "",
            order: 0,
        }
    }
}

impl Board {
    /// Find or make the record of the balancer `name` (`balancer://…`) of a virtual host.
    ///
    /// # Errors
    ///
    /// All balancer records are taken.
    pub fn register_balancer(&self, name: &str, vhost: &str) -> Result<u32, BoardError> {
        let identity = balancer_identity(name, vhost);
        let known = position(self.balancers(), |balancer| {
            balancer.in_use.load(Ordering::Acquire) != in_use::FREE
                && balancer.identity.load(Ordering::Relaxed) == identity
                && balancer.name.is(name.as_bytes())
        });
        let index = match known {
            Some(index) => index,
            None => self.new_balancer(identity, name, vhost)?,
        };
        let balancer = self.balancer(index);
        balancer.in_use.store(in_use::USED, Ordering::Release);
        Ok(index)
    }

    fn new_balancer(&self, identity: u64, name: &str, vhost: &str) -> Result<u32, BoardError> {
        let index = self
            .free_record(self.balancers())
            .ok_or_else(|| BoardError::Full {
                what: "balancers",
                capacity: self.capacity().balancers,
            })?;
        zero(self.balancer_words(index));
        let balancer = self.balancer(index);
        balancer.identity.store(identity, Ordering::Relaxed);
        balancer.name.set(name.as_bytes());
        balancer.vhost.set(vhost.as_bytes());
        Ok(index)
    }

    /// Apply what the configuration says of a balancer, unless it says what it said last time: then an operator's edits
    /// stay. Returns whether it was applied.
    ///
    /// # Panics
    ///
    /// There is no such balancer.
    pub fn configure_balancer(&self, balancer: u32, init: &BalancerInit<'_>) -> bool {
        let score = self.balancer(balancer);
        let print = fingerprint(&format!("{init:?}"));
        if score.configured.swap(print, Ordering::Relaxed) == print {
            return false;
        }
        score.lbmethod.set(init.lbmethod.as_bytes());
        score.sticky.set(init.sticky.as_bytes());
        let separator = init.sticky_separator.map_or(0, u32::from);
        score.sticky_separator.store(separator, Ordering::Relaxed);
        score.timeout_ms.store(init.timeout_ms, Ordering::Relaxed);
        score
            .max_attempts
            .store(init.max_attempts, Ordering::Relaxed);
        score.flags.store(init.flags.word(), Ordering::Relaxed);
        score.growth.store(init.growth, Ordering::Relaxed);
        score.mark_changed();
        true
    }

    /// Find or make the record of the member `url` of a balancer, or of none ([`PLAIN`]).
    ///
    /// # Errors
    ///
    /// All member records are taken.
    ///
    /// # Panics
    ///
    /// There is no such balancer.
    pub fn register_member(
        &self,
        balancer: u32,
        url: &str,
        initial: &MemberInit<'_>,
    ) -> Result<(u32, Found), BoardError> {
        let owner = (balancer != PLAIN).then(|| self.balancer(balancer));
        let owner_identity = owner.map_or(0, |owner| owner.identity.load(Ordering::Relaxed));
        let identity = member_identity(owner_identity, url);
        let known = position(self.members(), |member| {
            member.in_use.load(Ordering::Acquire) != in_use::FREE
                && member.identity.load(Ordering::Relaxed) == identity
                && member.url.is(url.as_bytes())
        });
        let print = fingerprint(&format!("{initial:?}"));
        let (index, found) = match known {
            Some(index) => {
                self.member(index).configure(initial, print);
                (index, Found::Kept)
            }
            None => (self.new_member(identity, url, initial, print)?, Found::New),
        };
        let member = self.member(index);
        member
            .balancer
            .store(balancer.wrapping_add(1), Ordering::Relaxed);
        let owner_name = owner.map_or_else(Vec::new, |owner| owner.name.bytes());
        member.balancer_name.set(&owner_name);
        member.clear_status(StatusBits::FREE);
        member.in_use.store(in_use::USED, Ordering::Release);
        Ok((index, found))
    }

    fn new_member(
        &self,
        identity: u64,
        url: &str,
        initial: &MemberInit<'_>,
        print: u64,
    ) -> Result<u32, BoardError> {
        let index = self
            .free_record(self.members())
            .ok_or_else(|| BoardError::Full {
                what: "members",
                capacity: self.capacity().members,
            })?;
        zero(self.member_words(index));
        let member = self.member(index);
        member.identity.store(identity, Ordering::Relaxed);
        member.url.set(url.as_bytes());
        member.lbstatus.store(initial.lbstatus, Ordering::Relaxed);
        member.configure(initial, print);
        Ok(index)
    }

    /// Retire every balancer and member that the configuration just read did not register. Returns how many were.
    ///
    /// Their records are kept for children of this and older generations, and for a configuration that names them again;
    /// they are taken for others only when no such child is left. Best called before the next generation begins.
    pub fn sweep_unregistered(&self, keep_balancers: &[u32], keep_members: &[u32]) -> u32 {
        let generation = self.global().generation.load(Ordering::Relaxed);
        let mut swept = 0;
        for (index, balancer) in (0..).zip(self.balancers()) {
            if balancer.is_used() && !keep_balancers.contains(&index) {
                balancer
                    .retired_generation
                    .store(generation, Ordering::Relaxed);
                balancer.in_use.store(in_use::RETIRED, Ordering::Release);
                swept += 1;
            }
        }
        for (index, member) in (0..).zip(self.members()) {
            if member.is_used() && !keep_members.contains(&index) {
                member
                    .retired_generation
                    .store(generation, Ordering::Relaxed);
                member.set_status(StatusBits::FREE);
                member.in_use.store(in_use::RETIRED, Ordering::Release);
                swept += 1;
            }
        }
        swept
    }

    /// The members of a balancer, in the order of the configuration.
    #[must_use]
    pub fn members_of(&self, balancer: u32) -> Vec<u32> {
        let mut found: Vec<(u32, u32)> = (0..)
            .zip(self.members())
            .filter(|(_, member)| member.is_used() && member.balancer() == Some(balancer))
            .map(|(index, member)| (member.order.load(Ordering::Relaxed), index))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, index)| index).collect()
    }

    /// Take over balancers and members from an earlier board, before anything is registered here: after a crash of the
    /// parent or a change of binary. Counts, states and edits come along; what was leased does not. Returns how many
    /// records came.
    ///
    /// # Errors
    ///
    /// The earlier board cannot be read any more.
    pub fn inherit(&self, earlier: &Reader) -> Result<u32, OpenError> {
        let earlier = earlier.copy()?;
        let mut moved = Vec::new();
        let mut came = 0;
        for (index, old) in (0..).zip(earlier.balancers()) {
            let Some(to) = self.free_record(self.balancers()).filter(|_| old.is_used()) else {
                continue;
            };
            copy(earlier.balancer_words(index), self.balancer_words(to));
            retire(
                &self.balancer(to).in_use,
                &self.balancer(to).retired_generation,
            );
            moved.push((index, to));
            came += 1;
        }
        for (index, old) in (0..).zip(earlier.members()) {
            let owner = old.balancer();
            let new_owner = moved.iter().find(|(from, _)| Some(*from) == owner);
            let is_wanted = old.is_used() && (owner.is_none() || new_owner.is_some());
            let Some(to) = self.free_record(self.members()).filter(|_| is_wanted) else {
                continue;
            };
            copy(earlier.member_words(index), self.member_words(to));
            let member = self.member(to);
            let owner = new_owner.map_or(0, |(_, to)| to + 1);
            member.balancer.store(owner, Ordering::Relaxed);
            member.reason.mend();
            retire(&member.in_use, &member.retired_generation);
            came += 1;
        }
        Ok(came)
    }

    /// The lowest record never used, else the one longest retired that no living child can know.
    fn free_record<T: Registered>(&self, records: &[T]) -> Option<u32> {
        let fresh = position(records, |record| {
            record.in_use().load(Ordering::Acquire) == in_use::FREE
        });
        let oldest = || {
            (0..)
                .zip(records)
                .filter(|(_, record)| record.in_use().load(Ordering::Acquire) == in_use::RETIRED)
                .map(|(index, record)| (record.retired_generation(), index))
                .min()
                .filter(|(generation, _)| !self.has_child_of(*generation))
                .map(|(_, index)| index)
        };
        fresh.or_else(oldest)
    }

    /// Whether a child of this generation or an older one still runs.
    fn has_child_of(&self, generation: u32) -> bool {
        self.processes().iter().any(|process| {
            process.state() != Some(ProcessState::Free)
                && process.generation.load(Ordering::Relaxed) <= generation
        })
    }
}

impl MemberScore {
    /// Apply the configuration if it says something new. Trouble that the server found out by itself stays.
    fn configure(&self, init: &MemberInit<'_>, print: u64) {
        if self.configured.swap(print, Ordering::Relaxed) == print {
            return;
        }
        self.lbset.store(init.lbset, Ordering::Relaxed);
        self.lbfactor.store(init.lbfactor, Ordering::Relaxed);
        self.retry_ms.store(init.retry_ms, Ordering::Relaxed);
        self.order.store(init.order, Ordering::Relaxed);
        self.route.set(init.route.as_bytes());
        self.redirect.set(init.redirect.as_bytes());
        let found = StatusBits::IN_ERROR.with(StatusBits::HC_FAIL);
        let kept = StatusBits::from_word(self.status().word() & found.word());
        let status = init.status.with(StatusBits::INIT).with(kept);
        self.status.store(status.word(), Ordering::Relaxed);
    }
}

/// What balancers and members have in common.
trait Registered: Shared {
    fn in_use(&self) -> &AtomicU32;
    fn retired_generation(&self) -> u32;
}

impl Registered for BalancerScore {
    fn in_use(&self) -> &AtomicU32 {
        &self.in_use
    }
    fn retired_generation(&self) -> u32 {
        self.retired_generation.load(Ordering::Relaxed)
    }
}

impl Registered for MemberScore {
    fn in_use(&self) -> &AtomicU32 {
        &self.in_use
    }
    fn retired_generation(&self) -> u32 {
        self.retired_generation.load(Ordering::Relaxed)
    }
}

fn retire(in_use: &AtomicU32, generation: &AtomicU32) {
    generation.store(0, Ordering::Relaxed);
    in_use.store(in_use::RETIRED, Ordering::Release);
}

fn position<T>(records: &[T], is_it: impl FnMut(&T) -> bool) -> Option<u32> {
    let index = records.iter().position(is_it)?;
    Some(u32::try_from(index).expect("the capacity is a u32"))
}

fn zero(words: &[AtomicU64]) {
    for word in words {
        word.store(0, Ordering::Relaxed);
    }
}

fn copy(from: &[AtomicU64], to: &[AtomicU64]) {
    for (to, from) in to.iter().zip(from) {
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

fn balancer_identity(name: &str, vhost: &str) -> u64 {
    fnv(fnv(fnv(FNV_START, name.as_bytes()), &[0]), vhost.as_bytes())
}

fn member_identity(balancer: u64, url: &str) -> u64 {
    fnv(fnv(FNV_START, &balancer.to_le_bytes()), url.as_bytes())
}

/// Never 0, which is what a record holds that was not configured yet.
fn fingerprint(text: &str) -> u64 {
    fnv(FNV_START, text.as_bytes()).max(1)
}
