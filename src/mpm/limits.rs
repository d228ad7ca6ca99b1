//! What the MPM directives come to.
//!
//! Responsible for: httpd's defaults, its corrections with its warnings, and the shape that follows. Pure: numbers in, numbers and warnings
//! out. Not responsible for: parsing, and not for how many children run at a moment, see `spare`.
//!
//! Know first: MaxRequestWorkers and ThreadsPerChild mean what they mean in httpd, how many requests are worked on at once. They do not say
//! how many OS threads run: that is `Shape::threads`. Where the sizes of `event` are not configured at all, one child per core shares 4,096
//! slots (httpd: 400).
//!
//! httpd: `prefork_check_config`, `worker_check_config`, `event_check_config`.

use super::{Mpm, Shape};
use std::time::Duration;

/// The directives as configured; `None` is "not set".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `StartServers`
    pub start_servers: Option<u32>,
    /// `MinSpareServers`
    pub min_spare_servers: Option<u32>,
    /// `MaxSpareServers`
    pub max_spare_servers: Option<u32>,
    /// `MinSpareThreads`
    pub min_spare_threads: Option<u32>,
    /// `MaxSpareThreads`
    pub max_spare_threads: Option<u32>,
    /// `MaxRequestWorkers`
    pub max_request_workers: Option<u32>,
    /// `ServerLimit`
    pub server_limit: Option<u32>,
    /// `ThreadsPerChild`
    pub threads_per_child: Option<u32>,
    /// `ThreadLimit`
    pub thread_limit: Option<u32>,
    /// `AsyncRequestWorkerFactor` in hundredths
    pub async_request_worker_factor_percent: Option<u32>,
    /// `MaxConnectionsPerChild`
    pub max_connections_per_child: Option<u32>,
    /// `GracefulShutdownTimeout` in seconds
    pub graceful_shutdown_timeout_s: Option<u32>,
    /// `ListenBacklog`
    pub listen_backlog: Option<u32>,
    /// `ListenCoresBucketsRatio`
    pub listen_cores_buckets_ratio: Option<u32>,
}

/// The sizes in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which model.
    pub mpm: Mpm,
    /// How the server is cut.
    pub shape: Shape,
    /// Children at start.
    pub start: u32,
    /// Fewer idle slots than this, and children are forked. For prefork a slot is a child.
    pub spare_min: u32,
    /// More idle slots than this, and a child is retired.
    pub spare_max: u32,
    /// Requests worked on at once, at most: children × slots.
    pub max_request_workers: u32,
    /// A child ends after this many connections.
    pub max_connections_per_child: Option<u32>,
    /// How long a graceful stop may take; `None` is for ever.
    pub graceful_shutdown_timeout: Option<Duration>,
    /// The backlog of listeners.
    pub listen_backlog: u32,
    /// `ServerLimit`.
    pub server_limit: u32,
}

impl Settled {
    /// Process records that the scoreboard should have: those that serve, as many again that drain after a graceful restart, and a
    /// health checker for each.
    #[must_use]
    pub fn process_records(&self) -> u32 {
        let both = self.shape.children_max.saturating_mul(2);
        both.max(self.server_limit).saturating_add(2)
    }
}

impl Limits {
    /// Correct the directives for `mpm` on a machine with `cores` processors. The warnings are for the operator.
    #[must_use]
    pub fn settle(&self, mpm: Mpm, cores: u32) -> (Settled, Vec<String>) {
        let mut warnings = Vec::new();
        if self.listen_cores_buckets_ratio.unwrap_or(0) > 0 {
            warnings.push(
                "ListenCoresBucketsRatio has no effect: a new connection wakes one child in any case"
                    .to_owned(),
            );
        }
        let settled = match mpm {
            Mpm::Prefork => self.prefork(&mut warnings),
            Mpm::Worker | Mpm::Event => self.threaded(mpm, cores.max(1), &mut warnings),
        };
        (settled, warnings)
    }

