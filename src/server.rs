//! The composition root: the only file that names every room.
//!
//! Responsible for: turning a configuration into a generation ([`Env`], logs, scoreboard, process settings) and
//! giving it to `mpm`; and for what a child does with it, which is to run the engine's loops. Not responsible for:
//! the command line (`cli`), how processes are kept (`mpm`), how requests are served (`engine`).
//!
//! Know first: everything is checked before anything is changed. [`prepare`](mpm::Service::prepare) of a restart
//! reads, compiles and opens; only when all of that has worked are members registered in the live scoreboard.

mod compile;
mod logs;
mod sizes;

pub(crate) use sizes::mpm;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use scoreboard::{Birth as BoardBirth, Board, Reader, ServerState, ShapeKind, SlotRange};

use crate::balancer::Methods;
use crate::config::{self, Config, Severity};
use crate::engine::event_loop::{self, LoopBirth, Party};
use crate::engine::pool;
use crate::log::{Level, Line, Module, Sinks, Stamp, Tag};
use crate::mpm::{self, Birth, Mpm, Settings, Shape, Standing};
use crate::proxy::Proxy;
use crate::proxy::scheme::Scheme;
use crate::request::{Env, Me};
use crate::sys::clock::{self, Now};
use crate::sys::privileges;
use crate::sys::process::{self, Exit, Launch, Pid};

/// The name and version that tine gives itself.
pub const PRODUCT: &str = concat!("tine/", env!("CARGO_PKG_VERSION"));

/// What an embedding program may add: methods and schemes of its own beside tine's.
#[derive(Clone, Copy, Debug)]
pub struct Extensions {
    /// The balancing methods, alphabetical.
    pub methods: Methods,
    /// The backend schemes.
    pub schemes: &'static [&'static dyn Scheme],
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            methods: Methods::default(),
            schemes: crate::proxy::scheme::SCHEMES,
        }
    }
}

/// What a start needs to know.
#[derive(Debug)]
pub struct Start {
    /// Where the configuration is and what the command line adds to it.
    pub options: config::Options<'static>,
    /// The command line, for the log.
    pub command_line: String,
    /// Stay in the foreground.
    pub is_foreground: bool,
    /// `-e`: the least level of messages during start.
    pub startup_level: Option<Level>,
    /// `-E`: where messages during start go instead of standard error.
    pub startup_log: Option<PathBuf>,
    /// Methods and schemes.
    pub extensions: Extensions,
}

/// Reads and compiles a configuration without opening or changing anything: `-t`. The result has the warnings that a
/// start would print.
///
/// # Errors
/// Everything that is wrong, as text for the operator.
pub fn check(
    options: &config::Options<'_>,
    extensions: Extensions,
) -> Result<(Config, Vec<String>), String> {
    let config = compile::load(options)?;
    let (settled, mut warnings) = sizes::settle(&config);
    let capacity = sizes::capacity(&config, &settled);
    let board = Board::heap(&capacity).map_err(|error| error.to_string())?;
    let board = Box::leak(Box::new(board));
    let mut errors = logs::check(&config);
    match compile::environment(config.clone(), board, 0, extensions, None) {
        Ok((env, _)) if errors.is_empty() => {
            let notes = compile::notes(&env);
            let told = notes.iter().filter(|note| note.severity != Severity::Info);
            warnings.extend(told.map(ToString::to_string));
            return Ok((config, warnings));
        }
        Ok(_) => {}
        Err(others) => errors.extend(others),
    }
    Err(compile::rendered(&config, errors))
}

/// Starts the server and supervises it until it is stopped. The result is the exit code.
///
/// # Errors
/// The server could not be started; the text is for standard error.
pub fn run(start: Start) -> Result<i32, String> {
    // The configuration must be right before the terminal is let go, so that its errors are seen there.
    check(&start.options, start.extensions)?;
    process::set_umask();
    let launch: Option<Launch> = match start.is_foreground {
        true => None,
        false => Some(
            process::daemonise()
                .map_err(|error| format!("cannot go into the background: {error}"))?,
        ),
    };
    mpm::run(Server::new(start), launch)
}

/// `-X`: one process, in the foreground, for debugging.
///
/// # Errors
/// As [`run`].
pub fn run_single(start: Start) -> Result<i32, String> {
    process::set_umask();
    mpm::run_single(Server::new(start))
}

/// A configuration in force: what children are born with.
#[derive(Debug)]
pub struct Generation {
    env: &'static Env,
    proxy: &'static Proxy,
    settings: Settings,
}

/// The parent's side of everything that is not a process.
struct Server {
    start: Start,
    board: Option<&'static Board>,
    sinks: Sinks,
    /// The environment that messages of the parent belong to.
    env: Option<&'static Env>,
    mpm: Option<Mpm>,
    now: Now,
}

impl Server {
    fn new(start: Start) -> Self {
        Self {
            start,
            board: None,
            sinks: Sinks::new(),
            env: None,
            mpm: None,
            now: clock::now(),
        }
    }

