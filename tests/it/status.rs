//! The pages an operator looks at: server-status, for people and for programs, and the balancer-manager.

use crate::harness::{DeadPort, Gate, Origin, Setup, Shape, Tine, httpd, until};

fn pages(members: &[String]) -> String {
    let members: String = members
        .iter()
        .map(|member| format!("BalancerMember {member}\n"))
        .collect();
    format!(
        "ProxyStatus On\nExtendedStatus On\n<Location /server-status>\nSetHandler server-status\nRequire local\n</Location>\n\
         <Location /balancer-manager>\nSetHandler balancer-manager\nRequire local\n</Location>\n\
         <Location /closed>\nSetHandler server-status\nRequire ip 192.0.2.0/24\n</Location>\n\
         <Proxy balancer://pool>\n{members}ProxySet lbmethod=byrequests stickysession=SID\n</Proxy>\n\
         ProxyPass /server-status !\nProxyPass /balancer-manager !\nProxyPass /closed !\nProxyPass / balancer://pool/\n"
    )
}

/// The keys of `?auto` in their order.
fn keys(page: &str) -> Vec<String> {
    page.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, _)| key.to_owned())
        .collect()
}

fn value(page: &str, key: &str) -> String {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no `{key}` in\n{page}"))
        .to_owned()
}

#[test]
fn status_for_programs_has_httpds_keys_in_httpds_order() {
    let origin = Origin::named("here");
    let tine = Tine::start(&pages(&[origin.url()]));
    for _ in 0..5 {
        tine.get("/").expect(200);
    }
    // Rates are shown once the server has been up for a second.
    until("rates", || {
        let page = tine.get("/server-status?auto").expect(200).text();
        page.contains("ReqPerSec")
    });
    let response = tine.get("/server-status?auto").expect(200);
    assert!(
        response
            .field("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain")),
        "{response:?}"
    );
    let page = response.text();
    let keys = keys(&page);
    let mut last = 0;
    for key in KEYS {
        let at = keys
            .iter()
            .position(|have| have == key)
            .unwrap_or_else(|| panic!("no `{key}` in\n{page}"));
        assert!(at >= last, "`{key}` is out of order in\n{page}");
        last = at;
    }
    assert!(
        value(&page, "Total Accesses")
            .parse::<u64>()
            .expect("a number")
            >= 5
    );
    assert!(
        value(&page, "BusyWorkers")
            .parse::<u64>()
            .expect("a number")
            >= 1,
        "the one that answers"
    );
    assert!(value(&page, "Scoreboard").contains('W'), "{page}");
    assert_eq!(value(&page, "ServerMPM").to_ascii_lowercase(), "prefork");
    assert_eq!(value(&page, "ProxyBalancer[0]Name"), "balancer://pool");
    assert_eq!(value(&page, "ProxyBalancer[0]Worker[0]Name"), origin.url());
    assert_eq!(value(&page, "ProxyBalancer[0]Worker[0]Elected"), "5");
    assert_eq!(value(&page, "ProxyBalancer[0]Worker[0]Busy"), "0");
    assert!(
        value(&page, "ProxyBalancer[0]Worker[0]Status").contains("Ok"),
        "{page}"
    );
}

const KEYS: &[&str] = &[
    "ServerVersion",
    "ServerMPM",
    "Server Built",
    "CurrentTime",
    "RestartTime",
    "ParentServerConfigGeneration",
    "ParentServerMPMGeneration",
    "ServerUptimeSeconds",
    "ServerUptime",
    "Load1",
    "Load5",
    "Load15",
    "Total Accesses",
    "Total kBytes",
    "Total Duration",
    "CPUUser",
    "CPUSystem",
    "CPUChildrenUser",
    "CPUChildrenSystem",
    "Uptime",
    "ReqPerSec",
    "BytesPerSec",
    "BytesPerReq",
    "DurationPerReq",
    "BusyWorkers",
    "GracefulWorkers",
    "IdleWorkers",
    "Scoreboard",
    "ProxyBalancer[0]Name",
];

#[test]
fn status_for_people_shows_workers_and_the_balancer() {
    let origin = Origin::named("here");
    let tine = Tine::start(&pages(&[origin.url()]));
    tine.get("/").expect(200);
    let response = tine.get("/server-status").expect(200);
    assert!(
        response
            .field("content-type")
            .is_some_and(|kind| kind.starts_with("text/html")),
        "{response:?}"
    );
    let page = response.text();
    for words in [
        "requests currently being processed",
        "idle workers",
        "Server uptime",
        "Total accesses",
        "balancer://pool",
    ] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
    let refreshed = tine.get("/server-status?refresh=7").expect(200);
    assert!(
        refreshed.field("refresh") == Some("7") || refreshed.text().contains("7"),
        "{refreshed:?}"
    );
}

