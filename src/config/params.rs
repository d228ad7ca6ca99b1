//! The parameters of workers, members and balancers: one table each.
//!
//! Responsible for: every key that mod_proxy knows, its range, httpd's words when the value is wrong, and whether its effect exists here yet.
//! A parameter marked [`Effect::Later`] is read, checked and stored like any other; using one is told once at start.
//!
//! Know first: keys are case-insensitive. httpd reads most numbers with `atoi` and ignores what follows the digits, so that `timeout=5ms`
//! means five seconds; here that is an error, with httpd's message about the range.

use super::args::{Unit, choice, on_off, time_ms, whole};
use super::model::{
    BalancerParams, FlushPackets, HealthMethod, MemberParams, Nonce, Secret, Separator, StatusBit,
    StatusEdit, Sticky,
};
use super::setting::Setting;
use super::source::Place;

/// Whether a parameter does anything yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does what httpd's manual says.
    Now,
    /// It is stored; nothing looks at it yet.
    Later,
}

/// One key of a worker, member or balancer.
#[derive(Debug)]
pub struct Param<T> {
    /// The key in lower case.
    pub key: &'static str,
    /// Whether it does anything yet.
    pub effect: Effect,
    /// The module without which it is unknown; empty for mod_proxy itself.
    pub module: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    /// A value that a test sets.
    pub example: &'static str,
    apply: fn(&mut T, &Given<'_>) -> Result<(), Fault>,
}

/// A value and where it stands.
struct Given<'a> {
    value: &'a str,
    place: &'a Place,
}

/// Why a value is wrong: httpd's words, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl<T> Param<T> {
    const fn now(
        key: &'static str,
        help: &'static str,
        example: &'static str,
        apply: fn(&mut T, &Given<'_>) -> Result<(), Fault>,
    ) -> Self {
        Self {
            key,
            effect: Effect::Now,
            module: "",
            help,
            example,
            apply,
        }
    }

    const fn later(
        key: &'static str,
        help: &'static str,
        example: &'static str,
        apply: fn(&mut T, &Given<'_>) -> Result<(), Fault>,
    ) -> Self {
        Self {
            effect: Effect::Later,
            ..Self::now(key, help, example, apply)
        }
    }

    const fn of(self, module: &'static str) -> Self {
        Self { module, ..self }
    }

    /// Sets the value.
    pub(crate) fn set(&self, params: &mut T, value: &str, place: &Place) -> Result<(), Fault> {
        (self.apply)(params, &Given { value, place })
    }
}

/// The entry with this key, in any case.
pub(crate) fn find<T>(table: &'static [Param<T>], key: &str) -> Option<&'static Param<T>> {
    table
        .iter()
        .find(|param| param.key.eq_ignore_ascii_case(key))
}

/// What else may be understood before it has an effect, by name.
pub static OTHER_EFFECTS: &[(&str, Effect)] = &[
    ("ErrorLogFormat", Effect::Later),
    ("mapping", Effect::Later),
];

/// The parameters and directives whose effect is still to come.
pub fn later_effects() -> Vec<&'static str> {
    let others = OTHER_EFFECTS
        .iter()
        .filter(|(_, effect)| *effect == Effect::Later)
        .map(|(name, _)| *name);
    let members = MEMBER_PARAMS
        .iter()
        .filter(|param| param.effect == Effect::Later)
        .map(|param| param.key);
    let balancers = BALANCER_PARAMS
        .iter()
        .filter(|param| param.effect == Effect::Later)
        .map(|param| param.key);
    members.chain(balancers).chain(others).collect()
}

/// Sets a field to a whole number within bounds, or fails with httpd's words.
macro_rules! int {
    ($field:ident, $bounds:expr, $message:expr) => {
        |params, given| {
            params.$field = given.int($bounds, $message)?;
            Ok(())
        }
    };
}

/// Sets a field to On or Off, or fails with httpd's words.
macro_rules! flag {
    ($field:ident, $message:expr) => {
        |params, given| {
            params.$field = given.flag($message)?;
            Ok(())
        }
    };
}

/// Sets a field to a text shorter than a shared record's field.
macro_rules! text {
    ($field:ident, $size:expr, $what:expr) => {
        |params, given| {
            params.$field = given.short($size, $what)?;
            Ok(())
        }
    };
}

impl Given<'_> {
    fn set<T>(&self, value: T) -> Setting<T> {
        Setting::new(value, self.place)
    }

    fn int(
        &self,
        bounds: std::ops::RangeInclusive<u32>,
        message: &str,
    ) -> Result<Setting<u32>, Fault> {
        let number = whole(self.value);
        let value = number
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| bounds.contains(value));
        value
            .map(|value| self.set(value))
            .ok_or_else(|| match number {
                Some(_) => Fault::new(message),
                None => Fault::new(message).hint("write a whole number without a unit"),
            })
    }

    fn time(&self, unit: Unit, message: &str, bad_format: &str) -> Result<Setting<u32>, Fault> {
        let value = time_ms(self.value, unit).ok_or_else(|| {
            Fault::new(bad_format)
                .hint("write a whole number, with ms, s, min or h behind it if it needs a unit")
        })?;
        let value = u32::try_from(value).map_err(|_| Fault::new(bad_format))?;
        if value == 0 {
            Err(Fault::new(message))
        } else {
            Ok(self.set(value))
        }
    }

    fn flag(&self, message: &str) -> Result<Setting<bool>, Fault> {
        on_off(self.value)
            .map(|value| self.set(value))
            .ok_or_else(|| Fault::new(message))
    }

    fn short(&self, size: usize, what: &str) -> Result<Setting<String>, Fault> {
        if self.value.len() < size {
            Ok(self.set(self.value.to_owned()))
        } else {
            Err(Fault::new(format!(
                "{what} length must be < {size} characters"
            )))
        }
    }
}

