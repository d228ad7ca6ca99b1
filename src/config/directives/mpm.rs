//! The process model's directives.
//!
//! Know first: numbers that make no sense (`MaxSpareServers` below `MinSpareServers`) are corrected where the shape is computed, not here.

use crate::config::args::whole;
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::MpmSettings;
use crate::config::modules::{MPM_COMMON, MPM_THREADED};
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::setting::Setting;

const SERVER: Contexts = Contexts::SERVER;
const CORE: &str = "core_module";
const PREFORK: &str = "mpm_prefork_module";
const EVENT: &str = "mpm_event_module";

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::read(
        "MPM",
        CORE,
        "which process model to use: prefork, worker or event",
        "MPM prefork",
    )
    .default("event"),
    Directive::new(
        "StartServers",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "children started at first",
        "StartServers 5",
        |scope, args| set(scope, args, |mpm| &mut mpm.start_servers),
    )
    .default("5 (prefork), 3"),
    Directive::new(
        "MinSpareServers",
        PREFORK,
        Arity::One,
        SERVER,
        "fewest idle children",
        "MinSpareServers 5",
        |scope, args| set(scope, args, |mpm| &mut mpm.min_spare_servers),
    )
    .default("5"),
    Directive::new(
        "MaxSpareServers",
        PREFORK,
        Arity::One,
        SERVER,
        "most idle children",
        "MaxSpareServers 10",
        |scope, args| set(scope, args, |mpm| &mut mpm.max_spare_servers),
    )
    .default("10"),
    Directive::new(
        "MinSpareThreads",
        MPM_THREADED,
        Arity::One,
        SERVER,
        "fewest idle threads",
        "MinSpareThreads 75",
        |scope, args| set(scope, args, |mpm| &mut mpm.min_spare_threads),
    )
    .default("75"),
    Directive::new(
        "MaxSpareThreads",
        MPM_THREADED,
        Arity::One,
        SERVER,
        "most idle threads",
        "MaxSpareThreads 250",
        |scope, args| set(scope, args, |mpm| &mut mpm.max_spare_threads),
    )
    .default("250"),
    Directive::new(
        "MaxRequestWorkers",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "most connections served at the same time",
        "MaxRequestWorkers 150",
        |scope, args| set(scope, args, |mpm| &mut mpm.max_request_workers),
    )
    .default("256 (prefork), 400"),
    Directive::new(
        "MaxClients",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "the old name of MaxRequestWorkers",
        "MaxClients 150",
        |scope, args| {
            scope.warn(
                Complaint::new("AH00188: MaxClients is deprecated, use MaxRequestWorkers instead.")
                    .hint("write `MaxRequestWorkers`"),
            );
            set(scope, args, |mpm| &mut mpm.max_request_workers)
        },
    ),
    Directive::new(
        "ServerLimit",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "most children, fixed at start",
        "ServerLimit 16",
        |scope, args| set(scope, args, |mpm| &mut mpm.server_limit),
    )
    .default("256 (prefork), 16"),
    Directive::new(
        "ThreadsPerChild",
        MPM_THREADED,
        Arity::One,
        SERVER,
        "threads of each child",
        "ThreadsPerChild 25",
        |scope, args| set(scope, args, |mpm| &mut mpm.threads_per_child),
    )
    .default("25"),
    Directive::new(
        "ThreadLimit",
        MPM_THREADED,
        Arity::One,
        SERVER,
        "most threads of each child, fixed at start",
        "ThreadLimit 64",
        |scope, args| set(scope, args, |mpm| &mut mpm.thread_limit),
    )
    .default("64"),
    Directive::new(
        "ThreadStackSize",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "stack of each thread (bytes); accepted, the system's is used",
        "ThreadStackSize 262144",
        |scope, args| set(scope, args, |mpm| &mut mpm.thread_stack_bytes),
    ),
    Directive::new(
        "AsyncRequestWorkerFactor",
        EVENT,
        Arity::One,
        SERVER,
        "connections beyond its threads that a child takes, per idle thread",
        "AsyncRequestWorkerFactor 1.5",
        factor,
    )
    .default("2"),
    Directive::new(
        "MaxConnectionsPerChild",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "connections after which a child is replaced, 0 for never",
        "MaxConnectionsPerChild 10000",
        |scope, args| set(scope, args, |mpm| &mut mpm.max_connections_per_child),
    )
    .default("0"),
    Directive::new(
        "MaxRequestsPerChild",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "the old name of MaxConnectionsPerChild",
        "MaxRequestsPerChild 10000",
        |scope, args| {
            let message =
                "AH00545: MaxRequestsPerChild is deprecated, use MaxConnectionsPerChild instead.";
            scope.warn(Complaint::new(message).hint("write `MaxConnectionsPerChild`"));
            set(scope, args, |mpm| &mut mpm.max_connections_per_child)
        },
    ),
    Directive::new(
        "ListenBacklog",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "connections that may wait to be accepted",
        "ListenBacklog 511",
        |scope, args| {
            let backlog =
                args.number(0, 1..=i32::MAX.unsigned_abs(), "ListenBacklog must be > 0")?;
            scope.build.config.mpm.listen_backlog = scope.set(backlog);
            Ok(())
        },
    )
    .default("511"),
    Directive::new(
        "ListenCoresBucketsRatio",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "cores per group of listeners, 0 for one group",
        "ListenCoresBucketsRatio 8",
        |scope, args| {
            let ratio = args.number(
                0,
                0..=i32::MAX.unsigned_abs(),
                "ListenCoresBucketsRatio must be > 0",
            )?;
            scope.build.config.mpm.listen_cores_buckets_ratio = scope.set(ratio);
            Ok(())
        },
    )
    .default("0"),
    Directive::new(
        "GracefulShutdownTimeout",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "how long a graceful stop waits (s), 0 for ever",
        "GracefulShutdownTimeout 30",
        |scope, args| set(scope, args, |mpm| &mut mpm.graceful_shutdown_timeout_s),
    )
    .default("0"),
    Directive::new(
        "MaxMemFree",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "memory kept for reuse (KiB); accepted",
        "MaxMemFree 2048",
        |scope, args| set(scope, args, |mpm| &mut mpm.max_mem_free_kib),
    ),
    Directive::new(
        "SendBufferSize",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "the listeners' send buffer (bytes), 0 for the system's",
        "SendBufferSize 65536",
        |scope, args| {
            let bytes = buffer(
                args,
                "SendBufferSize must be >= 512 bytes, or 0 for system default.",
            )?;
            scope.build.config.mpm.send_buffer_bytes = scope.set(bytes);
            Ok(())
        },
    )
    .default("0"),
    Directive::new(
        "ReceiveBufferSize",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "the listeners' receive buffer (bytes), 0 for the system's",
        "ReceiveBufferSize 65536",
        |scope, args| {
            let bytes = buffer(
                args,
                "ReceiveBufferSize must be >= 512 bytes, or 0 for system default.",
            )?;
            scope.build.config.mpm.receive_buffer_bytes = scope.set(bytes);
            Ok(())
        },
    )
    .default("0"),
    Directive::new(
        "PidFile",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "where the parent's process id is written",
        "PidFile run/tine.pid",
        |scope, args| {
            let paths = &mut scope.build.config.paths;
            paths.pid_file = paths.server_root.join(args.text(0));
            Ok(())
        },
    ),
    Directive::new(
        "ScoreBoardFile",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "the file that the scoreboard is mapped from",
        "ScoreBoardFile run/scoreboard",
        |scope, args| {
            let paths = &mut scope.build.config.paths;
            paths.scoreboard_file = paths.server_root.join(args.text(0));
            Ok(())
        },
    ),
    Directive::new(
        "CoreDumpDirectory",
        MPM_COMMON,
        Arity::One,
        SERVER,
        "where a child that crashes leaves its core",
        "CoreDumpDirectory /tmp",
        |scope, args| {
            let path = scope.build.config.paths.server_root.join(args.text(0));
            if !path.is_dir() {
                let message = format!(
                    "CoreDumpDirectory {} does not exist or is not a directory",
                    path.display()
                );
                return Err(args.complaint(0, message));
            }
            scope.directive_is_later("CoreDumpDirectory");
            scope.build.config.paths.core_dump_dir = Some(path);
            Ok(())
        },
    ),
];

