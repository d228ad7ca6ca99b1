//! What tests of this room and the rooms above need: an environment from a model, a head from text, stub handlers.

use std::net::{IpAddr, SocketAddr};

use scoreboard::{Board, Capacity};

use super::{
    Answer, Ask, Claim, DirCache, Env, Failure, Handler, Me, Moment, Peers, Plan, Route, Site,
    Verdict, Vhosts, locate,
};
use crate::config::model::{
    self, Config, DirConfig, Location, ProxySection, Server, ServerName, VhostAddr, VhostIp,
};
use crate::config::{Merge as _, Place, Setting};
use crate::http::head::ContentSize;
use crate::http::{Method, RequestHead, Status, Version};

/// A setting that some line made.
pub(crate) fn set<T>(value: T) -> Setting<T> {
    Setting::new(value, &place())
}

/// Some line.
pub(crate) fn place() -> Place {
    Place::new("test.conf", 1)
}

/// `ServerName`.
pub(crate) fn named(name: &str) -> Setting<ServerName> {
    let (host, port) = match name.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (name, None),
    };
    set(ServerName {
        scheme: None,
        host: host.to_owned(),
        port,
    })
}

/// A `<VirtualHost addresses>` with a ServerName, if one is given.
pub(crate) fn vhost(addresses: &str, name: &str) -> Server {
    Server {
        addresses: addresses.split(' ').map(address).collect(),
        name: if name.is_empty() {
            Setting::UNSET
        } else {
            named(name)
        },
        ..Server::default()
    }
}

fn address(text: &str) -> VhostAddr {
    let (host, port) = text
        .rsplit_once(':')
        .filter(|_| !text.ends_with(']'))
        .unwrap_or((text, "*"));
    let bare = host.trim_matches(['[', ']']);
    VhostAddr {
        text: text.to_owned(),
        ip: match bare {
            "*" | "_default_" => VhostIp::Any,
            _ => bare
                .parse()
                .map_or_else(|_| VhostIp::Name(bare.to_owned()), VhostIp::Ip),
        },
        port: port.parse().ok(),
    }
}

/// A `<Location path>`.
pub(crate) fn location(path: &str, dir: DirConfig) -> Location {
    Location {
        pattern: pattern(path),
        dir,
        place: place(),
    }
}

/// A `<Proxy url>`.
pub(crate) fn proxy_section(url: &str, dir: DirConfig) -> ProxySection {
    ProxySection {
        pattern: pattern(url),
        dir,
        place: place(),
    }
}

/// `~ expression`, else a glob if it looks like one, else a prefix.
pub(crate) fn pattern(text: &str) -> model::Pattern {
    match text.strip_prefix("~ ") {
        Some(regex) => model::Pattern::Regex(regex.to_owned()),
        None if super::glob::has_wildcard(text.as_bytes()) => model::Pattern::Glob(text.to_owned()),
        None => model::Pattern::Prefix(text.to_owned()),
    }
}

/// `SetHandler name`.
pub(crate) fn handled_by(name: &str) -> DirConfig {
    DirConfig {
        set_handler: set(model::Handler::Named(name.to_owned())),
        ..DirConfig::default()
    }
}

/// A main server and its virtual hosts, which inherit from it.
pub(crate) fn config(main: Server, vhosts: Vec<Server>) -> Config {
    Config {
        vhosts: vhosts
            .iter()
            .map(|vhost| Server::merge(&main, vhost))
            .collect(),
        main,
        ..Config::default()
    }
}