    /// The scoreboard of this run: made once, before the first fork, with room for what restarts may add.
    fn board(&mut self, config: &Config, settled: &mpm::Settled) -> Result<&'static Board, String> {
        let capacity = sizes::capacity(config, settled);
        if let Some(board) = self.board {
            return sizes::check_room(board.capacity(), &capacity).map(|()| board);
        }
        let path = &config.paths.scoreboard_file;
        let earlier = Board::open_read_only(path).ok();
        if let Some(owner) = earlier.as_ref().and_then(sizes::living_owner) {
            return Err(format!(
                "ScoreBoardFile {}: the running server with pid {owner} uses it; give this one a ScoreBoardFile of its own",
                path.display()
            ));
        }
        let board = Board::create(path, &capacity)
            .map_err(|error| format!("ScoreBoardFile {}: {error}", path.display()))?;
        let board: &'static Board = Box::leak(Box::new(board));
        self.begin(board, config, settled, earlier.as_ref());
        self.board = Some(board);
        Ok(board)
    }

    fn begin(
        &self,
        board: &Board,
        config: &Config,
        settled: &mpm::Settled,
        earlier: Option<&Reader>,
    ) {
        board.global().begin(&BoardBirth {
            pid: Pid::ours().number(),
            now_ms: self.now.unix_ms(),
            shape: match settled.mpm {
                Mpm::Prefork => ShapeKind::Prefork,
                Mpm::Worker => ShapeKind::Worker,
                Mpm::Event => ShapeKind::Event,
            },
            extended: config.extended_status.or(true),
            server: PRODUCT,
            built: BUILT,
        });
        board.global().set_state(ServerState::Starting);
        // After a crash of the parent the members' state is taken over; after an orderly stop the counts begin anew.
        if let Some(earlier) = earlier
            && sizes::was_running(earlier)
            && let Err(error) = board.inherit(earlier)
        {
            self.say(
                Level::Warn,
                &format!("TN0402: the earlier scoreboard could not be taken over: {error}"),
            );
        }
    }

    /// What a child of mod_proxy 2.2 said about its workers when it was born.
    fn trace_birth(&self, generation: &Generation, birth: &Birth) {
        let Some(log) = generation.env.main().error_log else {
            return;
        };
        let pid = birth.pid.number();
        let stamp = Stamp {
            now_us: clock::now().unix_us,
            pid,
            tid: Some(u64::from(pid)),
        };
        let threads = match generation.settings.settled.mpm {
            Mpm::Prefork => 1,
            Mpm::Worker | Mpm::Event => birth.shape.slots,
        };
        generation
            .proxy
            .init_traces(generation.env.config, pid, threads, &mut |trace| {
                log.write(&stamp, &trace.line())
            });
    }

    fn say(&self, level: Level, message: &str) {
        self.say_as(Module::Core, level, message);
    }

    fn say_as(&self, module: Module, level: Level, message: &str) {
        let line = Line::new(module, level, Tag::None, &message);
        match self.env.and_then(|env| env.main().error_log) {
            Some(log) => log.write(&self.stamp(), &line),
            None => crate::log::startup(&line),
        }
    }

    fn stamp(&self) -> Stamp {
        let pid = Pid::ours().number();
        Stamp {
            now_us: clock::now().unix_us,
            pid,
            tid: Some(u64::from(pid)),
        }
    }
}

impl mpm::Service for Server {
    type Generation = Generation;

    fn prepare(&mut self, generation: u32) -> Result<Generation, String> {
        self.now = clock::now();
        let config = compile::load(&self.start.options)?;
        let (settled, warnings) = sizes::settle(&config);
        let identity = compile::identity(&config)?;
        if generation > 0 {
            for error in self.sinks.reopen() {
                self.say(
                    Level::Error,
                    &format!("TN0405: a log file could not be opened again: {error}"),
                );
            }
        }
        if generation == 0
            && let Ok(Standing::Running(pid)) = Standing::of(&config.paths.pid_file)
        {
            // Before anything of the running server's is touched: its logs and its scoreboard have the same names.
            return Err(format!("tine (pid {pid}) already running"));
        }
        let logs = logs::open(&config, &mut self.sinks, self.start.startup_level)?;
        let board = self.board(&config, &settled)?;
        let extensions = self.start.extensions;
        let (env, proxy) =
            compile::environment(config.clone(), board, generation, extensions, Some(logs))
                .map_err(|errors| compile::rendered(&config, errors))?;
        let env: &'static Env = Box::leak(Box::new(env));
        self.env = Some(env);
        self.mpm = Some(settled.mpm);
        warnings
            .iter()
            .for_each(|warning| self.say(Level::Warn, warning));
        if identity.is_none() && privileges::are_root() {
            self.say(
                Level::Warn,
                "TN0406: no User is set, so children run as root; add `User` and `Group` lines that name an account of their own",
            );
        }
        for note in compile::notes(env) {
            match note.severity {
                Severity::Info => self.say(Level::Info, &note.message),
                Severity::Error | Severity::Warning => {
                    self.say(Level::Warn, &format!("TN0408: {}", note.brief()));
                }
            }
        }
        let settings = Settings {
            listens: compile::listens(env.config),
            listen_options: compile::listen_options(env.config, &settled),
            settled,
            identity,
            pid_file: env.config.paths.pid_file.clone(),
            has_probe: false,
            description: format!("{PRODUCT} (Unix)"),
            built: BUILT.to_owned(),
            command_line: self.start.command_line.clone(),
        };
        Ok(Generation {
            env,
            proxy,
            settings,
        })
    }

