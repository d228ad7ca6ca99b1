//! The pages against golden files, and what must never be on them.

use super::*;
use crate::admin::sample;
use crate::admin::testing::{ask, assert_golden, env, get, identity};
use crate::config::model::{Server, VhostAddr, VhostIp};
use crate::http::{self, Method};

const HANDLER: BalancerManager = BalancerManager { identity };

#[test]
fn golden_pages() {
    let env = env(sample::prefork(), |_| {});
    assert_golden(
        "balancer_manager.html",
        &get(&HANDLER, env, "/balancer-manager"),
    );
    assert_golden(
        "balancer_manager.xml",
        &get(&HANDLER, env, "/balancer-manager?xml=1"),
    );
}

#[test]
fn one_balancer_by_name() {
    let env = env(sample::prefork(), |_| {});
    let html = get(&HANDLER, env, "/balancer-manager?b=app&b=SHOP");
    assert!(html.contains("balancer://shop"));
    assert!(!html.contains("balancer://app"));
    let html = get(&HANDLER, env, "/balancer-manager?b=nobody");
    assert!(html.contains("This server has no such balancer."));
}

#[test]
fn a_server_shows_its_own_balancers_and_those_it_inherits() {
    let board = sample::prefork();
    for (vhost, member) in [
        ("other", "http://other:1"),
        ("www.example.org", "http://own:2"),
    ] {
        let balancer = board.register_balancer("balancer://shop", vhost).unwrap();
        board
            .register_member(balancer, member, &scoreboard::MemberInit::default())
            .unwrap();
    }
    let env = env(board, |config| {
        let mut balancers = config.main.proxy.balancers.clone();
        balancers[0].inherited = true;
        let any = VhostAddr {
            text: "*:80".to_owned(),
            ip: VhostIp::Any,
            port: Some(80),
        };
        let mut vhost = Server {
            addresses: vec![any],
            ..config.main.clone()
        };
        if let Some(name) = vhost.name.get().cloned() {
            let host = "www.example.org".to_owned();
            vhost.name = crate::config::setting::Setting::new(
                crate::config::model::ServerName { host, ..name },
                &crate::config::source::Place::new("test.conf", 9),
            );
        }
        vhost.proxy.balancers = balancers;
        config.vhosts.push(vhost);
    });
    let snapshot = env.board.snapshot();
    let urls = |site: &'static Site| -> Vec<Vec<String>> {
        let groups = fleet::of_site(env, site, &snapshot, identity);
        let urls = |group: &Group<'_>| group.members.iter().map(|one| one.url.clone()).collect();
        groups.iter().map(urls).collect()
    };
    let [main, vhost] = [urls(env.site(0)), urls(env.site(1))];
    assert_eq!(
        main[0], vhost[0],
        "an inherited balancer is the main server's"
    );
    assert_eq!(
        main[1],
        ["ajp://shop1.example.com", "ajp://shop2.example.com"]
    );
    assert_eq!(vhost[1], ["http://own:2"]);
}

#[test]
fn nothing_secret_and_nothing_to_press() {
    let env = env(sample::prefork(), |_| {});
    env.board.balancer(0).nonce.set(b"0f7c0f7c-nonce");
    for target in ["/balancer-manager", "/balancer-manager?xml=1"] {
        let text = get(&HANDLER, env, target);
        assert!(text.contains("app3.example.com"));
        for word in ["secret", "nonce", "<form", "<input"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}

#[test]
fn xml_is_well_formed_whatever_members_are_called() {
    let board = sample::prefork();
    board.member(0).route.set(b"<a>&'\"]]>");
    let env = env(board, |_| {});
    let xml = get(&HANDLER, env, "/balancer-manager?xml=1");
    assert!(xml.contains("<httpd:route>&lt;a&gt;&amp;&#39;&quot;]]&gt;</httpd:route>"));
    let mut open = Vec::new();
    for tag in xml
        .split('<')
        .skip(2)
        .filter_map(|part| part.split_once('>'))
        .map(|(tag, _)| tag)
    {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(tag.split(' ').next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn media_types_and_methods() {
    let env = env(sample::prefork(), |_| {});
    let answer = ask(&HANDLER, env, Method::Get, "/balancer-manager?xml");
    assert_eq!(
        answer.fields.find(b"content-type"),
        Some(&b"text/xml; charset=utf-8"[..])
    );
    let answer = ask(
        &HANDLER,
        env,
        Method::Post,
        "/balancer-manager?b=app&w_status_D=1",
    );
    assert_eq!(answer.status, http::Status::METHOD_NOT_ALLOWED);
    assert_eq!(answer.fields.find(b"allow"), Some(&b"GET, HEAD"[..]));
    assert!(
        env.board
            .snapshot()
            .members
            .iter()
            .all(|member| member.elected != 1)
    );
}
