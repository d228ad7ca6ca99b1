//! Variables of requests, from the line that sets one to whoever reads it.

use crate::harness::{Origin, Setup, Tine, until};

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