/// What httpd accepts where it only asks for no minus sign.
const ANY: std::ops::RangeInclusive<u32> = 0..=i32::MAX.unsigned_abs();
/// What httpd accepts where zero means nothing.
const POSITIVE: std::ops::RangeInclusive<u32> = 1..=i32::MAX.unsigned_abs();

/// The keys of workers and members.
pub static MEMBER_PARAMS: &[Param<MemberParams>] = &[
    Param::now(
        "acquire",
        "how long to wait for a free connection of the pool (ms)",
        "500",
        |params, given| {
            params.acquire_ms = given.time(
                Unit::Ms,
                "Acquire must be at least one millisecond",
                "Acquire timeout has wrong format",
            )?;
            Ok(())
        },
    ),
    Param::later(
        "addressttl",
        "how long a resolved address is used (s)",
        "60",
        address_ttl,
    ),
    Param::now(
        "connectiontimeout",
        "how long connecting may take (s)",
        "500ms",
        |params, given| {
            let message = "Connectiontimeout must be at least one millisecond.";
            params.connection_timeout_ms =
                given.time(Unit::S, message, "Connectiontimeout has wrong format")?;
            Ok(())
        },
    ),
    Param::now(
        "disablereuse",
        "close each connection after its request",
        "On",
        |params, given| {
            let off = given.flag("DisableReuse must be On|Off")?;
            params.reuse = given.set(!off.or(false));
            Ok(())
        },
    ),
    Param::now(
        "enablereuse",
        "keep connections for further requests",
        "On",
        flag!(reuse, "EnableReuse must be On|Off"),
    ),
    Param::later(
        "flusher",
        "the provider that flushes for fdpass",
        "flush",
        |params, given| {
            if given.value.len() >= 16 {
                return Err(Fault::new("flusher name length must be < 16 characters"));
            }
            params.flusher = given.set(given.value.to_owned());
            Ok(())
        },
    ),
    Param::later(
        "flushpackets",
        "pass pieces on at once",
        "auto",
        |params, given| {
            let choices = [
                ("off", FlushPackets::Off),
                ("on", FlushPackets::On),
                ("auto", FlushPackets::Auto),
            ];
            let value = choice(given.value, &choices)
                .ok_or_else(|| Fault::new("flushpackets must be on|off|auto"))?;
            params.flush_packets = given.set(value);
            Ok(())
        },
    ),
    Param::later(
        "flushwait",
        "how long flushpackets=auto waits for more (ms)",
        "20",
        int!(
            flush_wait_ms,
            0..=1000,
            "flushwait must be <= 1000, or 0 for system default of 10 millseconds."
        ),
    ),
    Param::<MemberParams>::later(
        "hcexpr",
        "the ProxyHCExpr that judges a health check",
        "ok",
        text!(hc_expr, 16, "Health check expr"),
    )
    .of(HCHECK),
    Param::<MemberParams>::later(
        "hcfails",
        "failed checks that take a member out",
        "2",
        int!(hc_fails, ANY, "Fails must be a positive value"),
    )
    .of(HCHECK),
    Param::<MemberParams>::later(
        "hcinterval",
        "how often to check (s)",
        "5",
        |params, given| {
            let value = given.time(
                Unit::S,
                "Interval must be a positive value greater than 100ms",
                "Unparse-able hcinterval setting",
            )?;
            if value.or(0) < 100 {
                return Err(Fault::new(
                    "Interval must be a positive value greater than 100ms",
                ));
            }
            params.hc_interval_ms = value;
            Ok(())
        },
    )
    .of(HCHECK),
    Param::<MemberParams>::later(
        "hcmethod",
        "how to check a member's health",
        "HEAD",
        hc_method,
    )
    .of(HCHECK),
    Param::<MemberParams>::later(
        "hcpasses",
        "passed checks that bring a member back",
        "2",
        int!(hc_passes, ANY, "Passes must be a positive value"),
    )
    .of(HCHECK),
    Param::<MemberParams>::later(
        "hctemplate",
        "a ProxyHCTemplate to start from",
        "often",
        text!(hc_template, 64, "Health check template"),
    )
    .of(HCHECK),
    Param::<MemberParams>::later(
        "hcuri",
        "what a health check asks for",
        "/alive",
        text!(hc_uri, 64, "Health check uri"),
    )
    .of(HCHECK),
    Param::now(
        "iobuffersize",
        "the size of the buffer between client and backend (bytes)",
        "16384",
        |params, given| {
            params.io_buffer_bytes = buffer_size(
                given,
                "IOBufferSize must be >= 512 bytes, or 0 for system default.",
            )?;
            Ok(())
        },
    ),
    Param::now(
        "keepalive",
        "ask TCP to probe idle connections",
        "On",
        flag!(tcp_keepalive, "KeepAlive must be On|Off"),
    ),
    Param::now(
        "lbset",
        "the set of members it belongs to; lower sets are tried first",
        "1",
        int!(lbset, 0..=99, "lbset must be between 0 and 99"),
    ),
    Param::now(
        "loadfactor",
        "its share of requests, 1 to 100, relative to the others",
        "1.5",
        load_factor,
    ),
    Param::now(
        "max",
        "most connections of one child",
        "20",
        int!(max, ANY, "Max must be a positive number"),
    ),
    Param::now(
        "min",
        "pool entries made beforehand",
        "1",
        int!(min, ANY, "Min must be a positive number"),
    ),
    Param::later(
        "ping",
        "ask whether the backend is there before each request (s)",
        "1",
        |params, given| {
            let message = "Ping/Pong timeout must be at least one millisecond";
            params.ping_ms = given.time(Unit::S, message, "Ping/Pong timeout has wrong format")?;
            Ok(())
        },
    ),
    Param::later(
        "receivebuffersize",
        "the socket's receive buffer (bytes)",
        "65536",
        |params, given| {
            params.receive_buffer_bytes = buffer_size(
                given,
                "ReceiveBufferSize must be >= 512 bytes, or 0 for system default.",
            )?;
            Ok(())
        },
    ),
    Param::now(
        "redirect",
        "the route to use instead when it cannot be used",
        "b",
        text!(redirect, 64, "Redirect"),
    ),
    Param::later(
        "responsefieldsize",
        "the longest response line or field (bytes)",
        "16384",
        int!(
            response_field_bytes,
            ANY,
            "ResponseFieldSize must be greater than 0 bytes, or 0 for system default."
        ),
    ),
    Param::now(
        "retry",
        "how long it rests after a failure (s)",
        "30",
        int!(retry_s, ANY, "Retry must be a positive value"),
    ),
    Param::now(
        "route",
        "the name that sticky sessions know it by",
        "a",
        text!(route, 64, "Route"),
    ),
    Param::later("secret", "the secret of AJP", "x", |params, given| {
        let value = given.short(64, "Secret")?;
        params.secret = given.set(Secret::new(value.get().map_or("", String::as_str)));
        Ok(())
    }),
    Param::now(
        "smax",
        "idle connections above this number end after ttl",
        "5",
        int!(smax, ANY, "Smax must be a positive number"),
    ),
    Param::now(
        "status",
        "its state at start: letters of D S E H I N R C, with + or -",
        "+H",
        status,
    ),
    Param::now(
        "timeout",
        "how long to wait for the backend's bytes (s)",
        "30",
        int!(timeout_s, POSITIVE, "Timeout must be at least one second"),
    ),
    Param::now(
        "ttl",
        "how long connections above smax stay idle (s)",
        "60",
        int!(ttl_s, POSITIVE, "TTL must be at least one second"),
    ),
    Param::later(
        "upgrade",
        "protocols that requests may upgrade to",
        "websocket",
        |params, given| {
            if given.value.split(',').any(|token| token.trim().len() >= 16) {
                return Err(Fault::new(
                    "upgrade protocol length must be < 16 characters",
                ));
            }
            let is_any = given.value.eq_ignore_ascii_case("any");
            params.upgrade = given.set(if is_any {
                "*".to_owned()
            } else {
                given.value.to_owned()
            });
            Ok(())
        },
    ),
];

