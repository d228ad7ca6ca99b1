//! The configurations of the ApacheCon talk on mod_proxy_balancer, as they were shown; only hosts and ports are ours.

use crate::harness::{DeadPort, Origin, Setup, Tine, httpd};

/// The three web servers of the slides, answering with their names.
struct Www([Origin; 3]);

impl Www {
    fn new() -> Self {
        Self(["www1", "www2", "www3"].map(Origin::named))
    }

    fn url(&self, number: usize) -> String {
        self.0[number - 1].url()
    }
}

fn names(tine: &Tine, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| tine.get("/").expect(200).text())
        .collect()
}

#[test]
fn a_pool_with_a_hot_standby() {
    let www = Www::new();
    let tine = Tine::start(&format!(
        r"
<Proxy balancer://foo>
   BalancerMember {}/ loadfactor=1
   BalancerMember {}/ loadfactor=1
   BalancerMember {}/ loadfactor=1 status=+h
   ProxySet lbmethod=bytraffic
</Proxy>
ProxyPass / balancer://foo/
",
        www.url(1),
        www.url(3),
        www.url(2)
    ));
    let mut seen = names(&tine, 6);
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["www1", "www3"], "the standby has nothing to do");
}

#[test]
fn failover_by_sets_and_a_hot_standby() {
    let www = Www::new();
    let dead = [DeadPort::new(), DeadPort::new()];
    let conf = |first: &str, second: &str| {
        format!(
            r"
<Proxy balancer://foo>
   BalancerMember {first}/ loadfactor=1
   BalancerMember {second}/ loadfactor=1
   BalancerMember {}/ loadfactor=1 lbset=1
   BalancerMember {}/ loadfactor=1 lbset=1 status=+h
   ProxySet lbmethod=byrequests
</Proxy>
ProxyPass / balancer://foo/
",
            www.url(2),
            www.url(3)
        )
    };
    let tine = Tine::start(&conf(&www.url(1), &dead[0].url()));
    assert_eq!(names(&tine, 4), ["www1"; 4]);
    let tine = Tine::start(&conf(&dead[0].url(), &dead[1].url()));
    assert_eq!(names(&tine, 4), ["www2"; 4]);
}

#[test]
fn parameters_of_the_balancer_by_proxyset_and_by_proxypass() {
    let www = Www::new();
    for (set, pass) in [
        ("ProxySet balancer://foo timeout=10", ""),
        ("", " timeout=10"),
    ] {
        let tine = Tine::start(&format!(
            "
<Proxy balancer://foo>
   BalancerMember {}/ loadfactor=1
   BalancerMember {}/ loadfactor=1
</Proxy>
{set}
ProxyPass / balancer://foo{pass}
",
            www.url(1),
            www.url(2)
        ));
        assert_eq!(
            names(&tine, 4),
            ["www1", "www2", "www1", "www2"],
            "{set}{pass}"
        );
    }
}

#[test]
fn images_by_regular_expression() {
    let www = Www::new();
    let host = www.url(1);
    let forms = [
        format!(r"ProxyPassMatch ^(/.*\.gif)$ {host}$1"),
        format!(r"ProxyPass ~ ^(/.*\.gif)$ {host}$1"),
        format!("<LocationMatch ^(/.*\\.gif)$>\n  ProxyPass {host}$1\n</LocationMatch>"),
    ];
    for form in forms {
        let tine = Tine::start(&format!("{form}\n"));
        assert_eq!(tine.get("/x/y.gif").expect(200).text(), "www1", "{form}");
        assert_eq!(www.0[0].last().line(), "GET /x/y.gif HTTP/1.1", "{form}");
        tine.get("/x/y.png").expect(404);
    }
}

