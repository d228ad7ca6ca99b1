//! A generation from a configuration's text, over a board in private memory, for this room's tests.

use super::*;
use crate::balancer::Methods;
use crate::config::{Options, load_str, model::Config};
use crate::http::{RequestHead, Status};
use crate::log::{ErrorLog, LevelMap, Sink, Stamp, Zone};
use crate::proxy::SCHEMES;
use crate::request::{DirCache, Env, Me, Moment, Peers, Route, Site, Vhosts, locate};
use scoreboard::{Board, Capacity};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A configuration read from text.
pub(in crate::proxy) fn config(text: &str) -> &'static Config {
    let options = Options {
        file: "test.conf".into(),
        server_root: None,
        defines: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
        env: &|_| None,
    };
    let text = format!("Listen 127.0.0.1:80\nLogLevel debug\nServerName tine.test\n{text}");
    let config = load_str(&text, &options).unwrap_or_else(|errors| panic!("{errors:#?}"));
    Box::leak(Box::new(config))
}

/// A board for a few members and one child.
pub(in crate::proxy) fn board() -> &'static Board {
    let capacity = Capacity {
        processes: 2,
        slots_per_process: 4,
        balancers: 8,
        members: 32,
    };
    Box::leak(Box::new(Board::heap(&capacity).unwrap()))
}

/// A server in one process, seen from its handler.
pub(super) struct World {
    pub(super) env: &'static Env,
    pub(super) proxy: &'static Proxy,
    me: Me,
    log: PathBuf,
    _dir: tempfile::TempDir,
    pub(super) now_ms: u64,
}

/// One exchange in the making.
pub(super) struct Asked {
    pub(super) head: RequestHead,
    pub(super) route: Route,
    pub(super) plan: Plan,
    peers: Peers,
}

impl World {
    /// A server with this configuration whose log shows everything up to debug.
    pub(super) fn new(text: &str) -> Self {
        Self::with_level(text, Level::Debug)
    }

    /// One whose log shows no traces.
    pub(super) fn quiet(text: &str) -> Self {
        Self::with_level(&format!("LogLevel info\n{text}"), Level::Info)
    }

