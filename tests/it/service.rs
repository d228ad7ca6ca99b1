//! What a supervisor hears: systemd's notifications, and that nobody is told too early.

use crate::harness::{DeadPort, Origin, PATIENCE, Setup, Tine, httpd, until};
use nix::sys::signal::Signal;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

/// The socket that systemd would listen at, and what has come.
struct Supervisor {
    socket: UnixDatagram,
    place: tempfile::TempDir,
    heard: String,
}

impl Supervisor {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755))
            .expect("our own directory");
        let socket = UnixDatagram::bind(place.path().join("notify")).expect("a socket");
        std::fs::set_permissions(
            place.path().join("notify"),
            std::fs::Permissions::from_mode(0o666),
        )
        .expect("our own socket");
        socket.set_nonblocking(true).expect("a socket option");
        Self {
            socket,
            place,
            heard: String::new(),
        }
    }

    fn start(&self, conf: &str) -> Tine {
        let path = self.place.path().join("notify").display().to_string();
        Setup::new().environment("NOTIFY_SOCKET", path).start(conf)
    }

    /// Takes what has come.
    fn listen(&mut self) {
        let mut block = [0; 4096];
        while let Ok(count) = self.socket.recv(&mut block) {
            self.heard
                .push_str(&String::from_utf8_lossy(&block[..count]));
            self.heard.push('\n');
        }
    }

    /// Waits until a message with this line has come, and forgets what came before and with it.
    #[track_caller]
    fn hear(&mut self, line: &str) {
        until(&format!("`{line}` from the server"), || {
            self.listen();
            self.heard.lines().any(|heard| heard.starts_with(line))
        });
        let at = self.heard.find(line).expect("it was heard");
        self.heard.drain(..at + line.len());
    }
}

#[test]
fn systemd_is_told_of_readiness_reloads_and_the_end() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let mut supervisor = Supervisor::new();
    let conf = format!("ProxyPass / {}/\n", origin.url());
    let mut tine = supervisor.start(&conf);
    supervisor.hear("READY=1");
    supervisor.hear("STATUS=");
    assert!(tine.control(&["-k", "graceful"]).status.success());
    supervisor.hear("RELOADING=1");
    supervisor.hear("READY=1");
    tine.signal(Signal::SIGWINCH);
    supervisor.hear("STOPPING=1");
    assert_eq!(tine.wait().code(), Some(0));
}

#[test]
fn a_refused_reload_leaves_the_service_ready() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let mut supervisor = Supervisor::new();
    let conf = format!("ProxyPass / {}/\n", origin.url());
    let tine = supervisor.start(&conf);
    supervisor.hear("READY=1");
    tine.rewrite(&format!("{conf}Frobnicate on\n"));
    assert_eq!(tine.control(&["-k", "graceful"]).status.code(), Some(1));
    // Whether it was announced or not: a service that is still reloading would be taken for one that hangs.
    supervisor.listen();
    let reloading = supervisor.heard.rfind("RELOADING=1");
    assert!(
        reloading.is_none() || reloading < supervisor.heard.rfind("READY=1"),
        "{}",
        supervisor.heard
    );
    assert_eq!(tine.get("/").expect(200).text(), "here");
}

#[test]
fn a_port_that_is_taken_is_a_failed_start() {
    let taken = DeadPort::new();
    let origin = Origin::named("here");
    let conf = format!(
        "{}Listen 127.0.0.1:{}\nPidFile run/tine.pid\nErrorLog logs/error_log\nProxyPass / {}/\n",
        httpd::Program::under_test().modules(crate::harness::Shape::Prefork),
        taken.port(),
        origin.url()
    );
    let conf = crate::harness::tine::Conf::new(&conf);
    let mut server = conf.spawn(&["-D", "FOREGROUND"]);
    assert!(
        crate::harness::holds_within(PATIENCE, &mut || server.has_ended()),
        "a server without a port must not go on"
    );
    assert_ne!(server.code(), Some(0));
}