    fn prefork(&self, warnings: &mut Vec<String>) -> Settled {
        let server_limit = self.server_limit(PREFORK_SERVERS, PREFORK_SERVERS_MAX, warnings);
        let workers = at_least_one(
            "MaxRequestWorkers",
            self.max_request_workers.unwrap_or(PREFORK_SERVERS),
            warnings,
        );
        if workers > server_limit {
            warnings.push(format!(
                "WARNING: MaxRequestWorkers of {workers} exceeds ServerLimit value of {server_limit} servers, decreasing \
                 MaxRequestWorkers to {server_limit}. To increase, please see the ServerLimit directive."
            ));
        }
        let children_max = workers.min(server_limit);
        let spare_min = at_least_one(
            "MinSpareServers",
            self.min_spare_servers.unwrap_or(5),
            warnings,
        );
        let shape = Shape {
            children_max,
            threads: 1,
            connections: 1,
            exchanges: 1,
            slots: 1,
        };
        let spare = (spare_min, self.max_spare_servers.unwrap_or(10));
        self.settled(Mpm::Prefork, shape, 5, spare, server_limit, warnings)
    }

    fn threaded(&self, mpm: Mpm, cores: u32, warnings: &mut Vec<String>) -> Settled {
        let is_unsized = [
            self.max_request_workers,
            self.threads_per_child,
            self.server_limit,
            self.thread_limit,
        ] == [None; 4];
        if mpm == Mpm::Event && is_unsized {
            return self.event_by_cores(cores, warnings);
        }
        let server_limit = self.server_limit(THREADED_SERVERS, THREADED_SERVERS_MAX, warnings);
        let slots = self.slots_per_child(warnings);
        let children_max = self.children_max(slots, server_limit, warnings);
        let shape = match mpm {
            Mpm::Prefork | Mpm::Worker => Shape {
                children_max,
                threads: slots,
                connections: 1,
                exchanges: 1,
                slots,
            },
            Mpm::Event => self.event_shape(children_max, slots, cores),
        };
        let spare = self.spare_threads(75, 250, warnings);
        self.settled(mpm, shape, 3, spare, server_limit, warnings)
    }

    /// Nothing was said about sizes: one child per core, all started, none ever retired.
    fn event_by_cores(&self, cores: u32, warnings: &mut Vec<String>) -> Settled {
        let slots = EVENT_SLOTS.div_ceil(cores);
        let shape = self.event_shape(cores, slots, cores);
        let spare = self.spare_threads(75, slots * cores, warnings);
        self.settled(Mpm::Event, shape, cores, spare, cores, warnings)
    }

    /// `event`: as many loops as there are cores, and httpd's bound on connections, ThreadsPerChild + factor × idle threads, dealt out.
    fn event_shape(&self, children_max: u32, slots: u32, cores: u32) -> Shape {
        let threads = slots.min((cores / children_max).max(1));
        let factor = u64::from(self.async_request_worker_factor_percent.unwrap_or(200));
        let connections = u64::from(slots) + u64::from(slots) * factor / 100;
        let connections = u32::try_from(connections)
            .unwrap_or(u32::MAX)
            .max(EVENT_CONNECTIONS_MIN);
        Shape {
            children_max,
            threads,
            connections: connections.div_ceil(threads),
            exchanges: slots.div_ceil(threads),
            slots,
        }
    }

    fn server_limit(&self, default: u32, hard_max: u32, warnings: &mut Vec<String>) -> u32 {
        let limit = self.server_limit.unwrap_or(default);
        if limit > hard_max {
            warnings.push(format!(
                "WARNING: ServerLimit of {limit} exceeds compile-time limit of {hard_max} servers, decreasing to {hard_max}."
            ));
        }
        at_least_one("ServerLimit", limit.min(hard_max), warnings)
    }

