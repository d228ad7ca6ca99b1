//! The keys of balancers.

use super::{ANY, Effect, Fault, Given, POSITIVE, Param, flag, int};
use crate::config::model::{BalancerParams, Nonce, Secret, Separator, Sticky};

/// The keys of balancers.
pub static BALANCER_PARAMS: &[Param<BalancerParams>] = &[
    Param::new(
        "failonstatus",
        "response codes that put a member in error",
        "500,503",
        fail_on_status,
    ),
    Param::new(
        "failontimeout",
        "a backend that is too slow is in error",
        "On",
        flag!(fail_on_timeout, "failontimeout must be On|Off"),
    ),
    Param::new(
        "forcerecovery",
        "when all members are in error, try them at once",
        "Off",
        flag!(force_recovery, "forcerecovery must be On|Off"),
    ),
    Param::<BalancerParams>::new(
        "growth",
        "members that may be added while running",
        "10",
        int!(growth, 1..=100, "growth must be between 1 and 100"),
    )
    .with(Effect::Later("members are added by a graceful restart")),
    Param::new(
        "lbmethod",
        "how members are chosen",
        "bybusyness",
        |params, given| {
            params.lbmethod = given.set(given.value.to_ascii_lowercase());
            Ok(())
        },
    ),
    Param::new(
        "maxattempts",
        "further tries after the first",
        "2",
        int!(
            max_attempts,
            ANY,
            "maximum number of attempts must be a positive number"
        ),
    ),
    Param::new(
        "nofailover",
        "a sticky session ends with its member",
        "On",
        flag!(no_failover, "failover must be On|Off"),
    ),
    Param::<BalancerParams>::new(
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
    )
    .with(Effect::Later(
        "the manager's page only shows, so that it needs none",
    )),
    Param::new(
        "scolonpathdelim",
        "a semicolon ends the session's URL parameter",
        "On",
        flag!(semicolon_ends_value, "scolonpathdelim must be On|Off"),
    ),
    Param::new(
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
    Param::new(
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
    Param::<BalancerParams>::new(
        "timeout",
        "how long to wait for a usable member (s)",
        "5",
        int!(timeout_s, POSITIVE, "timeout must be at least one second"),
    )
    .with(Effect::Later(
        "a request that finds no usable member is answered with 503 at once",
    )),
];

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
