//! How large things are: processes from the configuration's directives, and the scoreboard from those.

use scoreboard::{Capacity, Liveness, Reader};

use crate::config::Config;
use crate::config::model;
use crate::mpm::{Limits, Mpm, Settled};
use crate::proxy;
use crate::sys::{clock, process};

/// Balancers and members that a restart may add beyond what the first configuration has; more than that needs a stop
/// and a start, because the mapping can't grow under running children.
const SPARE_BALANCERS: u32 = 64;
const SPARE_MEMBERS: u32 = 512;

/// The process model that a configuration gets.
pub(crate) fn mpm(config: &Config) -> model::Mpm {
    config.mpm.mpm.or(model::Mpm::default())
}

/// The process sizes in force, with the warnings about corrected ones.
pub(super) fn settle(config: &Config) -> (Settled, Vec<String>) {
    let mpm = match mpm(config) {
        model::Mpm::Prefork => Mpm::Prefork,
        model::Mpm::Worker => Mpm::Worker,
        model::Mpm::Event => Mpm::Event,
    };
    let given = &config.mpm;
    let limits = Limits {
        start_servers: given.start_servers.get().copied(),
        min_spare_servers: given.min_spare_servers.get().copied(),
        max_spare_servers: given.max_spare_servers.get().copied(),
        min_spare_threads: given.min_spare_threads.get().copied(),
        max_spare_threads: given.max_spare_threads.get().copied(),
        max_request_workers: given.max_request_workers.get().copied(),
        server_limit: given.server_limit.get().copied(),
        threads_per_child: given.threads_per_child.get().copied(),
        thread_limit: given.thread_limit.get().copied(),
        async_request_worker_factor_percent: given
            .async_request_worker_factor_percent
            .get()
            .copied(),
        max_connections_per_child: given.max_connections_per_child.get().copied(),
        graceful_shutdown_timeout_s: given.graceful_shutdown_timeout_s.get().copied(),
        listen_backlog: given.listen_backlog.get().copied(),
        listen_cores_buckets_ratio: given.listen_cores_buckets_ratio.get().copied(),
    };
    limits.settle(mpm, process::cores())
}

/// What the scoreboard must hold.
pub(super) fn capacity(config: &Config, settled: &Settled) -> Capacity {
    let (balancers, members) = proxy::records(config);
    let growth = config.main.proxy.growth.or(5);
    Capacity {
        processes: settled.process_records(),
        slots_per_process: settled.shape.slots,
        balancers: balancers.saturating_add(growth + SPARE_BALANCERS),
        members: members.saturating_add(SPARE_MEMBERS),
    }
}

/// Whether a mapping made earlier holds what a new configuration needs.
///
/// # Errors
/// What does not fit, and the cure.
pub(super) fn check_room(have: Capacity, need: &Capacity) -> Result<(), String> {
    let rows = [
        (
            "children (MaxRequestWorkers, ServerLimit)",
            have.processes,
            need.processes,
        ),
        (
            "requests per child (ThreadsPerChild)",
            have.slots_per_process,
            need.slots_per_process,
        ),
        (
            "balancers",
            have.balancers,
            need.balancers.saturating_sub(SPARE_BALANCERS),
        ),
        (
            "members",
            have.members,
            need.members.saturating_sub(SPARE_MEMBERS),
        ),
    ];
    match rows.iter().find(|(_, have, need)| need > have) {
        None => Ok(()),
        Some((what, have, need)) => Err(format!(
            "the scoreboard has room for {have} {what}, the new configuration needs {need}: stop and start the server"
        )),
    }
}

/// Whether the scoreboard was left by a server that did not stop in order.
pub(super) fn was_running(earlier: &Reader) -> bool {
    let now_ms = clock::now().unix_ms();
    let is_dead = matches!(earlier.state(now_ms), Ok(Liveness::Dead));
    is_dead
        && earlier
            .snapshot()
            .is_ok_and(|snapshot| snapshot.global.state != Some(scoreboard::ServerState::Stopped))
}

/// The parent that keeps a scoreboard, when it is a living process other than this one.
pub(super) fn living_owner(earlier: &Reader) -> Option<u32> {
    let now_ms = clock::now().unix_ms();
    let lives = matches!(
        earlier.state(now_ms),
        Ok(Liveness::Live | Liveness::Hung { .. })
    );
    let owner = earlier.snapshot().ok().filter(|_| lives)?.global.parent_pid;
    (owner != process::Pid::ours().number()).then_some(owner)
}
