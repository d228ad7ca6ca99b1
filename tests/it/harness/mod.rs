//! What the integration tests are built from: a server in a directory of its own, backends that do as they are told, a client that
//! counts bytes.
//!
//! Responsible for: starting and ending processes, fake peers, waiting. Not responsible for: any expectation; those stand in the tests.
//!
//! Know first:
//! - Nothing sleeps to synchronise. [`until`] polls a condition against a deadline, [`Gate`] holds a backend back until a test lets go.
//! - No port is fixed. Ports come from the system, and a server that loses the race for one is started again on another.
//! - With `TINE_IT_SERVER=/usr/sbin/apache2` the same tests run against httpd, to check the expectations themselves. Tests of what only
//!   tine has return early then ([`httpd::is_peer`]).

pub(crate) mod client;
pub(crate) mod httpd;
pub(crate) mod origin;
pub(crate) mod tine;

pub(crate) use client::{Client, Response};
pub(crate) use origin::{Call, Origin};
pub(crate) use tine::{NOTHING_HAPPENS, Setup, Shape, Tine};

use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything in these tests may take that should take no time at all. Generous, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Waits until `condition` holds; a test that waits in vain fails with `what`.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(
        holds_within(PATIENCE, &mut condition),
        "waited in vain: {what}"
    );
}

/// Whether `condition` comes to hold before `patience` runs out.
pub(crate) fn holds_within(patience: Duration, condition: &mut dyn FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// A door that backends wait at until the test opens it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Door>, Condvar)>);

#[derive(Debug, Default)]
struct Door {
    is_open: bool,
    waiting: usize,
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and later.
    pub(crate) fn open(&self) {
        self.0
            .0
            .lock()
            .expect("no test panics while holding it")
            .is_open = true;
        self.0.1.notify_all();
    }

    /// Returns once the gate is open; gives up after a while so that no thread outlives its test for long.
    pub(crate) fn wait(&self) {
        let mut door = self.0.0.lock().expect("no test panics while holding it");
        door.waiting += 1;
        let (mut door, _) = self
            .0
            .1
            .wait_timeout_while(door, PATIENCE * 2, |door| !door.is_open)
            .expect("no test panics while holding it");
        door.waiting -= 1;
    }

    /// How many stand at the gate.
    pub(crate) fn waiting(&self) -> usize {
        self.0
            .0
            .lock()
            .expect("no test panics while holding it")
            .waiting
    }
}

/// A port of the loopback address that nobody used a moment ago.
pub(crate) fn free_port() -> u16 {
    let socket = bound();
    port_of(&socket)
}

/// A port that refuses connections for as long as this lives: bound, but nobody listens.
#[derive(Debug)]
pub(crate) struct DeadPort(Socket);

impl DeadPort {
    /// Takes one.
    pub(crate) fn new() -> Self {
        Self(bound())
    }

    /// Its number.
    pub(crate) fn port(&self) -> u16 {
        port_of(&self.0)
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }
}

fn bound() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket
        .bind(&any.into())
        .expect("a port of the loopback address");
    socket
}

fn port_of(socket: &Socket) -> u16 {
    let address = socket.local_addr().expect("it is bound");
    address.as_socket_ipv4().expect("it is IPv4").port()
}

/// The bytes from `offset` on of an endless stretch that is the same every time and repeats only after a prime number of bytes, so that
/// lost, doubled and exchanged blocks show.
pub(crate) fn pattern(offset: u64, length: usize) -> Vec<u8> {
    let block = pattern_block();
    let start = usize::try_from(offset % block.len() as u64).expect("less than the block's length");
    block
        .iter()
        .copied()
        .cycle()
        .skip(start)
        .take(length)
        .collect()
}

/// Compares bytes that come in pieces with [`pattern`], for contents too large to keep.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PatternCheck {
    /// How many bytes came.
    pub(crate) length: u64,
    /// Whether one of them was wrong.
    pub(crate) is_wrong: bool,
}

impl PatternCheck {
    /// Takes the next piece.
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        let block = pattern_block();
        while !bytes.is_empty() {
            let start = usize::try_from(self.length % block.len() as u64)
                .expect("less than the block's length");
            let now = bytes.len().min(block.len() - start);
            self.is_wrong |= bytes[..now] != block[start..start + now];
            self.length += now as u64;
            bytes = &bytes[now..];
        }
    }
}

fn pattern_block() -> &'static [u8] {
    static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
    BLOCK.get_or_init(|| {
        let mixed = (0..65521u64).map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56);
        mixed
            .map(|byte| u8::try_from(byte).expect("eight bits are left"))
            .collect()
    })
}

/// A directory of files that any server may read, with times that lie behind.
#[derive(Debug)]
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    /// Files by name, with their directories.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::Builder::new()
            .prefix("tine-it-files-")
            .tempdir()
            .expect("a directory");
        open_to_all(root.path(), 0o755);
        let files_of = Self(root);
        for (name, text) in files {
            files_of.write(name, text);
        }
        files_of
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        self.0.path().display().to_string()
    }

    /// The path of one of its files.
    pub(crate) fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Writes one more file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        for directory in path.ancestors().skip(1) {
            if directory.starts_with(self.0.path()) && !directory.exists() {
                std::fs::create_dir_all(directory).expect("our own directory");
            }
        }
        std::fs::write(&path, text).expect("our own file");
        open_to_all(&path, 0o644);
        let file = std::fs::File::options().write(true).open(&path);
        let past = std::time::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        let set = file.and_then(|file| file.set_modified(past));
        set.expect("our own file");
    }
}

/// The mode of a file, whatever the umask of this run is.
fn open_to_all(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("our own file");
}
