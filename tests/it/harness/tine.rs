//! A server in a directory of its own.
//!
//! Responsible for: its configuration file around what a test gives, starting it in the foreground, finding it ready, its logs, its
//! processes, and ending all of them with the test.

use super::httpd::Program;
use super::{Client, PATIENCE, Response, free_port, holds_within, until};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, Uid};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Which of the three process models, with sizes that suit a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Prefork,
    Worker,
    Event,
}

impl Shape {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Prefork, Self::Worker, Self::Event];

    /// As in `mpm_NAME_module`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prefork => "prefork",
            Self::Worker => "worker",
            Self::Event => "event",
        }
    }

    fn sizes(self) -> &'static str {
        match self {
            Self::Prefork => {
                "StartServers 2\nMinSpareServers 1\nMaxSpareServers 4\nServerLimit 16\nMaxRequestWorkers 16\n"
            }
            Self::Worker | Self::Event => {
                "StartServers 1\nServerLimit 2\nThreadsPerChild 8\nMaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"
            }
        }
    }
}

/// What a server is started from.
#[derive(Debug)]
pub(crate) struct Setup {
    program: Program,
    shape: Shape,
    sizes: Option<String>,
    level: &'static str,
    is_single: bool,
    environment: Vec<(&'static str, String)>,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Tine {
    root: TempDir,
    port: u16,
    setup: Setup,
    process: Child,
    exit: Option<ExitStatus>,
}

impl Setup {
    /// The shape a test runs in unless it is about shapes.
    pub(crate) fn new() -> Self {
        Self {
            program: Program::under_test(),
            shape: Shape::Prefork,
            sizes: None,
            level: "info",
            is_single: false,
            environment: Vec::new(),
        }
    }

    /// As one process, for debugging.
    pub(crate) fn single_process(mut self) -> Self {
        self.is_single = true;
        self
    }

    /// By another program.
    pub(crate) fn program(mut self, program: Program) -> Self {
        self.program = program;
        self
    }

    /// In another shape.
    pub(crate) fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// With other MPM directives than the usual ones.
    pub(crate) fn sizes(mut self, sizes: &str) -> Self {
        self.sizes = Some(sizes.to_owned());
        self
    }

    /// With another `LogLevel`.
    pub(crate) fn level(mut self, level: &'static str) -> Self {
        self.level = level;
        self
    }

    /// With this in its environment.
    pub(crate) fn environment(mut self, name: &'static str, value: String) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Starts a server with this configuration; the test fails, with what the server said, if it does not come up.
    #[track_caller]
    pub(crate) fn start(self, conf: &str) -> Tine {
        let root = directory();
        let setup = self;
        for _ in 0..5 {
            let port = free_port();
            write_conf(root.path(), &setup.prelude(root.path(), port), conf);
            match Tine::launch(root.path(), port, &setup) {
                Ok(process) => {
                    return Tine {
                        root,
                        port,
                        setup,
                        process,
                        exit: None,
                    };
                }
                Err(Refusal::PortTaken) => {}
                Err(Refusal::Other(said)) => panic!("the server does not start:\n{said}"),
            }
        }
        panic!("five ports in a row were taken by others");
    }

    fn prelude(&self, root: &Path, port: u16) -> String {
        let sizes = self.sizes.as_deref().unwrap_or_else(|| self.shape.sizes());
        let board = if self.program != Program::Tine {
            ""
        } else {
            "ScoreBoardFile run/scoreboard\n"
        };
        format!(
            "ServerRoot \"{}\"\n{}{sizes}Listen 127.0.0.1:{port}\nServerName tine.test\nDefaultRuntimeDir run\nPidFile run/tine.pid\n\
             {board}ErrorLog logs/error_log\nLogLevel {}\nCustomLog logs/access_log \"%h %l %u %t \\\"%r\\\" %>s %b\"\n{}",
            root.display(),
            self.program.modules(self.shape),
            self.level,
            identity(),
        )
    }
}

enum Refusal {
    PortTaken,
    Other(String),
}

impl Tine {
    /// A prefork server with this configuration behind the usual head.
    #[track_caller]
    pub(crate) fn start(conf: &str) -> Self {
        Setup::new().start(conf)
    }

