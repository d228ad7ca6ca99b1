//! The keys of workers and members.

use super::{ANY, Effect, Fault, Given, POSITIVE, Param, flag, int, text};
use crate::config::args::{Unit, choice, time_ms};
use crate::config::model::{
    FlushPackets, HealthMethod, MemberParams, Secret, StatusBit, StatusEdit,
};
use crate::config::setting::Setting;

/// The keys of workers and members.
pub static MEMBER_PARAMS: &[Param<MemberParams>] = &[
    Param::new(
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
    Param::<MemberParams>::new(
        "addressttl",
        "how long a resolved address is used (s)",
        "60",
        address_ttl,
    )
    .with(Effect::Later("a name is resolved once by each child")),
    Param::new(
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
    Param::new(
        "disablereuse",
        "close each connection after its request",
        "On",
        |params, given| {
            let off = given.flag("DisableReuse must be On|Off")?;
            params.reuse = given.set(!off.or(false));
            Ok(())
        },
    ),
    Param::new(
        "enablereuse",
        "keep connections for further requests",
        "On",
        flag!(reuse, "EnableReuse must be On|Off"),
    ),
    Param::<MemberParams>::new(
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
    )
    .with(Effect::Later("fdpass backends are not available")),
    Param::<MemberParams>::new(
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
    )
    .with(Effect::Later(FLUSH)),
    Param::<MemberParams>::new(
        "flushwait",
        "how long flushpackets=auto waits for more (ms)",
        "20",
        int!(
            flush_wait_ms,
            0..=1000,
            "flushwait must be <= 1000, or 0 for system default of 10 millseconds."
        ),
    )
    .with(Effect::Later(FLUSH)),
    Param::<MemberParams>::new(
        "hcexpr",
        "the ProxyHCExpr that judges a health check",
        "ok",
        text!(hc_expr, 16, "Health check expr"),
    )
    .of(HCHECK)
    .with(Effect::Later(HEALTH)),
    Param::<MemberParams>::new(
        "hcfails",
        "failed checks that take a member out",
        "2",
        int!(hc_fails, ANY, "Fails must be a positive value"),
    )
    .of(HCHECK)
    .with(Effect::Later(HEALTH)),
    Param::<MemberParams>::new(
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
    .of(HCHECK)
    .with(Effect::Later(HEALTH)),
    Param::<MemberParams>::new(
        "hcmethod",
        "how to check a member's health",
        "HEAD",
        hc_method,
    )
    .of(HCHECK)
    .with(Effect::Later(HEALTH)),
    Param::<MemberParams>::new(
        "hcpasses",
        "passed checks that bring a member back",
        "2",
        int!(hc_passes, ANY, "Passes must be a positive value"),
    )
    .of(HCHECK)
    .with(Effect::Later(HEALTH)),
    Param::<MemberParams>::new(
        "hctemplate",
        "a ProxyHCTemplate to start from",
        "often",
        text!(hc_template, 64, "Health check template"),
    )
    .of(HCHECK)
    .with(Effect::Later(HEALTH)),
    Param::<MemberParams>::new(
        "hcuri",
        "what a health check asks for",
        "/alive",
        text!(hc_uri, 64, "Health check uri"),
    )
    .of(HCHECK)
    .with(Effect::Later(HEALTH)),
    Param::<MemberParams>::new(
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
    )
    .with(Effect::Moot),
    Param::new(
        "keepalive",
        "ask TCP to probe idle connections",
        "On",
        flag!(tcp_keepalive, "KeepAlive must be On|Off"),
    ),
    Param::new(
        "lbset",
        "the set of members it belongs to; lower sets are tried first",
        "1",
        int!(lbset, 0..=99, "lbset must be between 0 and 99"),
    ),
    Param::new(
        "loadfactor",
        "its share of requests, 1 to 100, relative to the others",
        "1.5",
        load_factor,
    ),
    Param::new(
        "max",
        "most connections of one child",
        "20",
        int!(max, ANY, "Max must be a positive number"),
    ),
    Param::<MemberParams>::new(
        "min",
        "pool entries made beforehand",
        "1",
        int!(min, ANY, "Min must be a positive number"),
    )
    .with(Effect::Moot),
    Param::new(
        "ping",
        "how long a backend may take to say that it wants a request's content (s)",
        "1",
        |params, given| {
            let message = "Ping/Pong timeout must be at least one millisecond";
            params.ping_ms = given.time(Unit::S, message, "Ping/Pong timeout has wrong format")?;
            Ok(())
        },
    ),
    Param::<MemberParams>::new(
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
    )
    .with(Effect::Later("the system chooses the size")),
    Param::new(
        "redirect",
        "the route to use instead when it cannot be used",
        "b",
        text!(redirect, 64, "Redirect"),
    ),
    Param::new(
        "responsefieldsize",
        "the longest response line or field (bytes)",
        "16384",
        int!(
            response_field_bytes,
            ANY,
            "ResponseFieldSize must be greater than 0 bytes, or 0 for system default."
        ),
    ),
    Param::new(
        "retry",
        "how long it rests after a failure (s)",
        "30",
        int!(retry_s, ANY, "Retry must be a positive value"),
    ),
    Param::new(
        "route",
        "the name that sticky sessions know it by",
        "a",
        text!(route, 64, "Route"),
    ),
    Param::<MemberParams>::new("secret", "the secret of AJP", "x", |params, given| {
        let value = given.short(64, "Secret")?;
        params.secret = given.set(Secret::new(value.get().map_or("", String::as_str)));
        Ok(())
    })
    .with(Effect::Later("AJP backends are not available")),
    Param::new(
        "smax",
        "idle connections above this number end after ttl",
        "5",
        int!(smax, ANY, "Smax must be a positive number"),
    ),
    Param::new(
        "status",
        "its state at start: letters of D S E H I N R C, with + or -",
        "+H",
        status,
    ),
    Param::new(
        "timeout",
        "how long to wait for the backend's bytes (s)",
        "30",
        int!(timeout_s, POSITIVE, "Timeout must be at least one second"),
    ),
    Param::new(
        "ttl",
        "how long connections above smax stay idle (s)",
        "60",
        int!(ttl_s, POSITIVE, "TTL must be at least one second"),
    ),
    Param::new(
        "upgrade",
        "protocols that requests may upgrade to; ANY is any, NONE none",
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

/// What happens instead of flushing on command.
const FLUSH: &str = "every piece is passed on as it arrives";
/// What happens instead of health checks.
const HEALTH: &str = "failed members are tried again after `retry` seconds";
const HCHECK: &str = "proxy_hcheck_module";

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

fn buffer_size(given: &Given<'_>, message: &str) -> Result<Setting<u32>, Fault> {
    let size = given.int(ANY, message)?;
    if matches!(size.or(0), 1..512) {
        Err(Fault::new(message))
    } else {
        Ok(size)
    }
}
