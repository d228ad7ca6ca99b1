//! When which line of mod_proxy 2.2's traces is printed. The lines themselves are in `log/traces22.rs`.
//!
//! Responsible for: what a child says when it takes up its workers ([`Proxy::init_traces`]), and what is said of a request on its way
//! to a backend. Order and wording are an interface: operators have followed them for years.
//!
//! Know first: 2.2 numbered *ids* over all workers in the order of the configuration. A BalancerMember took two, one for the plain
//! worker of its URL and one for the balancer's copy, and `proxy:reverse` took the last one in each child. The configuration model has
//! counted them (`id22`, `slots22`). A slot that a child has set up once is `already initialized` for every later child of the same
//! server run; that is remembered in the scoreboard, in a word of the member's record.
//!
//! reference §12.6 and §12.7.

#[cfg(test)]
mod tests;

use super::Proxy;
use crate::balancer::{Balancer, Event};
use crate::config::model::{Config, MemberParams, Server};
use crate::log::Trace22;
use crate::request::Ask;
use scoreboard::{Board, BoardError, MemberInit, MemberScore, PLAIN, StatusBits};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Which word of shared memory remembers that the slot with an id was set up.
#[derive(Debug, Default)]
struct Slots {
    by_id: Vec<Option<&'static AtomicU64>>,
}

/// The names of httpd's catch-all workers.
const REVERSE: &str = "proxy:reverse";
pub(super) const FORWARD: &str = "proxy:forward";

/// Makes the records of httpd's catch-all workers, which the traces of its children name.
///
/// # Errors
/// The scoreboard has no room.
pub(super) fn register_catch_alls(
    config: &Config,
    board: &'static Board,
) -> Result<(), BoardError> {
    let has_forward = config
        .servers()
        .any(|server| server.proxy.forward_id22.is_some());
    for name in [Some(REVERSE), has_forward.then_some(FORWARD)]
        .into_iter()
        .flatten()
    {
        let status = StatusBits::IGNORE.with(StatusBits::GENERIC);
        board.register_member(
            PLAIN,
            name,
            &MemberInit {
                status,
                ..MemberInit::default()
            },
        )?;
    }
    Ok(())
}

impl Slots {
    fn find(config: &Config, board: &'static Board) -> Self {
        let mut slots = Self::default();
        slots.put(config.next_id22, record(board, "", REVERSE), 0);
        for server in config.servers() {
            for slot in &server.proxy.slots22 {
                match record(board, "", &slot.name) {
                    Some(worker) => slots.put(slot.id, Some(worker), 0),
                    // Only balancers use the URL: another word of the first member that has it.
                    None => slots.put(slot.id, any_record(board, &slot.name), 1),
                }
            }
            if let Some(id) = server.proxy.forward_id22 {
                slots.put(id, record(board, "", FORWARD), 0);
            }
            for balancer in &server.proxy.balancers {
                for member in &balancer.members {
                    slots.put(
                        member.id22,
                        record(board, &balancer.url(), &member.url.name),
                        0,
                    );
                }
            }
        }
        slots
    }

    fn put(&mut self, id: u32, score: Option<&'static MemberScore>, word: usize) {
        let index = id as usize;
        if self.by_id.len() <= index {
            self.by_id.resize(index + 1, None);
        }
        if let Some(place) = self.by_id.get_mut(index) {
            *place = score.and_then(|score| score.spare.get(word));
        }
    }

    /// Notes that the slot is set up; tells whether it was before, in this run of the server.
    fn set_up(&self, id: u32, run: u64) -> bool {
        let word = self.by_id.get(id as usize).copied().flatten();
        word.is_some_and(|word| word.swap(run, Relaxed) == run)
    }
}

/// The record of a balancer's member, or of a plain worker.
fn record(board: &'static Board, balancer: &str, url: &str) -> Option<&'static MemberScore> {
    board.members().iter().find(|member| {
        member.is_used()
            && member.url.is(url.as_bytes())
            && member.balancer_name.is(balancer.as_bytes())
    })
}

fn any_record(board: &'static Board, url: &str) -> Option<&'static MemberScore> {
    board
        .members()
        .iter()
        .find(|member| member.is_used() && member.url.is(url.as_bytes()))
}

/// A worker as 2.2's children knew it. Virtual hosts without mod_proxy directives use the main server's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Object {
    Plain { site: usize, position: usize },
    Forward { site: usize },
    Member { id: u32 },
}

/// A child that takes up its workers.
struct Init<'a> {
    slots: &'a Slots,
    pid: u32,
    threads: u32,
    run: u64,
    seen: HashSet<Object>,
    emit: &'a mut dyn FnMut(&Trace22<'_>),
}