    fn launch(root: &Path, port: u16, setup: &Setup) -> Result<Child, Refusal> {
        let said = fs::File::create(root.join("said")).expect("our own directory");
        let environment = setup.environment.iter().map(|(name, value)| (name, value));
        let mut process = command(&setup.program, root)
            .envs(environment)
            .args(if setup.is_single {
                ["-X"].as_slice()
            } else {
                &["-D", "FOREGROUND"]
            })
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("one more descriptor"))
            .stderr(said)
            .spawn()
            .expect("the program is there");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut ended = false;
        let is_up = holds_within(PATIENCE, &mut || {
            ended = process.try_wait().expect("it is our child").is_some();
            ended
                || (root.join("run/tine.pid").exists()
                    && TcpStream::connect_timeout(&address, PATIENCE).is_ok())
        });
        if is_up && !ended {
            return Ok(process);
        }
        if let Ok(group) = i32::try_from(process.id()) {
            killpg(Pid::from_raw(group), Signal::SIGKILL).ok();
        }
        process.wait().expect("it is our child");
        let said = everything_said(root);
        if said.contains("Address already in use") || said.contains("could not bind") {
            return Err(Refusal::PortTaken);
        }
        Err(Refusal::Other(said))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The port it listens at.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its ServerRoot.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A connection to it.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// The response to a GET on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: tine.test\r\nConnection: close\r\n\r\n"
        ))
    }

    /// The response to these bytes on a connection of their own.
    #[track_caller]
    pub(crate) fn send(&self, bytes: &str) -> Response {
        let mut client = self.client();
        client.send(bytes);
        client.response()
    }

    /// The pid of the parent.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).expect("pids are small"))
    }

    /// The pids of its children.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let list = fs::read_to_string(path).unwrap_or_default();
        list.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .map(Pid::from_raw)
            .collect()
    }

    /// Sends the parent a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the server runs");
    }

    /// Runs the program on the same configuration, as an operator would.
    pub(crate) fn control(&self, arguments: &[&str]) -> Output {
        command(&self.setup.program, self.root())
            .args(arguments)
            .output()
            .expect("the program is there")
    }

    /// Replaces the configuration behind the usual head.
    pub(crate) fn rewrite(&self, conf: &str) {
        write_conf(
            self.root(),
            &self.setup.prelude(self.root(), self.port),
            conf,
        );
    }

    /// Waits for the parent's end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the server's end", || self.has_ended());
        self.exit.expect("it has ended")
    }

    /// Whether the parent has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        if self.exit.is_none() {
            self.exit = self.process.try_wait().expect("it is our child");
        }
        self.exit.is_some()
    }

    /// The error log so far.
    pub(crate) fn error_log(&self) -> String {
        self.file("logs/error_log")
    }

    /// The lines of the access log so far.
    pub(crate) fn access_log(&self) -> Vec<String> {
        self.file("logs/access_log")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// A file below its ServerRoot, or nothing.
    pub(crate) fn file(&self, name: &str) -> String {
        let bytes = fs::read(self.root().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the error log has a line with these words; returns it.
    #[track_caller]
    pub(crate) fn wait_log(&self, words: &str) -> String {
        let mut found = None;
        until(&format!("`{words}` in the error log"), || {
            found = self
                .error_log()
                .lines()
                .find(|line| line.contains(words))
                .map(str::to_owned);
            found.is_some()
        });
        found.expect("it was found")
    }

    /// How many lines of the error log have these words.
    pub(crate) fn log_count(&self, words: &str) -> usize {
        self.error_log()
            .lines()
            .filter(|line| line.contains(words))
            .count()
    }

    /// The resident memory of the largest child, in KiB.
    pub(crate) fn child_memory_kib(&self) -> u64 {
        self.children()
            .into_iter()
            .filter_map(memory_kib)
            .max()
            .unwrap_or_default()
    }
}

impl Drop for Tine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server said:\n{}", everything_said(self.root()));
        }
        // The group is the parent and all children; a child that outlives them would keep the port.
        killpg(self.pid(), Signal::SIGKILL).ok();
        if !self.has_ended() {
            self.process.wait().ok();
        }
    }
}