/// Stores a whole number.
fn set(
    scope: &mut Scope<'_>,
    args: &Args<'_>,
    field: fn(&mut MpmSettings) -> &mut Setting<u32>,
) -> Result<(), Complaint> {
    let message = format!("{} must be a non-negative integer", args.directive.name);
    let value = args.number(0, 0..=i32::MAX.unsigned_abs(), &message)?;
    let place = scope.place();
    field(&mut scope.build.config.mpm).set(value, place);
    Ok(())
}

fn buffer(args: &Args<'_>, message: &str) -> Result<u32, Complaint> {
    match args.number(0, 0..=i32::MAX.unsigned_abs(), message)? {
        1..512 => Err(args.complaint(0, message)),
        bytes => Ok(bytes),
    }
}

/// Reads a positive number with up to two decimals, in hundredths.
fn factor(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let complaint = || args.complaint(0, "AsyncRequestWorkerFactor must be a positive number");
    let text = args.text(0);
    let (integer, decimals) = text.split_once('.').unwrap_or((text, ""));
    let hundredths: String = decimals.chars().chain("00".chars()).take(2).collect();
    let number = |text: &str| {
        whole(text)
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value < 1_000_000)
    };
    let percent =
        number(integer).ok_or_else(complaint)? * 100 + number(&hundredths).ok_or_else(complaint)?;
    if percent == 0 {
        return Err(complaint());
    }
    scope.build.config.mpm.async_request_worker_factor_percent = scope.set(percent);
    Ok(())
}
