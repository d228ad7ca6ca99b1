//! Workers, balancers and their members, with every parameter that mod_proxy knows.
//!
//! Responsible for: the parameters as typed settings. Their names, ranges and texts are the table in `config/params.rs`. Not for state:
//! what changes while serving is in the scoreboard.
//!
//! Know first: httpd says *worker* for both a plain worker and a member. Here a [`Worker`] is the plain one (made by `ProxyPass /x http://…`),
//! a [`Member`] belongs to a [`Balancer`]; both carry [`MemberParams`].

use super::WorkerUrl;
use crate::config::setting::{Setting, append, merged};
use crate::config::source::Place;

/// A plain worker: one backend with its parameters, in no balancer.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Where it sends requests.
    pub url: WorkerUrl,
    /// The id that 2.2 gave it, printed in traces.
    pub id22: u32,
    /// Its parameters.
    pub params: MemberParams,
    /// True when the URL is a ProxyPassMatch template: `$n` matches anything.
    pub is_template: bool,
    /// True in a virtual host that got it from the main server.
    pub inherited: bool,
    /// Where it was first mentioned.
    pub place: Place,
}

/// A member of a balancer.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Where it sends requests.
    pub url: WorkerUrl,
    /// The id that 2.2 gave the balancer's copy of the worker, printed in traces.
    pub id22: u32,
    /// Its parameters.
    pub params: MemberParams,
    /// Where it was added.
    pub place: Place,
}

/// A group of members with a method to choose between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Balancer {
    /// The name in lower case, without `balancer://`.
    pub name: String,
    /// Its parameters.
    pub params: BalancerParams,
    /// Its members in configuration order.
    pub members: Vec<Member>,
    /// The first ProxyPass path that leads to it, shown in the manager.
    pub path: Option<String>,
    /// True in a virtual host that got it from the main server: the two share their members' state.
    pub inherited: bool,
    /// Where it was first mentioned.
    pub place: Place,
}

impl Balancer {
    /// A balancer without members.
    pub fn new(name: &str, place: &Place) -> Self {
        Self {
            name: name.to_ascii_lowercase(),
            params: BalancerParams::default(),
            members: Vec::new(),
            path: None,
            inherited: false,
            place: place.clone(),
        }
    }

    /// The name as httpd prints it, `balancer://name`.
    pub fn url(&self) -> String {
        format!("balancer://{}", self.name)
    }
}

merged! {
    /// The parameters of a plain worker or a member. An unset one has the default of httpd 2.4.
    pub struct MemberParams {
        /// `min`: pool entries made beforehand; default 0.
        pub min: Setting<u32> => over,
        /// `max`: most connections of one child; 0 or unset is the number of threads.
        pub max: Setting<u32> => over,
        /// `smax`: idle connections above this number end after `ttl`; unset is `max`.
        pub smax: Setting<u32> => over,
        /// `ttl`: how long connections above `smax` stay idle; unset is for ever.
        pub ttl_s: Setting<u32> => over,
        /// `acquire`: how long to wait for a free connection; unset is for ever.
        pub acquire_ms: Setting<u32> => over,
        /// `connectiontimeout`: unset is `timeout`.
        pub connection_timeout_ms: Setting<u32> => over,
        /// `timeout`: unset is ProxyTimeout, else Timeout.
        pub timeout_s: Setting<u32> => over,
        /// `keepalive`: TCP keep-alive probes; default off.
        pub tcp_keepalive: Setting<bool> => over,
        /// `enablereuse`, and inverted `disablereuse`; default on, but off for FastCGI.
        pub reuse: Setting<bool> => over,
        /// `flushpackets`: default off.
        pub flush_packets: Setting<FlushPackets> => over,
        /// `flushwait`: default 10.
        pub flush_wait_ms: Setting<u32> => over,
        /// `iobuffersize`: default 8192.
        pub io_buffer_bytes: Setting<u32> => over,
        /// `receivebuffersize`: SO_RCVBUF; 0 or unset is the system's.
        pub receive_buffer_bytes: Setting<u32> => over,
        /// `responsefieldsize`: longest response line or field; default 8192.
        pub response_field_bytes: Setting<u32> => over,
        /// `lbset`: default 0; lower sets are tried first.
        pub lbset: Setting<u32> => over,
        /// `loadfactor` in hundredths, 100 to 10000; default 100.
        pub load_factor_percent: Setting<u32> => over,
        /// `ping`: how long to wait for an answer before a connection is used; unset does not ask.
        pub ping_ms: Setting<u32> => over,
        /// `retry`: how long a failed member rests; default 60, 0 does not rest.
        pub retry_s: Setting<u32> => over,
        /// `route`: the sticky route.
        pub route: Setting<String> => over,
        /// `redirect`: the route to use instead when this member cannot be used.
        pub redirect: Setting<String> => over,
        /// `status`: bits set and cleared at start.
        pub status: Setting<StatusEdit> => over,
        /// `secret`: of AJP.
        pub secret: Setting<Secret> => over,
        /// `upgrade`: protocols that a request may upgrade to; `*` is any.
        pub upgrade: Setting<String> => over,
        /// `flusher`: of fdpass.
        pub flusher: Setting<String> => over,
        /// `addressttl`: how long a resolved address is used; -1 or unset is for ever, 0 resolves each time.
        pub address_ttl_s: Setting<i32> => over,
        /// `hcmethod`.
        pub hc_method: Setting<HealthMethod> => over,
        /// `hcinterval`: default 30000.
        pub hc_interval_ms: Setting<u32> => over,
        /// `hcpasses`: default 1.
        pub hc_passes: Setting<u32> => over,
        /// `hcfails`: default 1.
        pub hc_fails: Setting<u32> => over,
        /// `hcuri`: appended to the member's URL.
        pub hc_uri: Setting<String> => over,
        /// `hcexpr`: name of a ProxyHCExpr.
        pub hc_expr: Setting<String> => over,
        /// `hctemplate`: name of a ProxyHCTemplate.
        pub hc_template: Setting<String> => over,
    }
}