    fn slots_per_child(&self, warnings: &mut Vec<String>) -> u32 {
        let limit = self.thread_limit.unwrap_or(THREADS_LIMIT);
        if limit > THREADS_LIMIT_MAX {
            warnings.push(format!(
                "WARNING: ThreadLimit of {limit} exceeds compile-time limit of {THREADS_LIMIT_MAX} threads, decreasing to \
                 {THREADS_LIMIT_MAX}."
            ));
        }
        let limit = at_least_one("ThreadLimit", limit.min(THREADS_LIMIT_MAX), warnings);
        let threads = self.threads_per_child.unwrap_or(THREADS);
        if threads > limit {
            warnings.push(format!(
                "WARNING: ThreadsPerChild of {threads} exceeds ThreadLimit value of {limit} threads, decreasing ThreadsPerChild to \
                 {limit}. To increase, please see the ThreadLimit directive."
            ));
        }
        at_least_one("ThreadsPerChild", threads.min(limit), warnings)
    }

    fn children_max(&self, slots: u32, server_limit: u32, warnings: &mut Vec<String>) -> u32 {
        let mut workers = self.max_request_workers.unwrap_or(THREADED_WORKERS);
        if workers < slots {
            warnings.push(format!(
                "WARNING: MaxRequestWorkers of {workers} is less than ThreadsPerChild of {slots}, increasing to {slots}. \
                 MaxRequestWorkers must be at least as large as the number of threads in a single server."
            ));
            workers = slots;
        }
        let children = workers / slots;
        if !workers.is_multiple_of(slots) {
            warnings.push(format!(
                "WARNING: MaxRequestWorkers of {workers} is not an integer multiple of ThreadsPerChild of {slots}, decreasing to \
                 nearest multiple {}, for a maximum of {children} servers.",
                children * slots
            ));
        }
        if children > server_limit {
            warnings.push(format!(
                "WARNING: MaxRequestWorkers of {workers} would require {children} servers and would exceed ServerLimit of \
                 {server_limit}, decreasing to {}. To increase, please see the ServerLimit directive.",
                server_limit * slots
            ));
        }
        children.min(server_limit)
    }

    fn spare_threads(&self, min: u32, max: u32, warnings: &mut Vec<String>) -> (u32, u32) {
        let min = self.min_spare_threads.unwrap_or(min);
        let min = at_least_one("MinSpareThreads", min, warnings);
        (min, self.max_spare_threads.unwrap_or(max))
    }

    fn settled(
        &self,
        mpm: Mpm,
        shape: Shape,
        start: u32,
        (spare_min, spare_max): (u32, u32),
        server_limit: u32,
        warnings: &mut Vec<String>,
    ) -> Settled {
        let start = self.start_servers.unwrap_or(start);
        let start = at_least_one("StartServers", start, warnings).min(shape.children_max);
        let timeout = self.graceful_shutdown_timeout_s.filter(|s| *s > 0);
        Settled {
            mpm,
            shape,
            start,
            spare_min,
            // Closer together, a child would be retired and forked again for ever; httpd raises the maximum without a word.
            spare_max: spare_max.max(spare_min.saturating_add(shape.slots)),
            max_request_workers: shape.children_max.saturating_mul(shape.slots),
            max_connections_per_child: self.max_connections_per_child.filter(|max| *max > 0),
            graceful_shutdown_timeout: timeout.map(|s| Duration::from_secs(s.into())),
            listen_backlog: self.listen_backlog.unwrap_or(511).max(1),
            server_limit,
        }
    }
}

fn at_least_one(directive: &str, value: u32, warnings: &mut Vec<String>) -> u32 {
    if value == 0 {
        warnings.push(format!(
            "WARNING: {directive} of 0 not allowed, increasing to 1."
        ));
    }
    value.max(1)
}

