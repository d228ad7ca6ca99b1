//! Name look-ups, on a thread of their own.
//!
//! Responsible for: asking the system's resolver (getaddrinfo, so hosts files and nsswitch hold as everywhere else) without making the
//! loop wait. One thread per child; questions queue in order, up to a bound. Not responsible for: caching, or when an answer is too old.
//!
//! ```text
//!   loop ── ask(key, host, port) ──► [bounded queue] ──► resolver thread ── getaddrinfo
//!   loop ◄── answers() ◄──────────── [queue] ◄─────────────────┘ then waker()
//! ```

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

/// How many questions may wait. A resolver that is this far behind is broken, and then failing at once is kinder than waiting.
const QUESTIONS_MAX: usize = 1024;

/// A question's key with the answer.
pub type Answer = (u64, io::Result<Vec<SocketAddr>>);

struct Question {
    key: u64,
    host: String,
    port: u16,
}

/// The asking side.
#[derive(Debug)]
pub struct Resolver {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
}

impl Resolver {
    /// Start the thread. `waker` is called after each answer, from that thread.
    ///
    /// # Errors
    /// When the system refuses another thread.
    pub fn start(waker: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (questions, incoming) = bounded(QUESTIONS_MAX);
        let (outgoing, answers) = unbounded();
        thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || serve(&incoming, &outgoing, waker))?;
        Ok(Self { questions, answers })
    }

    /// Ask for the addresses of `host`; the answer comes with `key`.
    ///
    /// # Errors
    /// When too many questions wait already, or the thread has died.
    pub fn ask(&self, key: u64, host: &str, port: u16) -> io::Result<()> {
        let question = Question {
            key,
            host: host.to_owned(),
            port,
        };
        self.questions.try_send(question).map_err(|error| {
            io::Error::other(match error {
                TrySendError::Full(_) => "too many name look-ups are waiting",
                TrySendError::Disconnected(_) => "the resolver thread has ended",
            })
        })
    }

    /// The answers that have come in; never waits.
    pub fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        self.answers.try_iter()
    }
}

/// The thread: ends when the asking side is dropped.
fn serve(questions: &Receiver<Question>, answers: &Sender<Answer>, waker: impl Fn()) {
    for question in questions {
        let answer = look_up(&question.host, question.port);
        if answers.send((question.key, answer)).is_err() {
            return;
        }
        waker();
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
        (0..count).for_each(|_| woken.recv().expect("the thread lives"));
        resolver.answers().collect()
    }

    #[test]
    fn addresses_come_back_under_the_key_they_were_asked_for() {
        let (wake, woken) = unbounded();
        let resolver = Resolver::start(move || wake.send(()).expect("test waits")).expect("thread");
        resolver.ask(1, "127.0.0.1", 80).expect("room");
        resolver.ask(2, "::1", 81).expect("room");
        let got = answers(&resolver, &woken, 2);
        let plain: Vec<_> = got
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
        let (wake, woken) = unbounded();
        let resolver = Resolver::start(move || wake.send(()).expect("test waits")).expect("thread");
        resolver.ask(9, "a name with spaces", 80).expect("room");
        let got = answers(&resolver, &woken, 1);
        assert_eq!(got[0].0, 9);
        assert!(got[0].1.is_err());
    }

    #[test]
    fn a_full_queue_refuses_instead_of_waiting() {
        let (hold, held) = bounded::<()>(0);
        // The waker blocks, so the thread takes one question and no more.
        let resolver = Resolver::start(move || assert!(held.recv().is_err())).expect("thread");
        let refused = (0..QUESTIONS_MAX as u64 + 2)
            .map(|key| resolver.ask(key, "127.0.0.1", 80))
            .filter(Result::is_err)
            .count();
        assert!(refused >= 1);
        drop(hold);
    }
}