/// A server that is not to run: its configuration is only looked at.
#[derive(Debug)]
pub(crate) struct Conf {
    root: TempDir,
}

impl Conf {
    /// Writes `conf/httpd.conf` exactly as given, in a fresh ServerRoot.
    pub(crate) fn new(text: &str) -> Self {
        let root = directory();
        write_conf(root.path(), "", text);
        Self { root }
    }

    /// Adds another file below the ServerRoot.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.root.path().join(name);
        let parent = path.parent().expect("a file is in a directory");
        fs::create_dir_all(parent).expect("our own directory");
        fs::write(path, text).expect("our own directory");
        self
    }

    /// Where `conf/httpd.conf` is.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("conf/httpd.conf")
    }

    /// Runs the program on it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        command(&Program::under_test(), self.root.path())
            .args(arguments)
            .output()
            .expect("the program is there")
    }
}

/// A server that was started on a [`Conf`]; it ends with the test.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Conf {
    /// Starts the program on it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = command(&Program::under_test(), self.root.path());
        let process = command
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::null())
            .spawn();
        Running(process.expect("the program is there"))
    }
}

impl Running {
    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_some()
    }

    /// The exit code of one that has.
    pub(crate) fn code(&mut self) -> Option<i32> {
        self.0.try_wait().expect("it is our child")?.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.0.id()) {
            killpg(Pid::from_raw(group), Signal::SIGKILL).ok();
        }
        self.0.wait().ok();
    }
}

/// The program with `-d` and `-f`.
fn command(program: &Program, root: &Path) -> Command {
    let mut command = Command::new(program.path());
    command.arg("-d").arg(root).args(["-f", "conf/httpd.conf"]);
    command
}

/// A ServerRoot in which the children can write wherever they have to.
fn directory() -> TempDir {
    let root = tempfile::Builder::new()
        .prefix("tine-it-")
        .tempdir()
        .expect("a directory");
    for (name, mode) in [
        ("", 0o755),
        ("conf", 0o755),
        ("logs", 0o777),
        ("run", 0o777),
    ] {
        let path = root.path().join(name);
        fs::create_dir_all(&path).expect("our own directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our own directory");
    }
    root
}

fn write_conf(root: &Path, prelude: &str, conf: &str) {
    fs::write(root.join("conf/httpd.conf"), format!("{prelude}{conf}")).expect("our own directory");
}

/// `User` and `Group` lines, which only root may act on.
fn identity() -> String {
    if !Uid::effective().is_root() {
        return String::new();
    }
    let group = ["nogroup", "nobody", "daemon"]
        .into_iter()
        .find(|name| matches!(nix::unistd::Group::from_name(name), Ok(Some(_))));
    let user = ["nobody", "daemon"]
        .into_iter()
        .find(|name| matches!(nix::unistd::User::from_name(name), Ok(Some(_))));
    match (user, group) {
        (Some(user), Some(group)) => format!("User {user}\nGroup {group}\n"),
        _ => String::new(),
    }
}

fn everything_said(root: &Path) -> String {
    let read = |name: &str| {
        String::from_utf8_lossy(&fs::read(root.join(name)).unwrap_or_default()).into_owned()
    };
    format!("{}{}", read("said"), read("logs/error_log"))
}

/// The resident memory of a process, in KiB.
pub(crate) fn memory_kib(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Whether a process of this pid is there and not a zombie.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// The time a test gives to what must not happen. It delays a passing test, so it is short.
pub(crate) const NOTHING_HAPPENS: Duration = Duration::from_millis(200);
