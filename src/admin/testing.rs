//! What the tests of pages share: an environment around a sample board, requests to a handler, golden files.

use std::fs;
use std::path::Path;

use scoreboard::Board;

use super::sample;
use crate::config::Config;
use crate::config::model::{Balancer, Member, MemberParams, ServerName, Sticky, WorkerUrl};
use crate::config::setting::Setting;
use crate::config::source::Place;
use crate::http::{Method, RequestHead};
use crate::request::{Answer, Ask, Env, Handler, Me, Peers, Plan, Route, Site, Verdict, Vhosts};

/// Identities as the samples write them.
pub(crate) fn identity(site: &Site) -> String {
    if site.index == 0 {
        "main".to_owned()
    } else {
        site.name.clone()
    }
}

/// The environment of a server with this board and the balancers of the samples, edited by `edit`.
pub(crate) fn env(board: Board, edit: impl FnOnce(&mut Config)) -> &'static Env {
    let mut config = Config::default();
    let place = Place::new("test.conf", 1);
    let name = ServerName {
        scheme: None,
        host: "www.example.com".to_owned(),
        port: None,
    };
    config.main.name.set(name, &place);
    config.main.proxy.balancers = balancers(&place);
    edit(&mut config);
    let config: &'static Config = Box::leak(Box::new(config));
    let sites = (0..)
        .zip(config.servers())
        .map(|(index, server)| Site::compile(index, server, "www.example.com", &[]).unwrap())
        .collect();
    Box::leak(Box::new(Env {
        vhosts: Vhosts::compile(config, &mut |_| Vec::new()),
        sites,
        config: Box::leak(Box::new(config)),
        board: Box::leak(Box::new(board)),
        handlers: Vec::new(),
        backends: Vec::new(),
        generation: 1,
        product: "tine/0.1.0".to_owned(),
    }))
}

fn balancers(place: &Place) -> Vec<Balancer> {
    let member = |text: &str| Member {
        url: WorkerUrl::parse(text).unwrap(),
        id22: 0,
        params: MemberParams::default(),
        place: place.clone(),
    };
    let mut app = Balancer::new("app", place);
    app.path = Some("/app/".to_owned());
    app.members = [
        "http://app1.example.com:8080",
        "http://app2.example.com:8080",
        "http://operator:secret@app3.example.com:8080",
    ]
    .map(member)
    .into();
    app.members[0].params.acquire_ms = Setting::new(1500, place);
    app.members[0].params.retry_s = Setting::new(60, place);
    let mut shop = Balancer::new("shop", place);
    shop.path = Some("/shop/".to_owned());
    shop.members = [
        "unix:/run/shop1.sock|ajp://shop1.example.com",
        "ajp://shop2.example.com",
    ]
    .map(member)
    .into();
    let sticky = Sticky {
        cookie: "ROUTE".to_owned(),
        url_parameter: "route".to_owned(),
    };
    shop.params.sticky = Setting::new(sticky, place);
    vec![app, shop]
}

/// What a handler answers to a request for `target` at the samples' moment.
pub(crate) fn ask(
    handler: &dyn Handler,
    env: &'static Env,
    method: Method,
    target: &str,
) -> Box<Answer> {
    let mut head = RequestHead {
        method,
        ..RequestHead::default()
    };
    head.target.assign(target.as_bytes(), false).unwrap();
    let mut route = Route::default();
    route.site = Some(env.main());
    route.host = b"www.example.com".to_vec();
    let peers = Peers {
        client: "192.0.2.77:51000".parse().unwrap(),
        local: "198.51.100.1:80".parse().unwrap(),
    };
    let ask = Ask {
        env,
        me: &Me {
            pid: 1001,
            tid: None,
            process: 0,
        },
        head: &head,
        route: &route,
        peers: &peers,
        content: None,
        slot: 0,
        keepalives: 0,
        now_us: sample::NOW_MS * 1000,
    };
    match handler.start(&ask, &mut Plan::default()) {
        Verdict::Answer(answer) => answer,
        other @ (Verdict::Forward | Verdict::Gather { .. } | Verdict::File | Verdict::Decline) => {
            panic!("pages are answered, not {other:?}")
        }
    }
}

/// Asks with GET and returns the text.
pub(crate) fn get(handler: &dyn Handler, env: &'static Env, target: &str) -> String {
    String::from_utf8(ask(handler, env, Method::Get, target).body).unwrap()
}

/// Compares `text` with `tests/golden/admin/NAME`. With `BLESS=1` in the environment the file is written instead.
#[track_caller]
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/admin")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let differs = golden
        .lines()
        .zip(text.lines())
        .find(|(old, new)| old != new);
    assert!(
        golden == text,
        "{} differs; first line that does: {differs:?}; BLESS=1 writes it anew",
        path.display()
    );
}
