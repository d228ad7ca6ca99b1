//! httpd's core: how requests are read – timeouts, limits and strictness.

use crate::config::args::{Unit, choice, time_ms, whole};
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::{EncodedSlashes, Trace};
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::setting::Setting;

const CORE: &str = "core_module";
const SERVERS: Contexts = Contexts::SERVERS;
const ANYWHERE: Contexts = Contexts::ANYWHERE;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "Timeout",
        CORE,
        Arity::One,
        SERVERS,
        "how long to wait for bytes from either side (s)",
        "Timeout 30",
        |scope, args| {
            let seconds = args.number(
                0,
                1..=i32::MAX.unsigned_abs(),
                "Timeout must be at least one second",
            )?;
            scope.server.timeout_s = scope.set(seconds);
            Ok(())
        },
    )
    .default("60"),
    Directive::new(
        "KeepAlive",
        CORE,
        Arity::Flag,
        SERVERS,
        "keep client connections for further requests",
        "KeepAlive On",
        |scope, args| {
            scope.server.keep_alive = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On"),
    Directive::new(
        "KeepAliveTimeout",
        CORE,
        Arity::One,
        SERVERS,
        "how long an idle client connection stays (s, or with ms)",
        "KeepAliveTimeout 500ms",
        keep_alive_timeout,
    )
    .default("5"),
    Directive::new(
        "MaxKeepAliveRequests",
        CORE,
        Arity::One,
        SERVERS,
        "most requests of one client connection, 0 for any number",
        "MaxKeepAliveRequests 1000",
        |scope, args| {
            let count = args.number(
                0,
                0..=i32::MAX.unsigned_abs(),
                "MaxKeepAliveRequests must be a non-negative integer (0 = no limit)",
            )?;
            scope.server.max_keep_alive_requests = scope.set(count);
            Ok(())
        },
    )
    .default("100"),
    Directive::new(
        "LimitRequestLine",
        CORE,
        Arity::One,
        SERVERS,
        "the longest request line (bytes)",
        "LimitRequestLine 4000",
        |scope, args| {
            let bytes = args.number(
                0,
                0..=i32::MAX.unsigned_abs(),
                &limit_message("LimitRequestLine", args, ""),
            )?;
            scope.server.limits.line_bytes = scope.set(bytes);
            Ok(())
        },
    )
    .default("8190"),
    Directive::new(
        "LimitRequestFieldSize",
        CORE,
        Arity::One,
        SERVERS,
        "the longest request field (bytes)",
        "LimitRequestFieldSize 4000",
        |scope, args| {
            let bytes = args.number(
                0,
                0..=i32::MAX.unsigned_abs(),
                &limit_message("LimitRequestFieldsize", args, ""),
            )?;
            scope.server.limits.field_bytes = scope.set(bytes);
            Ok(())
        },
    )
    .default("8190"),
    Directive::new(
        "LimitRequestFields",
        CORE,
        Arity::One,
        SERVERS,
        "most fields of a request, 0 for any number",
        "LimitRequestFields 50",
        |scope, args| {
            let count = args.number(
                0,
                0..=i32::MAX.unsigned_abs(),
                &limit_message("LimitRequestFields", args, " (0 = no limit)"),
            )?;
            scope.server.limits.fields = scope.set(count);
            Ok(())
        },
    )
    .default("100"),
    Directive::new(
        "LimitRequestBody",
        CORE,
        Arity::One,
        ANYWHERE,
        "the longest content of a request (bytes), 0 for any",
        "LimitRequestBody 1048576",
        limit_body,
    )
    .default("0"),
    Directive::new(
        "LimitInternalRecursion",
        CORE,
        Arity::OneOrTwo,
        SERVERS,
        "how often a request may be redirected inside the server",
        "LimitInternalRecursion 10 10",
        |scope, args| {
            scope.server.limit_internal_recursion =
                recursion_limit(scope, args, 0, "AH00119: Limiting internal redirects")?;
            if args.words.len() > 1 {
                recursion_limit(scope, args, 1, "AH00120: Limiting depth of subrequests")?;
            }
            Ok(())
        },
    )
    .default("10")
    .long("The second number bounds how deep look-ups are nested, which they never are: DirectoryIndex alone makes any."),
    Directive::new(
        "TraceEnable",
        CORE,
        Arity::One,
        SERVERS,
        "what becomes of TRACE requests",
        "TraceEnable Off",
        |scope, args| {
            let choices = [
                ("off", Trace::Off),
                ("on", Trace::On),
                ("extended", Trace::Extended),
            ];
            let value = choice(args.text(0), &choices);
            let value = value.ok_or_else(|| {
                args.complaint(0, "TraceEnable must be one of 'on', 'off', or 'extended'")
            })?;
            scope.server.trace_enable = scope.set(value);
            Ok(())
        },
    )
    .default("On"),
    Directive::new(
        "AllowEncodedSlashes",
        CORE,
        Arity::One,
        SERVERS,
        "what becomes of %2F in a path",
        "AllowEncodedSlashes NoDecode",
        |scope, args| {
            let choices = [
                ("off", EncodedSlashes::Off),
                ("on", EncodedSlashes::On),
                ("nodecode", EncodedSlashes::NoDecode),
            ];
            let value = choice(args.text(0), &choices);
            let value = value.ok_or_else(|| {
                args.complaint(0, "AllowEncodedSlashes must be On, Off, or NoDecode")
            })?;
            scope.server.allow_encoded_slashes = scope.set(value);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "MergeSlashes",
        CORE,
        Arity::Flag,
        SERVERS,
        "several slashes in a path are one",
        "MergeSlashes Off",
        |scope, args| {
            scope.server.merge_slashes = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On"),
    Directive::new(
        "StrictHostCheck",
        CORE,
        Arity::Flag,
        SERVERS,
        "refuse requests for names that no server has",
        "StrictHostCheck On",
        |scope, args| {
            scope.server.strict_host_check = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "HttpProtocolOptions",
        CORE,
        Arity::OneOrMore,
        SERVERS,
        "how strictly requests are read",
        "HttpProtocolOptions Strict LenientMethods Require1.0",
        protocol_options,
    )
    .default("Strict LenientMethods Require1.0"),
    Directive::new(
        "RegisterHttpMethod",
        CORE,
        Arity::OneOrMore,
        Contexts::SERVER,
        "methods that count as registered",
        "RegisterHttpMethod BREW",
        |scope, args| {
            let words = args.texts().map(str::to_owned);
            scope.server.own_methods.extend(words);
            Ok(())
        },
    ),
];

/// One number of LimitInternalRecursion; a small one is warned about, in httpd's words.
fn recursion_limit(
    scope: &mut Scope<'_>,
    args: &Args<'_>,
    index: usize,
    what: &str,
) -> Result<Setting<u32>, Complaint> {
    let message = "The recursion limit must be greater than zero.";
    let limit = args.number(index, 1..=i32::MAX.unsigned_abs(), message)?;
    if limit < 4 {
        let message = format!("{what} to very low numbers may cause normal requests to fail.");
        scope.warn(args.complaint(index, message));
    }
    Ok(scope.set(limit))
}

fn limit_message(name: &str, args: &Args<'_>, tail: &str) -> String {
    format!(
        "{name} \"{}\" must be a non-negative integer{tail}",
        args.text(0)
    )
}

fn keep_alive_timeout(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let ms = time_ms(args.text(0), Unit::S).and_then(|ms| u32::try_from(ms).ok());
    let ms = ms.ok_or_else(|| args.complaint(0, "KeepAliveTimeout has wrong format"))?;
    scope.server.keep_alive_timeout_ms = scope.set(ms);
    Ok(())
}

fn limit_body(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let bytes = whole(args.text(0)).and_then(|bytes| u64::try_from(bytes).ok());
    let bytes = bytes
        .ok_or_else(|| args.complaint(0, "LimitRequestBody requires a non-negative integer."))?;
    scope.dir.limit_body_bytes = scope.set(bytes);
    Ok(())
}

fn protocol_options(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let pairs = [
        ("Strict", "Unsafe"),
        ("RegisteredMethods", "LenientMethods"),
        ("Allow0.9", "Require1.0"),
    ];
    let mut chosen = [None; 3];
    for (index, word) in args.texts().enumerate() {
        let found = pairs.iter().zip(&mut chosen).find_map(|((yes, no), slot)| {
            let value = choice(word, &[(yes, true), (no, false)])?;
            Some((yes, no, value, slot))
        });
        let Some((yes, no, value, slot)) = found else {
            let message = "HttpProtocolOptions accepts 'Unsafe' or 'Strict' (default), 'RegisteredMethods' or \
                           'LenientMethods' (default), and 'Require1.0' or 'Allow0.9' (default)";
            return Err(args.complaint(index, message));
        };
        if slot.is_some_and(|earlier| earlier != value) {
            return Err(args.complaint(
                index,
                format!("HttpProtocolOptions '{yes}' and '{no}' are mutually exclusive"),
            ));
        }
        *slot = Some(value);
    }
    let [strict, registered, allow] = chosen;
    if allow == Some(true) {
        let old = args
            .texts()
            .position(|word| word.eq_ignore_ascii_case("Allow0.9"));
        let message = "HTTP/0.9 requests are answered with 400 whatever HttpProtocolOptions says";
        scope.warn(args.complaint(old.unwrap_or(0), message));
    }
    let place = scope.place();
    let options = &mut scope.server.http_protocol_options;
    for (field, value) in [
        (&mut options.strict, strict),
        (&mut options.registered_methods, registered),
        (&mut options.allow_http09, allow),
    ] {
        if let Some(value) = value {
            field.set(value, place);
        }
    }
    Ok(())
}
