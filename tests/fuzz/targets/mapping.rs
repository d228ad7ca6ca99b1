//! Mappings: whatever a request names, it goes where the configuration leads, in one request line.
//!
//! The first byte of an input chooses a virtual host and what variables there are; lines behind it are the path and two fields.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scoreboard::{Board, Capacity};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use tine::balancer::{METHODS, Methods};
use tine::buf::{Blocks, Outlet, Output};
use tine::codec::http1::Client;
use tine::codec::{ClientCodec, Codec as _, Limits};
use tine::config::{Options, load_str};
use tine::http::fields::is_value;
use tine::http::host::Authority;
use tine::http::{FieldId, Part, RequestHead, Version};
use tine::proxy::{Proxy, SCHEMES};
use tine::request::{
    Address, Ask, DirCache, Env, Handler, Me, Moment, Outcome, Peers, Plan, Route, Site, Verdict,
    Vhosts, locate,
};

/// Every kind of rule there is. Fixed hosts end in `.fixed`; what a request may fill in does not.
const CONF: &str = r#"
Listen 127.0.0.1:80
ServerName main.test
AllowEncodedSlashes NoDecode
ProxyPassInterpolateEnv On
SetEnvIf X-Site "^(.*)$" site=$1
SetEnvIf X-Host "^(.*)$" host=$1
SetEnvIf Request_URI "^/stay" no-proxy
<Proxy balancer://pool>
    BalancerMember http://one.fixed:8080/base route=a
    BalancerMember http://two.fixed route=b
    ProxySet stickysession=SID|sid
</Proxy>
ProxyPass /excluded !
ProxyPass /plain http://plain.fixed/p
ProxyPass /bare/ http://bare.fixed
ProxyPass /raw http://raw.fixed/r nocanon
ProxyPass /encoded http://encoded.fixed/e mapping=encoded
ProxyPass /both http://both.fixed/b mapping=encoded nocanon
ProxyPass /servlet http://servlet.fixed/s mapping=servlet
ProxyPass /${site}/in http://inter.fixed/${site}/ interpolate
ProxyPass /var http://${host}/v interpolate nocanon
ProxyPass /pool balancer://pool/
ProxyPassMatch "^/re/([^/]*)/(.*)$" http://re.fixed/$2?$1
ProxyPassMatch "^/end(.*)$" http://end.fixed$1
ProxyPassMatch "^/grow/(.*)$" http://grow.fixed/$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0
ProxyPassMatch "^/to/([^/]*)/(.*)$" http://$1/$2
ProxyPassMatch "^/toraw/([^/]*)/(.*)$" http://x$1.example:8080/$2 nocanon
ProxyPassMatch "^/port/([^/]*)/(.*)$" http://port.example:$1/$2
ProxyPassMatch "^/name/([^/]*)/(.*)$" balancer://$1/$2
ProxyPassMatch "\.gif$" http://gif.fixed
<Location /place>
    ProxyPass http://place.fixed/
</Location>
<Location /guarded>
    Require env nobody
</Location>
<VirtualHost *>
    ServerName decode.test
    AllowEncodedSlashes On
    MergeSlashes Off
    ProxyPass / http://decode.fixed/d/
</VirtualHost>
<VirtualHost *>
    ServerName strict.test
    ProxyPassInterpolateEnv Off
    ProxyPass / http://strict.fixed
</VirtualHost>
"#;

const ME: Me = Me {
    pid: 1,
    tid: None,
    process: 0,
};

/// The generation, compiled once.
fn env() -> &'static Env {
    static ENV: OnceLock<Box<Env>> = OnceLock::new();
    ENV.get_or_init(|| {
        let options = Options {
            file: PathBuf::from("fuzz.conf"),
            server_root: Some(PathBuf::from("/")),
            defines: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            env: &|_| None,
        };
        let config = load_str(CONF, &options).expect("a configuration of ours");
        let config = Box::leak(Box::new(config));
        let capacity = Capacity {
            processes: 1,
            slots_per_process: 1,
            balancers: 8,
            members: 128,
        };
        let board = Board::heap(&capacity).expect("memory for a board");
        let board: &'static Board = Box::leak(Box::new(board));
        board
            .claim_process(1, 0, 0)
            .expect("the board has one process");
        let proxy = Proxy::compile(config, board, Methods(METHODS), SCHEMES);
        let proxy: &'static Proxy = Box::leak(Box::new(proxy.expect("rules that can be used")));
        let handlers: Vec<&'static dyn Handler> = vec![proxy];
        let sites = config.servers().enumerate().map(|(index, server)| {
            let index = u32::try_from(index).expect("three servers");
            Site::compile(index, server, "main.test", &handlers).expect("sections of ours")
        });
        Box::new(Env {
            sites: sites.collect(),
            vhosts: Vhosts::compile(config, &mut |_| Vec::new()),
            backends: proxy.backends().to_vec(),
            config,
            board,
            handlers,
            generation: 0,
            product: "tine".to_owned(),
        })
    })
}