/// The keys of balancers.
pub static BALANCER_PARAMS: &[Param<BalancerParams>] = &[
    Param::later(
        "failonstatus",
        "response codes that put a member in error",
        "500,503",
        fail_on_status,
    ),
    Param::later(
        "failontimeout",
        "a backend that is too slow is in error",
        "On",
        flag!(fail_on_timeout, "failontimeout must be On|Off"),
    ),
    Param::now(
        "forcerecovery",
        "when all members are in error, try them at once",
        "Off",
        flag!(force_recovery, "forcerecovery must be On|Off"),
    ),
    Param::later(
        "growth",
        "members that may be added while running",
        "10",
        int!(growth, 1..=100, "growth must be between 1 and 100"),
    ),
    Param::now(
        "lbmethod",
        "how members are chosen",
        "bybusyness",
        |params, given| {
            params.lbmethod = given.set(given.value.to_ascii_lowercase());
            Ok(())
        },
    ),
    Param::now(
        "maxattempts",
        "further tries after the first",
        "2",
        int!(
            max_attempts,
            ANY,
            "maximum number of attempts must be a positive number"
        ),
    ),
    Param::later(
        "nofailover",
        "a sticky session ends with its member",
        "On",
        flag!(no_failover, "failover must be On|Off"),
    ),
    Param::later(
        "nonce",
        "the manager's nonce, or None",
        "None",
        |params, given| {
            let value = if given.value.eq_ignore_ascii_case("none") {
                Nonce::Off
            } else if given.value.len() < 37 {
                Nonce::Fixed(Secret::new(given.value))
            } else {
                return Err(Fault::new("Provided nonce is too large"));
            };
            params.nonce = given.set(value);
            Ok(())
        },
    ),
    Param::later(
        "scolonpathdelim",
        "a semicolon ends the session's URL parameter",
        "On",
        flag!(semicolon_ends_value, "scolonpathdelim must be On|Off"),
    ),
    Param::now(
        "stickysession",
        "the cookie, and the URL parameter, that hold a session's route",
        "JSESSIONID|jsessionid",
        |params, given| {
            let (cookie, parameter) = given
                .value
                .split_once('|')
                .unwrap_or((given.value, given.value));
            if given.value.len() >= 64 {
                return Err(Fault::new("stickysession length must be < 64 characters"));
            }
            if cookie.is_empty() || parameter.is_empty() {
                return Err(Fault::new("stickysession needs a name")
                    .hint("write `NAME` or `COOKIE|parameter`"));
            }
            params.sticky = given.set(Sticky {
                cookie: cookie.to_owned(),
                url_parameter: parameter.to_owned(),
            });
            Ok(())
        },
    ),
    Param::later(
        "stickysessionsep",
        "what stands between session and route",
        "~",
        |params, given| {
            params.sticky_separator = given.set(match given.value.as_bytes() {
                [byte] => Separator::Byte(*byte),
                _ if given.value.eq_ignore_ascii_case("off") => Separator::Off,
                _ => {
                    return Err(Fault::new(
                        "stickysessionsep must be a single character or Off",
                    ));
                }
            });
            Ok(())
        },
    ),
    Param::now(
        "timeout",
        "how long to wait for a usable member (s)",
        "5",
        int!(timeout_s, POSITIVE, "timeout must be at least one second"),
    ),
];