#[test]
fn requests_in_flight_are_counted_in_every_shape() {
    for shape in Shape::ALL {
        let gate = Gate::new();
        let held = gate.clone();
        let origin = Origin::start("slow", move |call| {
            call.wait(&held).reply(200, &[], b"done")
        });
        let tine = Setup::new().shape(shape).start(&pages(&[origin.url()]));
        let mut clients: Vec<_> = (0..3).map(|_| tine.client()).collect();
        for client in &mut clients {
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        origin.wait_for(3);
        let page = tine.get("/server-status?auto").expect(200).text();
        assert_eq!(
            value(&page, "BusyWorkers"),
            "4",
            "{shape:?}: three and the one that answers\n{page}"
        );
        assert_eq!(
            value(&page, "Scoreboard").matches('W').count(),
            4,
            "{shape:?}\n{page}"
        );
        assert_eq!(
            value(&page, "ProxyBalancer[0]Worker[0]Busy"),
            "3",
            "{shape:?}\n{page}"
        );
        gate.open();
        for client in &mut clients {
            client.response().expect(200);
        }
        until("nothing is in flight", || {
            value(
                &tine.get("/server-status?auto").expect(200).text(),
                "ProxyBalancer[0]Worker[0]Busy",
            ) == "0"
        });
    }
}

#[test]
fn pages_are_for_whom_they_are_for() {
    let origin = Origin::named("here");
    let tine = Tine::start(&pages(&[origin.url()]));
    tine.get("/closed").expect(403);
    tine.get("/server-status").expect(200);
    tine.wait_log("client denied by server configuration");
    assert_eq!(origin.count(), 0);
}

#[test]
fn status_takes_gets_only() {
    let origin = Origin::named("here");
    let tine = Tine::start(&pages(&[origin.url()]));
    let response = tine.send("POST /server-status HTTP/1.1\r\nHost: tine.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert!(response.status >= 400, "{response:?}");
    let mut client = tine.client();
    client.send("HEAD /server-status HTTP/1.1\r\nHost: tine.test\r\n\r\n");
    client.head_response().expect(200);
    client.get("/server-status?auto").expect(200);
}

#[test]
fn the_manager_shows_members_and_their_states() {
    let origin = Origin::named("here");
    let dead = DeadPort::new();
    let members = [
        format!("{} route=one loadfactor=2.5 lbset=0", origin.url()),
        format!("{} route=two status=+H", dead.url()),
    ];
    let tine = Tine::start(&pages(&members));
    for _ in 0..4 {
        tine.get("/").expect(200);
    }
    let page = tine.get("/balancer-manager").expect(200).text();
    for words in [
        "Load Balancer Manager for tine.test",
        "balancer://pool",
        &origin.url(),
        &dead.url(),
        "one",
        "two",
        "2.50",
        "Stby",
    ] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
    assert!(page.contains("Ok"), "{page}");
}

#[test]
fn a_change_without_the_nonce_changes_nothing() {
    let origin = Origin::named("here");
    let tine = Tine::start(&pages(&[origin.url()]));
    let form = format!("b=pool&w={}&nonce=guessed&w_status_D=1", origin.url());
    for referer in [
        "",
        "Referer: http://tine.test/balancer-manager\r\n",
        "Referer: http://evil.example/\r\n",
    ] {
        let response = tine.send(&format!(
            "POST /balancer-manager HTTP/1.1\r\nHost: tine.test\r\n{referer}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        ));
        assert!(
            matches!(response.status, 200 | 400 | 403 | 405),
            "{response:?}"
        );
        tine.get("/").expect(200);
    }
    let query = format!(
        "/balancer-manager?b=pool&w={}&nonce=guessed&w_status_D=1",
        origin.url()
    );
    tine.get(&query);
    tine.get("/").expect(200);
}

#[test]
fn a_page_cannot_be_made_to_speak_for_somebody_else() {
    let origin = Origin::named("here");
    let tine = Tine::start(&pages(&[origin.url()]));
    tine.get("/x?<script>alert(1)</script>");
    tine.send("GET /<b>bold</b> HTTP/1.1\r\nHost: tine.test\r\nConnection: close\r\n\r\n");
    for target in [
        "/server-status",
        "/balancer-manager?b=<script>",
        "/balancer-manager?w=%3Cscript%3E",
    ] {
        let page = tine.get(target).text();
        assert!(
            !page.contains("<script>") && !page.contains("<b>bold"),
            "{target}:\n{page}"
        );
    }
}

#[test]
fn proxystatus_off_hides_the_balancers() {
    let origin = Origin::named("here");
    let conf = pages(&[origin.url()]).replace("ProxyStatus On\n", "");
    let tine = Tine::start(&conf);
    let page = tine.get("/server-status?auto").expect(200).text();
    assert!(!page.contains("ProxyBalancer"), "{page}");
    if !httpd::is_peer() {
        assert!(
            !tine
                .get("/server-status")
                .expect(200)
                .text()
                .contains("balancer://")
        );
    }
}
