//! Balancers with their members, as a snapshot has them, in the order of the configuration.
//!
//! Responsible for: which balancers a server shows, grouping, and what several views say of a member the same way. Not responsible for:
//! markup.
//!
//! Know first: mod_proxy shows the balancers of the server that serves the page and no others. The scoreboard knows a balancer by its name
//! and its virtual host's identity; how that identity is written is decided where balancers are registered, so it is asked for here.

use scoreboard::{BalancerFlags, BalancerView, MemberView, Snapshot, StatusBits};

use super::page::Tone;
use super::units;
use crate::config::model;
use crate::request::{Env, Site};

/// A balancer with its members.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The balancer.
    pub balancer: &'a BalancerView,
    /// Its members in the order of the configuration; those added at run time last.
    pub members: Vec<&'a MemberView>,
    /// What the configuration says of it, where that is at hand.
    pub config: Option<&'a model::Balancer>,
}

/// All balancers of a snapshot.
#[must_use]
pub fn all(snapshot: &Snapshot) -> Vec<Group<'_>> {
    snapshot
        .balancers
        .iter()
        .map(|balancer| group(snapshot, balancer, None))
        .collect()
}

/// The balancers of one server. `identity` writes a server's identity as it was written when its balancers were registered; a balancer
/// that a virtual host inherits is the main server's.
pub fn of_site<'a>(
    env: &'a Env,
    site: &'a Site,
    snapshot: &'a Snapshot,
    identity: fn(&Site) -> String,
) -> Vec<Group<'a>> {
    let (own, main) = (identity(site), identity(env.main()));
    let find = |config: &'a model::Balancer| {
        let name = config.url();
        let owner = if config.inherited { &main } else { &own };
        let mut namesakes = snapshot
            .balancers
            .iter()
            .filter(|one| is_cut_of(&one.name, &name, NAME_BYTES));
        let found = namesakes
            .clone()
            .find(|one| is_cut_of(&one.vhost, owner, VHOST_BYTES));
        found
            .or_else(|| namesakes.next())
            .map(|one| group(snapshot, one, Some(config)))
    };
    site.server
        .proxy
        .balancers
        .iter()
        .filter_map(find)
        .collect()
}

/// The members of no balancer.
#[must_use]
pub fn plain(snapshot: &Snapshot) -> Vec<&MemberView> {
    sorted(
        snapshot
            .members
            .iter()
            .filter(|member| member.balancer.is_none())
            .collect(),
    )
}

fn group<'a>(
    snapshot: &'a Snapshot,
    balancer: &'a BalancerView,
    config: Option<&'a model::Balancer>,
) -> Group<'a> {
    let is_ours = |member: &&MemberView| member.balancer == Some(balancer.index);
    let members = sorted(snapshot.members.iter().filter(is_ours).collect());
    Group {
        balancer,
        members,
        config,
    }
}

fn sorted(mut members: Vec<&MemberView>) -> Vec<&MemberView> {
    members.sort_by_key(|member| (member.order, member.index));
    members
}

/// Whether a text of the scoreboard is what a record of `room` bytes could hold of `whole`.
fn is_cut_of(text: &str, whole: &str, room: usize) -> bool {
    text == whole || (text.len() >= room && whole.starts_with(text))
}

/// What the records hold of a balancer's name, a virtual host's identity and a member's URL.
const NAME_BYTES: usize = 96;
const VHOST_BYTES: usize = 64;
const URL_BYTES: usize = 256;

impl Group<'_> {
    /// The name as people know it, without `balancer://`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        let name = &self.balancer.name;
        name.strip_prefix("balancer://").unwrap_or(name)
    }

    /// The names of the sticky cookie and URL parameter, if sessions stick.
    #[must_use]
    pub fn sticky(&self) -> Option<(&str, &str)> {
        let sticky = self.balancer.sticky.as_str();
        if sticky.is_empty() {
            return None;
        }
        Some(sticky.split_once('|').unwrap_or((sticky, sticky)))
    }

    /// Whether a request whose route has no usable member fails.
    #[must_use]
    pub fn is_failover_off(&self) -> bool {
        self.balancer.flags.contains(BalancerFlags::STICKY_FORCE)
    }

    /// Whether the balancer takes requests.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.balancer.flags.contains(BalancerFlags::INACTIVE)
    }

    /// What the configuration says of a member; nothing of one that was added at run time.
    #[must_use]
    pub fn configured(&self, member: &MemberView) -> Option<&model::Member> {
        let members = &self.config?.members;
        members
            .iter()
            .find(|one| is_cut_of(&member.url, &one.url.name, URL_BYTES))
    }
}

/// A member's URL fit to be shown.
#[must_use]
pub fn shown_url(member: &MemberView) -> String {
    units::without_password(&member.url)
}

/// A member's share of the load, as httpd writes it.
#[must_use]
pub fn factor(member: &MemberView) -> String {
    format!("{}.{:02}", member.lbfactor / 100, member.lbfactor % 100)
}

/// How much a member's state should stand out.
#[must_use]
pub fn tone(status: StatusBits) -> Tone {
    let broken = StatusBits::IN_ERROR.with(StatusBits::HC_FAIL);
    let aside = StatusBits::DRAIN
        .with(StatusBits::DISABLED)
        .with(StatusBits::STOPPED)
        .with(StatusBits::SHUTDOWN);
    if status.intersects(broken) {
        Tone::Bad
    } else if status.intersects(aside) {
        Tone::Warn
    } else if status.usable() {
        Tone::Good
    } else {
        Tone::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_the_record_could_not_hold_whole_are_recognised() {
        let long = "x".repeat(200);
        assert!(is_cut_of("http://a", "http://a", URL_BYTES));
        assert!(
            !is_cut_of("http://a", "http://ab", URL_BYTES),
            "short texts are whole"
        );
        assert!(is_cut_of(&long[..NAME_BYTES], &long, NAME_BYTES));
    }

    #[test]
    fn what_is_broken_stands_out_most() {
        let init = StatusBits::INIT;
        for (status, expected) in [
            (init, Tone::Good),
            (init.with(StatusBits::STANDBY), Tone::Good),
            (init.with(StatusBits::DRAIN), Tone::Warn),
            (
                init.with(StatusBits::DISABLED).with(StatusBits::IN_ERROR),
                Tone::Bad,
            ),
            (init.with(StatusBits::HC_FAIL), Tone::Bad),
            (StatusBits::empty(), Tone::Plain),
        ] {
            assert_eq!(tone(status), expected, "{}", status.names());
        }
    }
}