#[test]
fn redirects_are_mapped_back_per_member_or_through_the_balancer() {
    let redirecting = || {
        Origin::start("redirecting", |call| {
            let host = call.seen().field("host").expect("a host").to_owned();
            call.reply(
                302,
                &[format!("Location: http://{host}/login").as_str()],
                b"",
            );
        })
    };
    let (one, two) = (redirecting(), redirecting());
    let reverses = [
        format!(
            "ProxyPassReverse / {}/\nProxyPassReverse / {}/",
            one.url(),
            two.url()
        ),
        "ProxyPassReverse / balancer://foo".to_owned(),
    ];
    for reverse in reverses {
        let tine = Tine::start(&format!(
            "
<Proxy balancer://foo>
   BalancerMember {}/ loadfactor=1
   BalancerMember {}/ loadfactor=1
</Proxy>
ProxyPass / balancer://foo/
{reverse}
",
            one.url(),
            two.url()
        ));
        let expected = format!("http://tine.test:{}/login", tine.port());
        for _ in 0..2 {
            let request = format!(
                "GET / HTTP/1.1\r\nHost: tine.test:{}\r\nConnection: close\r\n\r\n",
                tine.port()
            );
            let response = tine.send(&request).expect(302);
            assert_eq!(
                response.field("location"),
                Some(expected.as_str()),
                "{reverse}"
            );
        }
    }
}

#[test]
fn the_balancer_manager_for_this_machine_only() {
    let www = Www::new();
    let conf = |allowed: &str| {
        format!(
            "
<Location /balancer-manager>
   SetHandler balancer-manager
   Order Deny,Allow
   Deny from all
   Allow from {allowed}
</Location>
<Proxy balancer://foo>
   BalancerMember {}/ loadfactor=1
</Proxy>
ProxyPass /balancer-manager !
ProxyPass / balancer://foo/
",
            www.url(1)
        )
    };
    let page = Tine::start(&conf("127.0.0.1"))
        .get("/balancer-manager")
        .expect(200)
        .text();
    assert!(page.contains("balancer://foo"), "{page}");
    assert!(page.contains(&www.url(1)), "{page}");
    let tine = Tine::start(&conf("192.0.2.1"));
    tine.get("/balancer-manager").expect(403);
    assert_eq!(tine.get("/").expect(200).text(), "www1");
}

#[test]
fn putting_it_all_together() {
    let php = ["php1", "php2", "phpbkup"].map(Origin::named);
    let images = Origin::named("images");
    let tomcat = [DeadPort::new(), DeadPort::new()];
    let tine = Setup::new().start(&format!(
        r"
<Proxy balancer://foo>
   BalancerMember {php1}/ loadfactor=1
   BalancerMember {php2}/ loadfactor=4
   BalancerMember {phpbkup}/ loadfactor=4 status=+h
   ProxySet lbmethod=bytraffic
</Proxy>
<Proxy balancer://javaapps>
   BalancerMember ajp://127.0.0.1:{tc1}/ loadfactor=1
   BalancerMember ajp://127.0.0.1:{tc2}/ loadfactor=4
   ProxySet lbmethod=byrequests
</Proxy>
ProxyPass /apps/   balancer://foo/
ProxyPass /serv/   balancer://javaapps/
ProxyPass /images/ {images}/

ProxyPassReverse /apps/   balancer://foo/
ProxyPassReverse /serv/   balancer://javaapps/
ProxyPassReverse /images/ {images}/
",
        php1 = php[0].url(),
        php2 = php[1].url(),
        phpbkup = php[2].url(),
        tc1 = tomcat[0].port(),
        tc2 = tomcat[1].port(),
        images = images.url()
    ));
    for _ in 0..20 {
        tine.get("/apps/index.php?id=1").expect(200);
    }
    // A member's URL ends in a slash and so does the path that ProxyPass replaces: httpd sends both.
    assert_eq!(
        php[0].last().line().replace("//", "/"),
        "GET /index.php?id=1 HTTP/1.1"
    );
    assert_eq!(php.each_ref().map(Origin::count).iter().sum::<usize>(), 20);
    assert_eq!(php[2].count(), 0);
    assert!(
        php[1].count() > 2 * php[0].count(),
        "{} and {}",
        php[0].count(),
        php[1].count()
    );
    assert_eq!(tine.get("/images/logo.gif").expect(200).text(), "images");
    assert_eq!(images.last().line(), "GET /logo.gif HTTP/1.1");
    let status = tine.get("/serv/app").status;
    assert!(matches!(status, 500..=503), "nobody is there: {status}");
    assert_eq!(
        tine.get("/apps/").expect(200).status,
        200,
        "and everything else goes on"
    );
    if !httpd::is_peer() {
        let log = tine.error_log();
        assert!(log.contains("ajp"), "the log names what failed:\n{log}");
    }
}
