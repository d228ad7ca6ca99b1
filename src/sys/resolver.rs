//! Name look-ups, on threads of their own.
//!
//! Responsible for: asking the system's resolver (getaddrinfo, so hosts files and nsswitch hold as everywhere else) without making the
//! loop wait. Not responsible for: caching, or when an answer is too old.
//!
//! Know first: a look-up may take many seconds, and clients of a forward proxy choose what is looked up. So that one slow name does not
//! hold up the others there may be several threads, each started when a question finds all others busy. Questions queue in order, up to
//! a bound.
//!
//! ```text
//!   loop ── ask(key, host, port) ──► [bounded queue] ──► 0 to 8 threads ── getaddrinfo
//!   loop ◄── answers() ◄──────────── [queue] ◄──────────────────┘ then waker()
//! ```

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::clock;
use super::process::{Fork, exit_now, fork, reap_one, wait_readable};
use super::signals::Signal;

/// How many questions may wait. A resolver that is this far behind is broken, and then failing at once is kinder than waiting.
const QUESTIONS_MAX: usize = 1024;

/// How many look-ups may be under way at once.
const THREADS_MAX: usize = 8;

/// A question's key with the answer.
pub type Answer = (u64, io::Result<Vec<SocketAddr>>);

type LookUp = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

struct Question {
    key: u64,
    host: String,
    port: u16,
}

/// The asking side.
pub struct Resolver {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
    desk: Desk,
    /// Threads started so far. None ends before the asking side is dropped.
    threads: AtomicUsize,
}

/// What a thread works with.
#[derive(Clone)]
struct Desk {
    questions: Receiver<Question>,
    answers: Sender<Answer>,
    /// Questions that were asked and are not answered yet.
    open: Arc<AtomicUsize>,
    waker: Arc<dyn Fn() + Send + Sync>,
    look_up: LookUp,
}

impl Resolver {
    /// A resolver without threads yet. `waker` is called after each answer, from the thread that found it.
    #[must_use]
    pub fn new(waker: impl Fn() + Send + Sync + 'static) -> Self {
        Self::with(look_up, waker)
    }

    fn with(look_up: LookUp, waker: impl Fn() + Send + Sync + 'static) -> Self {
        let (questions, incoming) = bounded(QUESTIONS_MAX);
        let (outgoing, answers) = unbounded();
        Self {
            questions,
            answers,
            desk: Desk {
                questions: incoming,
                answers: outgoing,
                open: Arc::new(AtomicUsize::new(0)),
                waker: Arc::new(waker),
                look_up,
            },
            threads: AtomicUsize::new(0),
        }
    }

    /// Ask for the addresses of `host`; the answer comes with `key`.
    ///
    /// # Errors
    /// When too many questions wait already, or no thread can be started.
    pub fn ask(&self, key: u64, host: &str, port: u16) -> io::Result<()> {
        let open = self.desk.open.fetch_add(1, Ordering::Relaxed) + 1;
        let asked = self.hire(open).and_then(|()| {
            let host = host.to_owned();
            let sent = self.questions.try_send(Question { key, host, port });
            sent.map_err(|error| {
                io::Error::other(match error {
                    TrySendError::Full(_) => "too many name look-ups are waiting",
                    TrySendError::Disconnected(_) => "the resolver's threads have ended",
                })
            })
        });
        if asked.is_err() {
            self.desk.open.fetch_sub(1, Ordering::Relaxed);
        }
        asked
    }

    /// Starts another thread if all are busy and it is not the last that may be started.
    fn hire(&self, open: usize) -> io::Result<()> {
        let threads = self.threads.load(Ordering::Relaxed);
        if open <= threads || threads >= THREADS_MAX {
            return Ok(());
        }
        let desk = self.desk.clone();
        let started = thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || desk.serve());
        match started {
            Ok(_) => self.threads.store(threads + 1, Ordering::Relaxed),
            // Those that there are will come to it.
            Err(_) if threads > 0 => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The answers that have come in; never waits.
    pub fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        self.answers.try_iter()
    }
}

