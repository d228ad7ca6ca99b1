//! Variables of requests, from the line that sets one to whoever reads it.

use crate::harness::{DeadPort, Origin, Setup, Tine, httpd, until};

fn origin() -> Origin {
    Origin::start("origin", |call| call.reply(200, &[], b"from the backend"))
}

#[test]
fn logs_show_what_a_request_and_its_attempt_have_set() {
    let origin = origin();
    let tine = Tine::start(&format!(
        "ErrorLogFormat \"zone=%{{zone}}e %M\"\n\
         LogFormat \"%U %{{zone}}e %{{late}}e %{{BALANCER_NAME}}e\" vars\n\
         CustomLog logs/all vars\n\
         CustomLog logs/some vars env=!quiet\n\
         SetEnvIf X-Zone \"^(\\w+)$\" zone=$1\n\
         SetEnvIf Request_URI \\.gif$ quiet\n\
         SetEnv late yes\n\
         <Location /denied>\n\
         Require env inside\n\
         </Location>\n\
         <Proxy balancer://pool>\nBalancerMember {}\n</Proxy>\n\
         ProxyPass / balancer://pool/\n",
        origin.url()
    ));
    for (count, (path, status)) in [("/a", 200), ("/b.gif", 200), ("/denied", 403)]
        .into_iter()
        .enumerate()
    {
        tine.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: t\r\nX-Zone: eu\r\nConnection: close\r\n\r\n"
        ))
        .expect(status);
        until("a line more in the log", || {
            tine.file("logs/all").lines().count() == count + 1
        });
    }
    let all = "/a eu yes balancer://pool\n/b.gif eu yes balancer://pool\n/denied eu - -\n";
    assert_eq!(tine.file("logs/all"), all);
    let some = "/a eu yes balancer://pool\n/denied eu - -\n";
    until("both lines in the other log", || {
        tine.file("logs/some") == some
    });
    tine.wait_log("zone=eu AH01630: client denied by server configuration");
}

#[test]
fn the_error_log_shows_what_a_failed_attempt_has_set() {
    if httpd::is_peer() {
        // The message is ours.
        return;
    }
    let dead = DeadPort::new();
    let tine = Tine::start(&format!(
        "ErrorLogFormat \"%{{zone}}e %{{BALANCER_WORKER_ROUTE}}e %M\"\n\
         SetEnvIf X-Zone (.+) zone=$1\n\
         <Proxy balancer://pool>\nBalancerMember {} route=r1\n</Proxy>\n\
         ProxyPass / balancer://pool/\n",
        dead.url()
    ));
    tine.send("GET / HTTP/1.1\r\nHost: t\r\nX-Zone: eu\r\nConnection: close\r\n\r\n")
        .expect(503);
    tine.wait_log("eu r1 TN0302: ");
}

#[test]
fn no_proxy_keeps_a_request_here_and_access_rules_see_variables() {
    let origin = origin();
    let url = origin.url();
    let setup = Setup::new().environment("TINE_TEST_ZONE", "eu".to_owned());
    let tine = setup.start(&format!(
        "SetEnvIf Request_URI ^/here no-proxy\n\
         SetEnv no-proxy 1\n\
         PassEnv TINE_TEST_ZONE\n\
         CustomLog logs/zone %{{TINE_TEST_ZONE}}e\n\
         <Location /friends>\n\
         SetEnvIfNoCase X-Friend yes friend\n\
         Order Deny,Allow\n\
         Deny from all\n\
         Allow from env=friend\n\
         </Location>\n\
         ProxyPass / {url}/\n"
    ));
    tine.get("/here/x").expect(404);
    tine.get("/there").expect(200);
    tine.get("/friends").expect(403);
    tine.send("GET /friends HTTP/1.1\r\nHost: t\r\nX-Friend: YES\r\nConnection: close\r\n\r\n")
        .expect(200);
    until("four lines in the log", || {
        tine.file("logs/zone").lines().count() == 4
    });
    assert_eq!(tine.file("logs/zone").lines().next(), Some("eu"));
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_request_may_name_the_host_where_a_mapping_lets_it_and_nothing_more() {
    let (one, two) = (
        origin(),
        Origin::start("two", |call| call.reply(200, &[], b"two")),
    );
    let tine = Tine::start(
        "ProxyPassInterpolateEnv On\n\
         SetEnvIf X-Backend \"^(.*)$\" backend=$1\n\
         ProxyPass /header http://${backend}/h interpolate\n\
         ProxyPassMatch \"^/to/([^/]*)/(.*)$\" http://$1/$2\n",
    );
    let get = |path: &str, backend: &str| {
        let field = format!("X-Backend: {backend}\r\n");
        tine.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: t\r\n{field}Connection: close\r\n\r\n"
        ))
    };
    let (a, b) = (one.port(), two.port());
    for _ in 0..2 {
        get(&format!("/to/localhost:{a}/x%20y?z"), "").expect(200);
        get("/header/x", &format!("127.0.0.1:{b}")).expect(200);
    }
    let seen = one.seen();
    assert_eq!(seen[0].line(), "GET /x%20y?z HTTP/1.1");
    assert_eq!(
        seen[0].field("host"),
        Some(format!("localhost:{a}").as_str())
    );
    assert_eq!(seen[0].field("connection"), Some("close"));
    assert_eq!(two.seen()[1].line(), "GET /h/x HTTP/1.1");
    if httpd::is_peer() {
        // It takes any of these for a URL.
        return;
    }
    for (path, backend) in [
        (format!("/to/me@127.0.0.1:{a}/x"), String::new()),
        (format!("/to/127.0.0.1:{a}%3Fx/y"), String::new()),
        (format!("/to/127.0.0.1:{a}%23/y"), String::new()),
        ("/header/x".to_owned(), format!("127.0.0.1:{b}/other")),
        ("/header/x".to_owned(), format!("127.0.0.1:1@127.0.0.1:{b}")),
        ("/header/x".to_owned(), String::new()),
    ] {
        get(&path, &backend).expect(403);
    }
    assert_eq!((one.count(), two.count()), (2, 2));
    tine.wait_log("TN0341: what /header/x fills in is no host and port: http://");
}