fn head(input: &[u8]) -> Option<RequestHead> {
    let (&flags, rest) = input.split_first()?;
    let mut lines = rest.split(|&byte| byte == b'\n');
    let mut head = RequestHead {
        version: Version::Http11,
        ..RequestHead::default()
    };
    head.target.assign(lines.next()?, false).ok()?;
    let host: &[u8] = match flags & 3 {
        0 => b"decode.test",
        1 => b"strict.test",
        _ => b"main.test",
    };
    head.fields.push(b"Host", host);
    for name in [&b"X-Site"[..], b"X-Host"] {
        if let Some(value) = lines.next().filter(|value| is_value(value)) {
            head.fields.push(name, value);
        }
    }
    Some(head)
}

/// What a client codec writes for a head.
fn written(head: &RequestHead) -> Vec<u8> {
    let mut codec = Client::new(Limits {
        line: 8190,
        field_size: 8190,
        fields: 100,
    });
    let (mut output, mut blocks) = (Output::new(), Blocks::new());
    let stream = codec.open().expect("a new connection is free");
    let mut out = Outlet {
        output: &mut output,
        blocks: &mut blocks,
    };
    let part = Part::Head(Box::new(head.clone()));
    codec
        .push(stream, &part, &mut out)
        .expect("a plan's head can be written");
    output.to_vec()
}

/// What is written for a plan: one request line with one target, of a bounded length, and the host that is dialled.
fn check(plan: &Plan) {
    let bytes = written(&plan.head);
    assert!(bytes.len() < 4 * 64 * 1024, "{} bytes", bytes.len());
    let line = bytes.split(|&byte| byte == b'\r').next().expect("a line");
    assert_eq!(
        line.iter().filter(|&&byte| byte == b' ').count(),
        2,
        "{line:?}"
    );
    assert!(
        line.iter().all(|&byte| byte > 0x1f && byte != 0x7f),
        "{line:?}"
    );
    assert!(
        line.starts_with(b"GET /") && line.ends_with(b" HTTP/1.1"),
        "{line:?}"
    );
    let target = plan.head.target.raw();
    assert_eq!(line, [b"GET ", target, b" HTTP/1.1"].concat());
    let host = plan.head.fields.get(FieldId::Host).expect("a host is sent");
    let host = Authority::parse(host).expect("it is a host");
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    assert!(host.host.iter().all(is_plain), "{host:?}");
    match &plan.backend.expect("a plan names its backend").address {
        Address::Tcp { host: dialled, .. } => {
            assert!(dialled.ends_with(".fixed"), "{dialled}");
            assert_eq!(host.host, dialled.as_bytes());
        }
        Address::Planned => assert_eq!(host.host, plan.address.host.as_bytes()),
        Address::Unix(path) => panic!("nobody named {path:?}"),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(mut head) = head(input) else {
        return;
    };
    let env = env();
    let peers = Peers {
        client: SocketAddr::from(([192, 0, 2, 9], 1234)),
        local: SocketAddr::from(([127, 0, 0, 1], 80)),
    };
    let mut route = Route::default();
    if locate(
        env,
        &ME,
        &mut DirCache::new(),
        &peers,
        &mut head,
        Moment::at(0),
        &mut route,
    )
    .is_err()
    {
        return;
    }
    // Nobody's request is for a file.
    let Some(handler) = route.handler else {
        return;
    };
    let ask = Ask {
        env,
        me: &ME,
        head: &head,
        route: &route,
        peers: &peers,
        content: None,
        slot: 0,
        keepalives: 0,
        now_us: 0,
    };
    let mut plan = Plan::default();
    if matches!(handler.start(&ask, &mut plan), Verdict::Forward) {
        check(&plan);
        let outcome = Outcome {
            status: None,
            failure: None,
            bytes_sent: 0,
            bytes_received: 0,
        };
        handler.finish(&ask, &mut plan, &outcome);
    }
});