impl Desk {
    /// A thread: ends when the asking side is dropped.
    fn serve(self) {
        let Self {
            questions,
            answers,
            open,
            waker,
            look_up,
        } = self;
        for question in questions {
            let answer = look_up(&question.host, question.port);
            open.fetch_sub(1, Ordering::Relaxed);
            if answers.send((question.key, answer)).is_err() {
                return;
            }
            waker();
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// The addresses of several hosts, or as many of them as are found within `patience`, in the order of `hosts`. For a process that must
/// not have threads: the look-ups are made in a child of it. This one blocks: it is for the parent, before it has children.
///
/// # Errors
/// When the system refuses a child or a pipe, or when this process has threads.
pub fn look_up_aside(hosts: &[&str], patience: Duration) -> io::Result<Vec<Vec<IpAddr>>> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let child = match fork()? {
        Fork::Child => {
            tell_addresses(hosts, &mut File::from(write));
            exit_now(0)
        }
        Fork::Parent(child) => child,
    };
    drop(write);
    let mut told = Vec::new();
    let mut read = File::from(read);
    let deadline = clock::now().instant + patience;
    loop {
        let left = deadline.saturating_duration_since(clock::now().instant);
        if left.is_zero() {
            break;
        }
        wait_readable(&read, left)?;
        if deadline <= clock::now().instant {
            break;
        }
        let mut piece = [0; 4096];
        match read.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => told.extend_from_slice(piece.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    // It has ended, or is not worth waiting for.
    child.signal(Signal::Kill).ok();
    reap_one(child);
    let mut found = vec![Vec::new(); hosts.len()];
    for line in String::from_utf8_lossy(&told).lines() {
        let entry = line
            .split_once(' ')
            .and_then(|(index, ip)| Some((index.parse::<usize>().ok()?, ip.parse().ok()?)));
        if let Some((index, ip)) = entry
            && let Some(list) = found.get_mut(index)
        {
            list.push(ip);
        }
    }
    Ok(found)
}

/// The child's part: one line for each address, with the position of its host, as soon as it is known.
fn tell_addresses(hosts: &[&str], out: &mut File) {
    let (wake, woken) = unbounded();
    let resolver = Resolver::new(move || {
        let _the_other_end_is_below = wake.send(());
    });
    let mut asked = 0;
    for (key, host) in (0..).zip(hosts) {
        asked += usize::from(resolver.ask(key, host, 0).is_ok());
    }
    for _ in 0..asked {
        if woken.recv().is_err() {
            return;
        }
        for (key, answer) in resolver.answers() {
            for address in answer.unwrap_or_default() {
                // A parent that has gone needs no answer.
                writeln!(out, "{key} {}", address.ip()).ok();
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the thread on which a look-up may wait"
)]
fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("`{host}` has no address"),
        ));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(resolver: &Resolver, woken: &Receiver<()>, count: usize) -> Vec<Answer> {
        (0..count).for_each(|_| woken.recv().expect("the threads live"));
        let mut answers: Vec<_> = resolver.answers().collect();
        answers.sort_by_key(|(key, _)| *key);
        answers
    }

    fn resolver(look_up: LookUp) -> (Resolver, Receiver<()>) {
        let (wake, woken) = unbounded();
        // A test that ends early waits no longer.
        let waker = move || {
            let _test_is_over = wake.send(());
        };
        (Resolver::with(look_up, waker), woken)
    }

    #[test]
    fn addresses_come_back_under_the_key_they_were_asked_for() {
        let (resolver, woken) = resolver(look_up);
        resolver.ask(1, "127.0.0.1", 80).expect("room");
        resolver.ask(2, "::1", 81).expect("room");
        let plain: Vec<_> = answers(&resolver, &woken, 2)
            .into_iter()
            .map(|(key, answer)| (key, answer.expect("literal addresses")))
            .collect();
        assert_eq!(
            plain[0],
            (1, vec!["127.0.0.1:80".parse().expect("literal")])
        );
        assert_eq!(plain[1], (2, vec!["[::1]:81".parse().expect("literal")]));
    }

    #[test]
    fn a_name_that_cannot_exist_is_an_error_not_silence() {
        let (resolver, woken) = resolver(look_up);
        resolver.ask(9, "a name with spaces", 80).expect("room");
        let got = answers(&resolver, &woken, 1);
        assert_eq!(got[0].0, 9);
        assert!(got[0].1.is_err());
    }

    /// Answers names, and never anything about `slow`.
    fn patient(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if host == "slow" {
            loop {
                thread::park();
            }
        }
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    }

    #[test]
    fn slow_names_do_not_hold_up_others() {
        let (resolver, woken) = resolver(patient);
        for key in 1..THREADS_MAX as u64 {
            resolver.ask(key, "slow", 80).expect("room");
        }
        for port in 0..20 {
            resolver.ask(100, "fast", port).expect("room");
            let got = answers(&resolver, &woken, 1);
            assert_eq!(got[0].0, 100, "nobody else is answered");
        }
        assert_eq!(resolver.threads.load(Ordering::Relaxed), THREADS_MAX);
    }

    #[test]
    fn a_full_queue_refuses_instead_of_waiting() {
        let (resolver, _woken) = resolver(patient);
        let refused = (0..(QUESTIONS_MAX + THREADS_MAX) as u64 + 1)
            .map(|key| resolver.ask(key, "slow", 80))
            .filter(Result::is_err)
            .count();
        assert!(refused >= 1);
    }
}