impl Proxy {
    /// Says what a child of 2.2 said when it took up its workers, in its order, and remembers in the scoreboard which slots are set up.
    /// Call it once in each child, whether or not the lines are wanted: the next child's depend on it. `threads` is how many exchanges
    /// the child serves at once, 1 in prefork.
    pub fn init_traces(
        &self,
        config: &Config,
        pid: u32,
        threads: u32,
        emit: &mut dyn FnMut(&Trace22<'_>),
    ) {
        tell_init(config, self.board, pid, threads, emit);
    }
}

/// The lines of [`Proxy::init_traces`], in order.
fn tell_init(
    config: &Config,
    board: &'static Board,
    pid: u32,
    threads: u32,
    emit: &mut dyn FnMut(&Trace22<'_>),
) {
    let run = board.global().start_ms.load(Relaxed).max(1);
    let slots = Slots::find(config, board);
    let mut init = Init {
        slots: &slots,
        pid,
        threads,
        run,
        seen: HashSet::new(),
        emit,
    };
    for (n, (site, server)) in in_httpd_order(config).enumerate() {
        for (position, slot) in server.proxy.slots22.iter().enumerate() {
            let params = params_of(config, &slot.name);
            init.take_up(
                Object::Plain { site, position },
                slot.id,
                &slot.name,
                &slot.host,
                params,
            );
        }
        if let Some(id) = server.proxy.forward_id22 {
            init.take_up(Object::Forward { site }, id, FORWARD, "*", None);
        }
        // One for all servers, made in the first one's turn.
        if n == 0 {
            init.set_up(config.next_id22, REVERSE, "*", None);
        }
    }
    for (_, server) in in_httpd_order(config) {
        for member in server
            .proxy
            .balancers
            .iter()
            .flat_map(|balancer| &balancer.members)
        {
            let object = Object::Member { id: member.id22 };
            init.take_up(
                object,
                member.id22,
                &member.url.name,
                &member.url.host,
                Some(&member.params),
            );
        }
    }
}

impl Init<'_> {
    fn take_up(
        &mut self,
        object: Object,
        id: u32,
        worker: &str,
        host: &str,
        params: Option<&MemberParams>,
    ) {
        if self.seen.insert(object) {
            self.set_up(id, worker, host, params);
        } else {
            (self.emit)(&Trace22::AlreadyInitialized {
                worker,
                after_grab: false,
            });
        }
    }

    fn set_up(&mut self, id: u32, worker: &str, host: &str, params: Option<&MemberParams>) {
        let pid = self.pid;
        (self.emit)(&Trace22::GrabbedSlot { id, pid, worker });
        if self.slots.set_up(id, self.run) {
            (self.emit)(&Trace22::AlreadyInitialized {
                worker,
                after_grab: true,
            });
        }
        if self.threads <= 1 {
            (self.emit)(&Trace22::SingleConnection { id, pid, host });
            return;
        }
        let number = |read: fn(&MemberParams) -> Option<u32>| params.and_then(read);
        let max = number(|params| params.max.get().copied())
            .filter(|&max| max > 0)
            .unwrap_or(self.threads);
        let smax = number(|params| params.smax.get().copied())
            .unwrap_or(max)
            .min(max);
        let min = number(|params| params.min.get().copied())
            .unwrap_or(0)
            .min(smax);
        (self.emit)(&Trace22::InitializedWorker {
            id,
            pid,
            host,
            min,
            max,
            smax,
        });
    }
}

/// The servers in httpd's order – main, last virtual host, …, first – each with the index of the server whose workers it uses.
fn in_httpd_order(config: &Config) -> impl Iterator<Item = (usize, &Server)> {
    let vhosts = config.vhosts.iter().enumerate().rev();
    let vhosts = vhosts.map(|(n, server)| {
        if server.proxy.is_own {
            (n + 1, server)
        } else {
            (0, &config.main)
        }
    });
    std::iter::once((0, &config.main)).chain(vhosts)
}

/// The parameters of the worker with this name, plain or not.
fn params_of<'c>(config: &'c Config, name: &str) -> Option<&'c MemberParams> {
    let worker = config
        .servers()
        .find_map(|server| server.proxy.worker(name))
        .map(|worker| &worker.params);
    worker.or_else(|| {
        let balancers = config.servers().flat_map(|server| &server.proxy.balancers);
        let mut members = balancers.flat_map(|balancer| &balancer.members);
        members
            .find(|member| member.url.name == name)
            .map(|member| &member.params)
    })
}

/// What an election says of itself.
pub(super) struct Election<'a> {
    ask: &'a Ask<'a>,
    balancer: &'a Balancer,
    has_session: bool,
}

impl<'a> Election<'a> {
    pub(super) fn new(ask: &'a Ask<'a>, balancer: &'a Balancer) -> Self {
        Self {
            ask,
            balancer,
            has_session: false,
        }
    }

    pub(super) fn tell(&mut self, event: &Event<'_>) {
        let ask = self.ask;
        let balancer = self.balancer.name.as_str();
        let function = "BALANCER";
        match *event {
            Event::Retrying(member) => {
                ask.trace22(&Trace22::Retrying {
                    function,
                    host: &member.url.host,
                });
            }
            Event::MarkedForRetry(member) => {
                ask.trace22(&Trace22::MarkedForRetry {
                    function,
                    host: &member.url.host,
                });
            }
            Event::ForcingRecovery(member) => {
                ask.trace22(&Trace22::ForcingRecovery {
                    balancer,
                    host: &member.url.host,
                });
            }
            Event::FoundSession { name, value } => {
                self.has_session = true;
                ask.trace22(&Trace22::FoundValue {
                    value: Some(value),
                    sticky: name,
                });
            }
            Event::FoundRoute(route) => ask.trace22(&Trace22::FoundRoute { route }),
            Event::RouteChanged { from, to } => {
                ask.trace22(&Trace22::RouteChanged {
                    from,
                    to: &to.score.route.bytes(),
                });
            }
            Event::Entering { method } => {
                // 2.2 said so when it had looked in vain.
                if let (false, Some(sticky)) = (self.has_session, self.balancer.params.sticky.get())
                {
                    ask.trace22(&Trace22::FoundValue {
                        value: None,
                        sticky: &sticky.cookie,
                    });
                }
                ask.trace22(&Trace22::Entering { method, balancer });
            }
            Event::Selected {
                method,
                member,
                busy,
                lbstatus,
            } => {
                let lbstatus = (method != "bytraffic").then_some(lbstatus);
                ask.trace22(&Trace22::Selected {
                    method,
                    worker: member.name(),
                    busy,
                    lbstatus,
                });
            }
            // 2.2 said nothing of these.
            Event::TooSoonToRetry(_) | Event::WillNotRetry(_) => {}
        }
    }
}