/// A generation made of this configuration, for ever.
pub(crate) fn env(config: Config, handlers: Vec<&'static dyn Handler>) -> &'static Env {
    let capacity = Capacity {
        processes: 1,
        slots_per_process: 1,
        balancers: 1,
        members: 1,
    };
    let config: &'static Config = Box::leak(Box::new(config));
    let main_name = super::vhost::server_name(&config.main, "");
    let servers = config.servers().enumerate();
    let sites = servers.map(|(index, server)| {
        Site::compile(u32::try_from(index).unwrap(), server, &main_name, &handlers).unwrap()
    });
    Box::leak(Box::new(Env {
        sites: sites.collect(),
        vhosts: Vhosts::compile(config, &mut |name| match name {
            "www.example.com" => vec![IpAddr::from([192, 0, 2, 80])],
            _ => Vec::new(),
        }),
        config,
        board: Box::leak(Box::new(Board::heap(&capacity).unwrap())),
        handlers,
        backends: Vec::new(),
        generation: 0,
        product: "tine/0.0.0".to_owned(),
    }))
}

/// A request head: `GET /x Host: a X: y`, the fields parted from each other by two spaces.
pub(crate) fn head(text: &str) -> RequestHead {
    let mut pieces = text.split("  ");
    let line = pieces.next().unwrap();
    let (method, target) = line.split_once(' ').unwrap();
    let mut head = RequestHead {
        method: Method::parse(method.as_bytes()).unwrap(),
        version: Version::Http11,
        ..RequestHead::default()
    };
    head.target
        .assign(target.as_bytes(), head.method == Method::Connect)
        .unwrap();
    for field in pieces {
        let (name, value) = field.split_once(": ").unwrap();
        head.fields.push(name.as_bytes(), value.as_bytes());
        if name == "Content-Length" {
            head.content = ContentSize::Length(value.parse().unwrap());
        }
    }
    head
}

/// A client at 10.0.0.9 on our address.
pub(crate) fn peers(local: &str) -> Peers {
    Peers {
        client: SocketAddr::from(([10, 0, 0, 9], 5123)),
        local: local.parse().unwrap(),
    }
}

/// The process of tests.
pub(crate) const ME: Me = Me {
    pid: 7,
    tid: None,
    process: 0,
};

/// Where a request on `192.0.2.1:80` belongs.
pub(crate) fn located(env: &'static Env, text: &str) -> (Route, Result<(), Box<Answer>>) {
    let mut route = Route::default();
    let peers = peers("192.0.2.1:80");
    let found = locate(
        env,
        &ME,
        &mut DirCache::new(),
        &peers,
        &mut head(text),
        Moment::at(0),
        &mut route,
    );
    (route, found)
}

/// The request in the eyes of a handler.
pub(crate) fn ask<'a>(
    env: &'static Env,
    head: &'a RequestHead,
    route: &'a Route,
    peers: &'a Peers,
) -> Ask<'a> {
    Ask {
        env,
        me: &ME,
        head,
        route,
        peers,
        content: None,
        slot: 0,
        keepalives: 0,
        now_us: 0,
    }
}

/// A handler that says its name, and claims paths below its prefix for a URL, if it has one.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) name: &'static str,
    pub(crate) maps: Option<(&'static str, &'static str)>,
}

impl Handler for Stub {
    fn name(&self) -> &'static str {
        self.name
    }

    fn claims(&self, ask: &Ask<'_>, claim: &mut Claim) -> bool {
        let Some((prefix, url)) = self.maps else {
            return false;
        };
        let path = &ask.route.path;
        let rest = if ask.route.is_forward {
            Some(path.as_slice())
        } else {
            path.strip_prefix(prefix.as_bytes())
        };
        claim.url.extend_from_slice(if ask.route.is_forward {
            b""
        } else {
            url.as_bytes()
        });
        claim.url.extend_from_slice(rest.unwrap_or_default());
        rest.is_some()
    }

    fn start(&self, _ask: &Ask<'_>, _plan: &mut Plan) -> Verdict {
        Verdict::Answer(Answer::text(Status::OK, self.name))
    }

    fn failed(&self, ask: &Ask<'_>, _plan: &mut Plan, failure: &Failure) -> Verdict {
        Verdict::Answer(failure.answer(ask))
    }
}

/// A page.
pub(crate) static PAGE: Stub = Stub {
    name: "server-status",
    maps: None,
};

/// What `ProxyPass /app http://b/app` would claim.
pub(crate) static APP: Stub = Stub {
    name: "proxy-server",
    maps: Some(("/app", "http://b/app")),
};
