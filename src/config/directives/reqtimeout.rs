//! mod_reqtimeout: how long a client may take to send a request.

use crate::config::args::whole;
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::ReadTimeout;
use crate::config::scope::{Args, Complaint, Scope};

/// The entries.
pub(super) static TABLE: &[Directive] = &[Directive::new(
    "RequestReadTimeout",
    "reqtimeout_module",
    Arity::Raw,
    Contexts::SERVERS,
    "how long the stages of reading a request may take",
    "RequestReadTimeout handshake=5 header=20-40,MinRate=500 body=20,MinRate=500",
    apply,
)
.default("handshake=0 header=20-40,MinRate=500 body=20,MinRate=500")];

fn apply(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let message = "Invalid RequestReadTimeout parameter. Parameter must be in the form 'key=value'";
    for (index, word) in args.texts().enumerate() {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| args.complaint(index, message))?;
        let wrong = |why: &str| {
            let message = format!("RequestReadTimeout: {key}={value}: {why}");
            args.complaint_from(index, key.len() + 1, message)
        };
        let place = scope.place();
        let timeouts = &mut scope.server.request_read_timeout;
        let stage = match key.to_ascii_lowercase().as_str() {
            "handshake" => &mut timeouts.handshake,
            "header" => &mut timeouts.header,
            "body" => &mut timeouts.body,
            _ => {
                let complaint = wrong("Unknown RequestReadTimeout parameter");
                let key = args.words.get(index).map(|word| word.part(0..key.len()));
                return Err(match key {
                    Some(range) => complaint.over(range),
                    None => complaint,
                }
                .hint("the stages are `handshake`, `header` and `body`"));
            }
        };
        stage.set(read(value).map_err(|why| wrong(&why))?, place);
    }
    Ok(())
}

/// Reads `N`, `N-M,MinRate=R` or `N,MinRate=R`.
fn read(value: &str) -> Result<ReadTimeout, String> {
    let number = |text: &str| -> Result<u32, String> {
        let value = whole(text).ok_or_else(|| format!("Value '{text}' not numerical"))?;
        u32::try_from(value).map_err(|_| "Value must be non-negative".to_owned())
    };
    let (range, rate) = match value.split_once(',') {
        Some((range, rate)) => (range, Some(rate)),
        None => (value, None),
    };
    let min_rate = match rate {
        None => 0,
        Some(rate) => {
            let value = rate
                .split_once('=')
                .filter(|(key, _)| key.eq_ignore_ascii_case("MinRate"))
                .ok_or_else(|| format!("Cannot parse '{rate}'"))?;
            number(value.1)?
        }
    };
    if rate.is_some() && min_rate == 0 {
        return Err("Minimum data rate must be larger than 0".to_owned());
    }
    let (initial, max) = match range.split_once('-') {
        Some((initial, max)) => (number(initial)?, Some(number(max)?)),
        None => (number(range)?, None),
    };
    if max.is_some_and(|max| max <= initial) {
        return Err("Maximum timeout must be larger than initial timeout".to_owned());
    }
    if max.is_some() && rate.is_none() {
        return Err("Must set MinRate option if using timeout range".to_owned());
    }
    Ok(ReadTimeout {
        initial_s: initial,
        max_s: max,
        min_rate_bytes_per_s: min_rate,
    })
}