merged! {
    /// The parameters of a balancer. An unset one has the default of httpd 2.4.
    pub struct BalancerParams {
        /// `lbmethod`: default byrequests.
        pub lbmethod: Setting<String> => over,
        /// `maxattempts`: further tries after the first; unset is members − 1.
        pub max_attempts: Setting<u32> => over,
        /// `nofailover`: default off.
        pub no_failover: Setting<bool> => over,
        /// `stickysession`.
        pub sticky: Setting<Sticky> => over,
        /// `stickysessionsep`: default `.`.
        pub sticky_separator: Setting<Separator> => over,
        /// `scolonpathdelim`: default off.
        pub semicolon_ends_value: Setting<bool> => over,
        /// `timeout`: how long to wait for a usable member; unset does not wait.
        pub timeout_s: Setting<u32> => over,
        /// `failonstatus`: response codes that put the member in error.
        pub fail_on_status: Vec<u16> => append,
        /// `failontimeout`: default off.
        pub fail_on_timeout: Setting<bool> => over,
        /// `forcerecovery`: default on.
        pub force_recovery: Setting<bool> => over,
        /// `nonce` of the manager: unset is a random one.
        pub nonce: Setting<Nonce> => over,
        /// `growth`: members that may be added while running.
        pub growth: Setting<u32> => over,
    }
}

impl BalancerParams {
    /// The election method's name.
    pub fn lbmethod(&self) -> &str {
        self.lbmethod.get().map_or("byrequests", String::as_str)
    }
}

/// `flushpackets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPackets {
    /// Only when a buffer is full.
    Off,
    /// After each piece.
    On,
    /// When nothing more arrives for `flushwait`.
    Auto,
}

/// `mapping`: on which form of the path a ProxyPass compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// On the path as sent, which is then forwarded as sent.
    Encoded,
    /// The same with servlet rules for path parameters.
    Servlet,
}

/// `hcmethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthMethod {
    /// No checks.
    None,
    /// Connect only.
    Tcp,
    /// OPTIONS.
    Options,
    /// HEAD.
    Head,
    /// GET.
    Get,
    /// AJP ping.
    Cping,
    /// OPTIONS over HTTP/1.1.
    Options11,
    /// HEAD over HTTP/1.1.
    Head11,
    /// GET over HTTP/1.1.
    Get11,
}

/// `stickysession=COOKIE[|parameter]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    /// The cookie.
    pub cookie: String,
    /// The URL parameter; the same name unless given.
    pub url_parameter: String,
}

/// `stickysessionsep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// The route follows the first of these.
    Byte(u8),
    /// The whole value is the route.
    Off,
}

/// A value that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The value, for the wire.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// `nonce` of a balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nonce {
    /// `None`: forms carry none.
    Off,
    /// This one.
    Fixed(Secret),
}

/// A status bit that configuration may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum StatusBit {
    /// `O`: initialised.
    Initialized = 0x001,
    /// `I`: errors do not take it out of service.
    IgnoreErrors = 0x002,
    /// `N`: only requests whose route it is.
    Drain = 0x004,
    /// `G`: catch-all worker.
    Generic = 0x008,
    /// `U`: shut down.
    Shutdown = 0x010,
    /// `D`: disabled.
    Disabled = 0x020,
    /// `S`: stopped.
    Stopped = 0x040,
    /// `E`: in error.
    InError = 0x080,
    /// `H`: hot standby.
    HotStandby = 0x100,
    /// `F`: free slot.
    Free = 0x200,
    /// `C`: health check failed.
    CheckFailed = 0x400,
    /// `R`: hot spare.
    HotSpare = 0x800,
}

impl StatusBit {
    /// Every bit, in the order of their values.
    pub const ALL: [Self; 12] = [
        Self::Initialized,
        Self::IgnoreErrors,
        Self::Drain,
        Self::Generic,
        Self::Shutdown,
        Self::Disabled,
        Self::Stopped,
        Self::InError,
        Self::HotStandby,
        Self::Free,
        Self::CheckFailed,
        Self::HotSpare,
    ];