const HCHECK: &str = "proxy_hcheck_module";

fn buffer_size(given: &Given<'_>, message: &str) -> Result<Setting<u32>, Fault> {
    let size = given.int(ANY, message)?;
    if matches!(size.or(0), 1..512) {
        Err(Fault::new(message))
    } else {
        Ok(size)
    }
}

fn address_ttl(params: &mut MemberParams, given: &Given<'_>) -> Result<(), Fault> {
    let fault =
        || Fault::new("AddressTTL must be -1 or a number of seconds not exceeding (2147483647)");
    if given.value == "-1" {
        params.address_ttl_s = given.set(-1);
        return Ok(());
    }
    let ms = time_ms(given.value, Unit::S)
        .filter(|ms| ms % 1000 == 0)
        .ok_or_else(fault)?;
    params.address_ttl_s = given.set(i32::try_from(ms / 1000).map_err(|_| fault())?);
    Ok(())
}

/// Reads `1` to `100` with up to two decimals, in hundredths.
fn load_factor(params: &mut MemberParams, given: &Given<'_>) -> Result<(), Fault> {
    let fault = || Fault::new("LoadFactor must be a number between 1..100");
    let (integer, decimals) = given.value.split_once('.').unwrap_or((given.value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if integer.is_empty()
        || integer.len() > 3
        || decimals.len() > 9
        || !digits(integer)
        || !digits(decimals)
    {
        return Err(fault());
    }
    let hundredths: String = decimals.chars().chain("00".chars()).take(2).collect();
    let whole: u32 = integer.parse().map_err(|_| fault())?;
    let part: u32 = hundredths.parse().map_err(|_| fault())?;
    let percent = whole * 100 + part;
    if !(100..=10_000).contains(&percent) {
        return Err(fault());
    }
    params.load_factor_percent = given.set(percent);
    Ok(())
}

fn status(params: &mut MemberParams, given: &Given<'_>) -> Result<(), Fault> {
    // ProxySet after BalancerMember edits what was there, it does not start anew.
    let mut edit: StatusEdit = params.status.or(StatusEdit::default());
    let mut on = true;
    for letter in given.value.chars() {
        match letter {
            '+' => on = true,
            '-' => on = false,
            _ => match StatusBit::from_letter(letter) {
                Some(bit) => edit.apply(bit, on),
                None => {
                    return Err(Fault::new("Unknown status parameter option")
                        .hint("letters: D disabled, S stopped, E in error, H hot standby, R hot spare, I ignore errors, N drain, C check failed"));
                }
            },
        }
    }
    params.status = given.set(edit);
    Ok(())
}

fn hc_method(params: &mut MemberParams, given: &Given<'_>) -> Result<(), Fault> {
    let choices = [
        ("None", HealthMethod::None),
        ("TCP", HealthMethod::Tcp),
        ("OPTIONS", HealthMethod::Options),
        ("HEAD", HealthMethod::Head),
        ("GET", HealthMethod::Get),
        ("CPING", HealthMethod::Cping),
        ("OPTIONS11", HealthMethod::Options11),
        ("HEAD11", HealthMethod::Head11),
        ("GET11", HealthMethod::Get11),
    ];
    let value = choice(given.value, &choices).ok_or_else(|| Fault::new("Unknown method"))?;
    params.hc_method = given.set(value);
    Ok(())
}

fn fail_on_status(params: &mut BalancerParams, given: &Given<'_>) -> Result<(), Fault> {
    let fault = || Fault::new("failonstatus must be one or more HTTP response codes");
    let mut codes = Vec::new();
    for code in given.value.split(',').map(str::trim) {
        let code: u16 = code.parse().map_err(|_| fault())?;
        if !(100..600).contains(&code) {
            return Err(fault());
        }
        codes.push(code);
    }
    params.fail_on_status = codes;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_their_examples_are_accepted() {
        let place = Place::new("t", 1);
        for param in MEMBER_PARAMS {
            param
                .set(&mut MemberParams::default(), param.example, &place)
                .unwrap_or_else(|why| panic!("{}: {why:?}", param.key));
        }
        for param in BALANCER_PARAMS {
            param
                .set(&mut BalancerParams::default(), param.example, &place)
                .unwrap_or_else(|why| panic!("{}: {why:?}", param.key));
        }
        assert!(MEMBER_PARAMS.is_sorted_by_key(|param| param.key));
        assert!(BALANCER_PARAMS.is_sorted_by_key(|param| param.key));
    }

    #[test]
    fn load_factors_have_two_decimals() {
        let place = Place::new("t", 1);
        let rows = [
            ("1", Some(100)),
            ("1.5", Some(150)),
            ("2.25", Some(225)),
            ("100", Some(10_000)),
            ("100.01", None),
            ("0.99", None),
            ("x", None),
            ("-1", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let mut params = MemberParams::default();
            let outcome = find(MEMBER_PARAMS, "LoadFactor")
                .unwrap()
                .set(&mut params, text, &place);
            assert_eq!(outcome.is_ok(), expected.is_some(), "{text}");
            assert_eq!(
                params.load_factor_percent.get().copied(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn status_letters_accumulate() {
        let place = Place::new("t", 1);
        let param = find(MEMBER_PARAMS, "status").unwrap();
        let mut params = MemberParams::default();
        param.set(&mut params, "+H-E", &place).unwrap();
        param.set(&mut params, "-h", &place).unwrap();
        assert_eq!(format!("{:?}", params.status.get().unwrap()), "+ -EH");
    }
}
