//! The process model's sizes, as the configuration gives them.
//!
//! Responsible for: the numbers and which MPM they are for. Corrections (MaxSpareServers above MinSpareServers, limits) are made where the
//! shape is computed, with httpd's warnings.

use crate::config::setting::Setting;

/// The MPM to imitate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mpm {
    /// One connection per child.
    Prefork,
    /// Threads, one connection each.
    Worker,
    /// Threads, connections beyond them. The choice when nobody makes one.
    #[default]
    Event,
}

/// The names `MPM` and `LoadModule mpm_…_module` know.
pub const MPM_NAMES: [(&str, Mpm); 3] = [
    ("prefork", Mpm::Prefork),
    ("worker", Mpm::Worker),
    ("event", Mpm::Event),
];

impl Mpm {
    /// The name, as in `mpm_NAME_module`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prefork => "prefork",
            Self::Worker => "worker",
            Self::Event => "event",
        }
    }

    /// The identifier that `LoadModule` would use.
    pub fn identifier(self) -> &'static str {
        match self {
            Self::Prefork => "mpm_prefork_module",
            Self::Worker => "mpm_worker_module",
            Self::Event => "mpm_event_module",
        }
    }
}

/// Everything of the MPM directives. Unset means the default of the MPM in use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MpmSettings {
    /// `MPM` or `LoadModule mpm_…_module`; unset is [`Mpm::default`], event.
    pub mpm: Setting<Mpm>,
    /// `StartServers`.
    pub start_servers: Setting<u32>,
    /// `MinSpareServers`.
    pub min_spare_servers: Setting<u32>,
    /// `MaxSpareServers`.
    pub max_spare_servers: Setting<u32>,
    /// `MinSpareThreads`.
    pub min_spare_threads: Setting<u32>,
    /// `MaxSpareThreads`.
    pub max_spare_threads: Setting<u32>,
    /// `MaxRequestWorkers`, formerly `MaxClients`.
    pub max_request_workers: Setting<u32>,
    /// `ServerLimit`.
    pub server_limit: Setting<u32>,
    /// `ThreadsPerChild`.
    pub threads_per_child: Setting<u32>,
    /// `ThreadLimit`.
    pub thread_limit: Setting<u32>,
    /// `AsyncRequestWorkerFactor` in hundredths: 2 is 200.
    pub async_request_worker_factor_percent: Setting<u32>,
    /// `MaxConnectionsPerChild`, formerly `MaxRequestsPerChild`; 0 is unlimited.
    pub max_connections_per_child: Setting<u32>,
    /// `ListenBacklog`, default 511.
    pub listen_backlog: Setting<u32>,
    /// `GracefulShutdownTimeout`; 0 waits for ever.
    pub graceful_shutdown_timeout_s: Setting<u32>,
    /// `ListenCoresBucketsRatio`; 0 is off.
    pub listen_cores_buckets_ratio: Setting<u32>,
    /// `MaxMemFree`.
    pub max_mem_free_kib: Setting<u32>,
    /// `ThreadStackSize`.
    pub thread_stack_bytes: Setting<u32>,
    /// `SendBufferSize`; 0 is the system's.
    pub send_buffer_bytes: Setting<u32>,
    /// `ReceiveBufferSize`; 0 is the system's.
    pub receive_buffer_bytes: Setting<u32>,
}