    fn settings(&self, generation: &Generation) -> Settings {
        generation.settings.clone()
    }

    fn board(&self, generation: &Generation) -> &'static Board {
        generation.env.board
    }

    fn run_child(&self, generation: &Generation, birth: Birth) -> i32 {
        self.trace_birth(generation, &birth);
        match serve(generation.env, birth) {
            Ok(()) => 0,
            Err(error) => {
                self.say(
                    Level::Error,
                    &format!("TN0401: a child cannot serve: {error}"),
                );
                mpm::FATAL
            }
        }
    }

    fn log(&self, level: mpm::Level, message: &str) {
        let level = match level {
            mpm::Level::Error => Level::Error,
            mpm::Level::Warn => Level::Warn,
            mpm::Level::Notice => Level::Notice,
            mpm::Level::Info => Level::Info,
            mpm::Level::Debug => Level::Debug,
        };
        self.say_as(self.mpm.map_or(Module::Core, mpm_module), level, message);
    }

    fn tick(&mut self, generation: &Generation, now: Now) -> Option<String> {
        self.now = now;
        for error in self.sinks.revive() {
            self.say(
                Level::Error,
                &format!("TN0403: a piped log program could not be started again: {error}"),
            );
        }
        let totals = generation.env.board.totals();
        let started = generation
            .env
            .board
            .global()
            .start_ms
            .load(std::sync::atomic::Ordering::Relaxed);
        let seconds = now.unix_ms().saturating_sub(started) / 1000;
        Some(format!(
            "Total requests: {}; {} s up; {} B sent",
            totals.accesses, seconds, totals.bytes
        ))
    }

    fn other_child_ended(&mut self, pid: Pid, _exit: Exit) {
        if self.sinks.ended(pid.number()) {
            self.say(
                Level::Error,
                "TN0404: a piped log program has ended unexpectedly; it is started again",
            );
        }
    }
}

/// A child's life: its loops, each on a thread of its own except the first.
fn serve(env: &'static Env, birth: Birth) -> io::Result<()> {
    let Birth {
        index,
        pid,
        shape,
        max_connections,
        listeners,
        control,
        ..
    } = birth;
    let me = Me {
        pid: pid.number(),
        tid: Some(u64::from(pid.number())),
        process: index,
    };
    let loops = shape.threads.max(1);
    let shared: &'static pool::Shared = Box::leak(Box::new(pool::Shared::new(
        env.backends.len(),
        loops,
        shape.slots,
    )));
    let party: &'static Party = Box::leak(Box::new(Party::new(loops as usize)));
    let listeners = Arc::new(listeners);
    let bear = |thread: u32, control, listeners: &Arc<Vec<TcpListener>>| LoopBirth {
        env,
        me,
        thread,
        slots: SlotRange::share(shape.slots, loops, thread),
        connections_max: connections(&shape),
        listeners: listeners.clone(),
        shared,
        party,
        control,
        accepts_max: u64::from(max_connections.unwrap_or(0)),
    };
    let first = bear(0, Some(control), &listeners);
    let others: Vec<LoopBirth> = (1..loops)
        .map(|number| bear(number, None, &listeners))
        .collect();
    // The loops close the listeners when they drain, which takes that nobody else holds them.
    drop(listeners);
    let mut threads = Vec::new();
    for birth in others {
        let name = format!("loop {}", birth.thread);
        let spawned = thread::Builder::new()
            .name(name)
            .spawn(move || event_loop::run(birth))?;
        threads.push(spawned);
    }
    env.board
        .process(index)
        .set_state(scoreboard::ProcessState::Ready);
    let mut result = event_loop::run(first);
    for thread in threads {
        let ended = thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a loop panicked")));
        result = result.and(ended);
    }
    result
}

fn connections(shape: &Shape) -> usize {
    usize::try_from(shape.connections).unwrap_or(usize::MAX)
}

/// The module under whose name the parent's own messages are printed.
const fn mpm_module(mpm: Mpm) -> Module {
    match mpm {
        Mpm::Prefork => Module::MpmPrefork,
        Mpm::Worker => Module::MpmWorker,
        Mpm::Event => Module::MpmEvent,
    }
}

/// When this program was built; the build does not record it, so that builds can be repeated byte for byte.
pub const BUILT: &str = concat!("version ", env!("CARGO_PKG_VERSION"));
