//! mod_status.

use crate::config::directive::{Arity, Contexts, Directive};

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "ExtendedStatus",
        "core_module",
        Arity::Flag,
        Contexts::SERVER,
        "keep what the status page says about each request",
        "ExtendedStatus On",
        |scope, args| {
            scope.build.config.extended_status = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On"),
    Directive::new(
        "SeeRequestTail",
        "core_module",
        Arity::Flag,
        Contexts::SERVER,
        "show the end of long request lines instead of their beginning",
        "SeeRequestTail On",
        |scope, args| {
            let on = args.flag()?;
            if on {
                scope.directive_is_later("SeeRequestTail On");
            }
            scope.build.config.see_request_tail = scope.set(on);
            Ok(())
        },
    )
    .default("Off"),
];