const PREFORK_SERVERS: u32 = 256;
const PREFORK_SERVERS_MAX: u32 = 200_000;
const THREADED_SERVERS: u32 = 16;
const THREADED_SERVERS_MAX: u32 = 20_000;
const THREADED_WORKERS: u32 = 400;
const THREADS: u32 = 25;
const THREADS_LIMIT: u32 = 64;
const THREADS_LIMIT_MAX: u32 = 20_000;
const EVENT_SLOTS: u32 = 4096;

/// An idle connection costs a few hundred bytes here, not a thread, so an event child always takes at least so many,
/// however few requests it may work on at once.
const EVENT_CONNECTIONS_MIN: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(limits: &Limits, mpm: Mpm, cores: u32) -> (u32, u32, u32, u32, u32) {
        let shape = limits.settle(mpm, cores).0.shape;
        (
            shape.children_max,
            shape.threads,
            shape.connections,
            shape.exchanges,
            shape.slots,
        )
    }

    #[test]
    fn shapes() {
        let none = Limits::default();
        let httpds = Limits {
            max_request_workers: Some(400),
            threads_per_child: Some(25),
            ..none
        };
        let one_big = Limits {
            max_request_workers: Some(64),
            threads_per_child: Some(64),
            async_request_worker_factor_percent: Some(150),
            ..none
        };
        // children, loops, connections and exchanges per loop, slots per child
        let table = [
            (
                "prefork by default",
                none,
                Mpm::Prefork,
                8,
                (256, 1, 1, 1, 1),
            ),
            (
                "worker by default",
                none,
                Mpm::Worker,
                8,
                (16, 25, 1, 1, 25),
            ),
            (
                "event by default",
                none,
                Mpm::Event,
                8,
                (8, 1, 1536, 512, 512),
            ),
            (
                "event, one core",
                none,
                Mpm::Event,
                1,
                (1, 1, 12288, 4096, 4096),
            ),
            (
                "event, three cores",
                none,
                Mpm::Event,
                3,
                (3, 1, 4098, 1366, 1366),
            ),
            (
                "event as in httpd",
                httpds,
                Mpm::Event,
                8,
                (16, 1, 1024, 25, 25),
            ),
            (
                "event, few children",
                one_big,
                Mpm::Event,
                4,
                (1, 4, 256, 16, 64),
            ),
            (
                "cores unknown",
                one_big,
                Mpm::Event,
                0,
                (1, 1, 1024, 64, 64),
            ),
        ];
        for (name, limits, mpm, cores, expected) in table {
            assert_eq!(shape(&limits, mpm, cores), expected, "{name}");
        }
    }

    #[test]
    fn defaults_are_httpds() {
        let (prefork, warnings) = Limits::default().settle(Mpm::Prefork, 2);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(
            (prefork.start, prefork.spare_min, prefork.spare_max),
            (5, 5, 10)
        );
        assert_eq!(prefork.listen_backlog, 511);
        assert_eq!(prefork.max_connections_per_child, None);
        assert_eq!(prefork.graceful_shutdown_timeout, None);
        let (worker, _) = Limits::default().settle(Mpm::Worker, 2);
        assert_eq!(
            (worker.start, worker.spare_min, worker.spare_max),
            (3, 75, 250)
        );
        assert_eq!(worker.max_request_workers, 400);
    }

    #[test]
    fn event_by_cores_starts_all_and_retires_none() {
        let (event, warnings) = Limits::default().settle(Mpm::Event, 4);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!((event.start, event.spare_min), (4, 75));
        assert!(event.spare_max >= event.max_request_workers);
        assert_eq!(event.max_request_workers, 4096);
    }

    #[test]
    fn corrections_are_httpds_and_are_told() {
        let none = Limits::default();
        let table = [
            (
                "workers above ServerLimit",
                Mpm::Prefork,
                Limits {
                    max_request_workers: Some(300),
                    ..none
                },
                (
                    256,
                    "MaxRequestWorkers of 300 exceeds ServerLimit value of 256 servers",
                ),
            ),
            (
                "no workers at all",
                Mpm::Prefork,
                Limits {
                    max_request_workers: Some(0),
                    ..none
                },
                (1, "MaxRequestWorkers of 0 not allowed, increasing to 1"),
            ),
            (
                "no start servers",
                Mpm::Prefork,
                Limits {
                    start_servers: Some(0),
                    ..none
                },
                (256, "StartServers of 0 not allowed, increasing to 1"),
            ),
            (
                "no spare servers",
                Mpm::Prefork,
                Limits {
                    min_spare_servers: Some(0),
                    ..none
                },
                (256, "MinSpareServers of 0 not allowed, increasing to 1"),
            ),
            (
                "absurd ServerLimit",
                Mpm::Prefork,
                Limits {
                    server_limit: Some(300_000),
                    ..none
                },
                (
                    256,
                    "ServerLimit of 300000 exceeds compile-time limit of 200000 servers",
                ),
            ),
            (
                "fewer workers than threads",
                Mpm::Worker,
                Limits {
                    max_request_workers: Some(10),
                    ..none
                },
                (
                    25,
                    "MaxRequestWorkers of 10 is less than ThreadsPerChild of 25, increasing to 25",
                ),
            ),
            (
                "not a multiple",
                Mpm::Worker,
                Limits {
                    max_request_workers: Some(60),
                    ..none
                },
                (
                    50,
                    "not an integer multiple of ThreadsPerChild of 25, decreasing to nearest multiple 50",
                ),
            ),
            (
                "more servers than ServerLimit",
                Mpm::Worker,
                Limits {
                    max_request_workers: Some(500),
                    ..none
                },
                (
                    400,
                    "would require 20 servers and would exceed ServerLimit of 16, decreasing to 400",
                ),
            ),
            (
                "more threads than ThreadLimit",
                Mpm::Worker,
                Limits {
                    threads_per_child: Some(100),
                    ..none
                },
                (
                    384,
                    "ThreadsPerChild of 100 exceeds ThreadLimit value of 64 threads",
                ),
            ),
            (
                "buckets",
                Mpm::Prefork,
                Limits {
                    listen_cores_buckets_ratio: Some(8),
                    ..none
                },
                (256, "ListenCoresBucketsRatio has no effect"),
            ),
        ];
        for (name, mpm, limits, (workers, warning)) in table {
            let (settled, warnings) = limits.settle(mpm, 2);
            assert_eq!(settled.max_request_workers, workers, "{name}");
            assert!(
                warnings.iter().any(|w| w.contains(warning)),
                "{name}: {warnings:?}"
            );
        }
    }

    #[test]
    fn spares_are_kept_apart_and_start_within_the_limit() {
        let limits = Limits {
            start_servers: Some(50),
            min_spare_servers: Some(20),
            max_spare_servers: Some(10),
            max_request_workers: Some(30),
            ..Limits::default()
        };
        let (settled, _) = limits.settle(Mpm::Prefork, 2);
        assert_eq!(
            (settled.spare_min, settled.spare_max, settled.start),
            (20, 21, 30)
        );
        let limits = Limits {
            min_spare_threads: Some(100),
            max_spare_threads: Some(100),
            ..Limits::default()
        };
        let (settled, _) = limits.settle(Mpm::Worker, 2);
        assert_eq!((settled.spare_min, settled.spare_max), (100, 125));
    }

    #[test]
    fn zero_means_unlimited_where_httpd_says_so() {
        let limits = Limits {
            max_connections_per_child: Some(0),
            graceful_shutdown_timeout_s: Some(0),
            ..Limits::default()
        };
        let (settled, _) = limits.settle(Mpm::Prefork, 2);
        assert_eq!(settled.max_connections_per_child, None);
        assert_eq!(settled.graceful_shutdown_timeout, None);
    }

    #[test]
    fn the_scoreboard_has_room_for_a_generation_that_drains() {
        let (settled, _) = Limits::default().settle(Mpm::Event, 4);
        assert_eq!(settled.process_records(), 10);
    }
}