    /// The letter in `status=`, in upper case.
    pub fn letter(self) -> char {
        match self {
            Self::Initialized => 'O',
            Self::IgnoreErrors => 'I',
            Self::Drain => 'N',
            Self::Generic => 'G',
            Self::Shutdown => 'U',
            Self::Disabled => 'D',
            Self::Stopped => 'S',
            Self::InError => 'E',
            Self::HotStandby => 'H',
            Self::Free => 'F',
            Self::CheckFailed => 'C',
            Self::HotSpare => 'R',
        }
    }

    /// The bit with this letter, in any case.
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|bit| bit.letter().eq_ignore_ascii_case(&letter))
    }

    /// The bit's value in the shared status word.
    pub fn mask(self) -> u16 {
        self as u16
    }
}

/// What `status=` sets and clears, as masks of [`StatusBit`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusEdit {
    /// Bits to set.
    pub set: u16,
    /// Bits to clear; never one of `set`.
    pub clear: u16,
}

impl StatusEdit {
    /// Adds one letter's effect; a later one undoes an earlier one of the same bit.
    pub fn apply(&mut self, bit: StatusBit, on: bool) {
        let (to, from) = if on {
            (&mut self.set, &mut self.clear)
        } else {
            (&mut self.clear, &mut self.set)
        };
        *to |= bit.mask();
        *from &= !bit.mask();
    }

    /// The status word after the edit.
    pub fn applied_to(self, word: u16) -> u16 {
        (word | self.set) & !self.clear
    }
}

impl std::fmt::Debug for StatusEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters = |mask: u16| -> String {
            StatusBit::ALL
                .into_iter()
                .filter(|bit| bit.mask() & mask != 0)
                .map(StatusBit::letter)
                .collect()
        };
        write!(f, "+{} -{}", letters(self.set), letters(self.clear))
    }
}

/// What a virtual host's balancer becomes over the main server's of the same name: its own settings win, the members are the main one's.
pub(crate) fn merge_same_name(base: &Balancer, section: &Balancer) -> Balancer {
    use crate::config::setting::Merge;
    Balancer {
        params: BalancerParams::merge(&base.params, &section.params),
        path: base.path.clone().or_else(|| section.path.clone()),
        inherited: true,
        ..base.clone()
    }
}

/// The balancers of a virtual host: the main server's first, then its own.
pub(crate) fn merge_balancers(base: &[Balancer], section: &[Balancer]) -> Vec<Balancer> {
    let inherited =
        base.iter().map(
            |outer| match section.iter().find(|inner| inner.name == outer.name) {
                Some(inner) => merge_same_name(outer, inner),
                None => Balancer {
                    inherited: true,
                    ..outer.clone()
                },
            },
        );
    let fresh = section
        .iter()
        .filter(|inner| base.iter().all(|outer| outer.name != inner.name))
        .cloned();
    inherited.chain(fresh).collect()
}

/// The workers of a virtual host: the main server's first, then its own.
pub(crate) fn merge_workers(base: &[Worker], section: &[Worker]) -> Vec<Worker> {
    let inherited: Vec<Worker> = base
        .iter()
        .map(|worker| Worker {
            inherited: true,
            ..worker.clone()
        })
        .collect();
    append(&inherited, section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_letters_apply_in_order() {
        let mut edit = StatusEdit::default();
        edit.apply(StatusBit::HotStandby, true);
        edit.apply(StatusBit::InError, false);
        assert_eq!(edit.applied_to(0x081), 0x101);
        edit.apply(StatusBit::HotStandby, false);
        assert_eq!(edit.applied_to(0x101), 0x001);
        assert_eq!(StatusBit::from_letter('h'), Some(StatusBit::HotStandby));
        assert_eq!(StatusBit::from_letter('x'), None);
    }

    #[test]
    fn a_virtual_hosts_balancer_keeps_the_main_servers_members() {
        let place = Place::new("t", 1);
        let mut main = Balancer::new("c", &place);
        main.params.max_attempts = Setting::new(3, &place);
        main.params.fail_on_status = vec![503];
        main.members.push(Member {
            url: WorkerUrl::parse("http://a/").unwrap(),
            id22: 1,
            params: MemberParams::default(),
            place: place.clone(),
        });
        let mut inner = Balancer::new("C", &place);
        inner.params.lbmethod = Setting::new("bybusyness".to_owned(), &place);
        inner.params.fail_on_status = vec![500];
        let merged = merge_balancers(&[main], &[inner, Balancer::new("d", &place)]);
        let [c, d] = merged.as_slice() else {
            panic!("{merged:?}")
        };
        assert_eq!(
            (c.params.lbmethod(), c.params.max_attempts.or(0)),
            ("bybusyness", 3)
        );
        assert_eq!(c.params.fail_on_status, [503, 500]);
        assert_eq!(c.members.len(), 1);
        assert_eq!((d.name.as_str(), d.inherited), ("d", false));
    }
}
