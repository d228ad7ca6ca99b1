//! tine: a memory-safe prefork reverse and forward proxy and load balancer that reads httpd's configuration.
//!
//! A fork's prongs are its tines: a parent forks children that share one mapped scoreboard, and each child accepts,
//! decides, talks to the backend and answers, all by itself. This page is the architecture. Read it once, then
//! follow a request file by file.
//!
//! # The idea in six sentences
//!
//! 1. tine moves *parts* between two *codecs* through an *exchange*. A part is a head, some content, trailers, or the
//!    end ([`http::Part`]). Codecs turn bytes into parts and back ([`codec`]); an exchange is one request with its
//!    response ([`engine::exchange`]).
//! 2. Handlers decide, the engine does. A handler looks at a request and returns a value – answer this, forward
//!    there, not mine ([`request::Handler`]). It never touches a socket.
//! 3. Configuration is frozen at fork. A child is born with one immutable [`request::Env`] and dies with it; a
//!    graceful restart is a new generation of children.
//! 4. The [`scoreboard`] is the only memory that outlives an exchange and crosses a process. All numbers shown
//!    anywhere come from it.
//! 5. prefork, worker and event are three sizes of one loop ([`mpm::Shape`]), not three programs.
//! 6. While serving, nothing below the engine waits, sleeps, reads a clock, or opens a file.
//!
//! # Words
//!
//! | word | means | Apache's word |
//! |---|---|---|
//! | parent, child | the supervising process, a serving process | parent, child |
//! | loop, slot | an engine loop in a child, one exchange in flight in the scoreboard | thread, worker_score |
//! | client, backend | the two peers, and the side of the house that faces them | client, origin |
//! | member, balancer | a place that requests may go to, a group of them with a method | proxy_worker, proxy_balancer |
//! | exchange | one request and its final response | request_rec |
//! | verdict, plan | what a handler decided, where and how to forward | – |
//! | lease | a claim on a member from election to settlement | busy++ and busy-- |
//! | tunnel | an exchange after a 101 or a 2xx to CONNECT: bytes both ways, without meaning to us | proxy_tunnel_rec |
//!
//! # Rooms
//!
//! A room imports only from lines below its own; `tests/tidy.rs` checks it.
//!
//! ```text
//! 7  cli, server, demo    what a command line means; the only file that names every room
//! 6  mpm                  processes: parent, children, listeners, pid file, signals
//! 5  engine               sockets, clock, loop: accept, dial, pump, close, count
//! 4  proxy   admin        mod_proxy's mind; pages over scoreboard snapshots
//! 3  request              from a head to a verdict: virtual host, sections, access, failures
//! 2  log   transport   balancer
//! 1  codec   config       bytes ⇄ parts; httpd's language → plain data
//! 0  http   buf   sys     words, buffers, what only the system can do   | crate scoreboard
//! ```
//!
//! # A request's path
//!
//! | # | where | what happens |
//! |---|---|---|
//! | 1 | [`engine::event_loop`] | poll; each ready token is a client, a backend, a listener or a call |
//! | 2 | [`engine::core`]: `accept`, `client_event` | a connection is taken in; a socket has news |
//! | 3 | [`engine::work`]: `await_request` | bytes arrive, the codec announces a stream, an exchange begins |
//! | 4 | [`codec::http1`]: `Server::pull` | bytes become a head |
//! | 5 | [`request::route`]: `locate` | virtual host, sections, access, edits of the head, handler |
//! | 6 | [`proxy`]: `start` | which member ([`balancer`]), what we say to it: a plan with a lease |
//! | 7 | [`engine::spool`] | short content is read ahead, content that needs a length whole |
//! | 8 | [`engine::dial`] | an idle connection, or resolve and connect |
//! | 9 | [`engine::pump`] | request parts out, response parts in, each only while the other side has room |
//! | 10 | `engine/relay.rs`: `head_arrived` | the handler rewrites the response's head, [`request::headers`] edits it |
//! |  | [`engine::tunnel`] | instead of content: after a 101 or a CONNECT, whatever comes, both ways |
//! | 11 | `engine/close.rs`: `finish` | the lease is settled, the connection pooled, the line logged |
//!
//! # Invariants
//!
//! - I1 *Pull, never push:* input is decoded only when the opposite output has room.
//! - I2 *Calls go down, values come up:* nothing calls back into an exchange.
//! - I3 *Deadlines are a function of state:* no code arms a timer; the loop computes deadlines.
//! - I4 *Readiness is sticky:* a socket is ready until it said otherwise; it is registered once, for both directions.
//! - I5 *No pointer, length or discriminant in shared memory is trusted;* only atomics live there.
//! - I6 *Bytes from the network never panic;* broken assumptions of ours always do.
//! - I7 *Threads start after fork; children never fork.*
//! - I8 *One exchange, one access-log line, one settled lease* – on every path.
//!
//! # What an extension costs
//!
//! | to add | touch | test |
//! |---|---|---|
//! | a balancing method | one file in `balancer/method/` and one line in [`balancer::METHODS`]; an embedding crate passes its own slice (`examples/own_method.rs`) | fairness property, sequence table |
//! | a backend scheme | one file in `proxy/scheme/`, one codec, one line in the slice | playbook, fuzz target |
//! | a directive | one entry in `config/directives/` and a model field | its golden example |
//! | an admin page | one file in `admin/`, one line in `server.rs` | snapshot → golden page |
//! | a log item | one arm in `log/format` | record → line |

pub mod admin;
pub mod balancer;
pub mod buf;
pub mod cli;
pub mod codec;
pub mod config;
pub mod demo;
pub mod engine;
pub mod http;
pub mod log;
pub mod mpm;
pub mod proxy;
pub mod request;
pub mod server;
pub mod sys;
pub mod transport;