    fn with_level(text: &str, level: Level) -> Self {
        let (config, board) = (config(text), board());
        let proxy = Proxy::compile(config, board, Methods::default(), SCHEMES)
            .unwrap_or_else(|errors| panic!("{errors:#?}"));
        let proxy: &'static Proxy = Box::leak(Box::new(proxy));
        let handlers: Vec<&'static dyn Handler> = vec![proxy];
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("error_log");
        let sink = Arc::new(Sink::file(&log).unwrap());
        let sites = config.servers().enumerate().map(|(index, server)| {
            let mut site = Site::compile(
                u32::try_from(index).unwrap(),
                server,
                "tine.test",
                &handlers,
            )
            .unwrap();
            let mut levels = LevelMap::new();
            levels.set_default(level);
            let log = ErrorLog::new(Arc::clone(&sink), levels.compile(), "main", Zone::fixed(0));
            site.error_log = Some(Box::leak(Box::new(log)));
            site
        });
        let env: &'static Env = Box::leak(Box::new(Env {
            config,
            board,
            sites: sites.collect(),
            vhosts: Vhosts::compile(config, &mut |_| Vec::new()),
            handlers,
            backends: proxy.backends().to_vec(),
            generation: 0,
            product: "tine/0.0.0".to_owned(),
        }));
        let process = board.claim_process(371, 0, 0).unwrap();
        let me = Me {
            pid: 371,
            tid: None,
            process,
        };
        Self {
            env,
            proxy,
            me,
            log,
            _dir: dir,
            now_ms: 1_000_000,
        }
    }

    /// Locates a request: `GET /path` and fields.
    pub(super) fn ask(&self, line: &str, fields: &[(&str, &str)]) -> Result<Asked, u16> {
        let (method, target) = line.split_once(' ').unwrap();
        let mut head = RequestHead {
            method: crate::http::Method::parse(method.as_bytes()).unwrap(),
            ..RequestHead::default()
        };
        head.target.assign(target.as_bytes(), false).unwrap();
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        let peers = Peers {
            client: "192.0.2.7:4711".parse().unwrap(),
            local: "192.0.2.1:80".parse().unwrap(),
        };
        let mut asked = Asked {
            head,
            route: Route::default(),
            plan: Plan::default(),
            peers,
        };
        let mut cache = DirCache::new();
        locate(
            self.env,
            &self.me,
            &mut cache,
            &asked.peers,
            &mut asked.head,
            Moment::at(self.now_ms * 1000),
            &mut asked.route,
        )
        .map_err(|answer| answer.status.as_u16())?;
        Ok(asked)
    }

    pub(super) fn with<R>(
        &self,
        asked: &mut Asked,
        act: impl FnOnce(&Ask<'_>, &mut Plan) -> R,
    ) -> R {
        let ask = Ask {
            env: self.env,
            me: &self.me,
            head: &asked.head,
            route: &asked.route,
            peers: &asked.peers,
            content: None,
            slot: 0,
            keepalives: 0,
            now_us: self.now_ms * 1000,
        };
        act(&ask, &mut asked.plan)
    }

    /// Starts; what came of it as [`World::shown`] has it.
    pub(super) fn start(&self, asked: &mut Asked) -> String {
        let verdict = self.with(asked, |ask, plan| self.proxy.start(ask, plan));
        Self::shown(&verdict, &asked.plan)
    }

    pub(super) fn fail(&self, asked: &mut Asked, failure: &Failure) -> String {
        let verdict = self.with(asked, |ask, plan| self.proxy.failed(ask, plan, failure));
        Self::shown(&verdict, &asked.plan)
    }

    pub(super) fn finish(&self, asked: &mut Asked, status: u16) {
        let outcome = Outcome {
            status: Status::from_u16(status),
            failure: None,
            bytes_sent: 10,
            bytes_received: 300,
        };
        self.with(asked, |ask, plan| self.proxy.finish(ask, plan, &outcome));
    }

    /// The engine carries the plan out on a fresh connection, and all goes well.
    pub(super) fn reach_all(&self, asked: &mut Asked, address: &str) {
        let address = address.parse().unwrap();
        for milestone in [
            Milestone::Acquired,
            Milestone::SocketCreated(address),
            Milestone::Connected(address),
            Milestone::HeadSent(true),
            Milestone::BodySent,
            Milestone::Released,
        ] {
            self.with(asked, |ask, plan| {
                self.proxy.milestone(ask, plan, milestone)
            });
        }
    }

    /// `-> backend target`, or the status of an answer.
    fn shown(verdict: &Verdict, plan: &Plan) -> String {
        match verdict {
            Verdict::Answer(answer) => answer.status.to_string(),
            Verdict::Forward => {
                let target = String::from_utf8_lossy(plan.head.target.raw()).into_owned();
                format!("-> {} {target}", plan.backend.unwrap().label)
            }
            Verdict::Gather { .. } | Verdict::File | Verdict::Decline => panic!("{verdict:?}"),
        }
    }

    /// A whole exchange that goes well; where it went.
    pub(super) fn serve(&self, line: &str, fields: &[(&str, &str)]) -> String {
        let mut asked = match self.ask(line, fields) {
            Ok(asked) => asked,
            Err(status) => return status.to_string(),
        };
        let shown = self.start(&mut asked);
        if shown.starts_with("->") {
            self.finish(&mut asked, 200);
        }
        shown
    }

    /// The exchanges under way at each member of the only balancer.
    pub(super) fn busy(&self) -> Vec<u64> {
        let balancer = self.proxy.balancers().next().unwrap();
        balancer
            .members
            .iter()
            .map(|member| self.env.board.busy(member.board_index))
            .collect()
    }

    /// The state of each member.
    pub(super) fn states(&self) -> Vec<String> {
        let balancer = self.proxy.balancers().next().unwrap();
        balancer
            .members
            .iter()
            .map(|member| member.status_text().trim_end().to_owned())
            .collect()
    }

    /// Bytes booked at each member: sent, received, times elected.
    pub(super) fn books(&self) -> Vec<(u64, u64, u64)> {
        let balancer = self.proxy.balancers().next().unwrap();
        let read = |member: &Member| {
            let score = member.score;
            (
                score.transferred.load(Relaxed),
                score.read.load(Relaxed),
                score.elected.load(Relaxed),
            )
        };
        balancer.members.iter().map(read).collect()
    }

    /// Writes what a child says when it takes up its workers, as the server does. `threads` is how many exchanges it serves at once.
    pub(super) fn init(&self, threads: u32) {
        let stamp = Stamp {
            now_us: self.now_ms * 1000,
            pid: self.me.pid,
            tid: self.me.tid,
        };
        let log = self.env.main().error_log.unwrap();
        self.proxy
            .init_traces(self.env.config, self.me.pid, threads, &mut |trace| {
                log.write(&stamp, &trace.line());
            });
    }

    /// Compares all lines logged so far with `tests/golden/proxy/NAME`, or writes that file when `BLESS` is set.
    #[track_caller]
    pub(super) fn assert_golden(&self, name: &str) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/proxy");
        let path = directory.join(name);
        let text = std::fs::read_to_string(&self.log).unwrap();
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = text.lines().zip(expected.lines()).find(|(a, e)| a != e);
        assert!(
            text == expected,
            "{} differs, first at {differs:?}; BLESS=1 writes it anew",
            path.display()
        );
    }

    /// The messages logged so far, without time and process.
    pub(super) fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines()
            .map(|line| line.split_once("[pid 371] ").unwrap().1.to_owned())
            .collect()
    }
}
