//! Files: what is served, what is not, and how much of the server a slow client or a strange file can hold.

use crate::harness::{
    DeadPort, Files, Origin, PatternCheck, Setup, Shape, Tine, httpd, pattern, until,
};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

/// A server of these files, open to everybody.
fn server(files: &Files, more: &str) -> Tine {
    Tine::start(&format!(
        "DocumentRoot {0}\n<Directory />\nRequire all denied\n</Directory>\n<Directory {0}>\nRequire all granted\n</Directory>\n{more}",
        files.path()
    ))
}

#[test]
fn an_outage_is_told_by_a_file_that_is_excluded_from_the_mapping() {
    let files = Files::new(&[("503.html", "<h1>back soon</h1>")]);
    let dead = DeadPort::new();
    let tine = Tine::start(&format!(
        "Alias /errors {0}\n<Directory {0}>\nRequire all granted\n</Directory>\n\
         <Proxy balancer://shop>\nBalancerMember {1}\n</Proxy>\n\
         ProxyPass /errors !\nProxyPass / balancer://shop/\nErrorDocument 503 /errors/503.html\n",
        files.path(),
        dead.url()
    ));
    let mut client = tine.client();
    let outage = client.get("/cart").expect(503);
    assert_eq!(outage.text(), "<h1>back soon</h1>");
    assert_eq!(outage.field("content-type"), Some("text/html"));
    assert_eq!(outage.field("content-length"), Some("18"));
    let page = tine.get("/errors/503.html").expect(200);
    assert_eq!(page.text(), "<h1>back soon</h1>");
    std::fs::remove_file(files.at("503.html")).expect("our own file");
    let built_in = tine.get("/cart").expect(503).text();
    assert!(
        built_in.contains("Additionally, a 503 Service Unavailable"),
        "{built_in}"
    );
    files.write("503.html", "still not");
    assert_eq!(tine.get("/cart").expect(503).text(), "still not");
}

#[test]
fn a_kept_connection_gets_documents_and_pages_in_order() {
    let files = Files::new(&[("404.html", "no"), ("a.txt", "yes"), ("empty", "")]);
    let tine = server(&files, "ErrorDocument 404 /404.html\n");
    let mut client = tine.client();
    for _ in 0..3 {
        assert_eq!(client.get("/a.txt").expect(200).text(), "yes");
        assert_eq!(client.get("/missing").expect(404).text(), "no");
        assert_eq!(client.get("/empty").expect(200).text(), "");
        client.send("HEAD /missing HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = client.head_response().expect(404);
        assert_eq!(head.field("content-length"), Some("2"));
        client.send("POST /missing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(client.response().expect(404).text(), "no");
    }
}

#[test]
fn documents_outlive_a_graceful_restart() {
    let files = Files::new(&[("old.html", "old"), ("new.html", "new")]);
    let conf = |name: &str| {
        format!(
            "DocumentRoot {}\nErrorDocument 404 /{name}.html\n",
            files.path()
        )
    };
    let tine = Tine::start(&conf("old"));
    let mut kept = tine.client();
    assert_eq!(kept.get("/missing").expect(404).text(), "old");
    tine.rewrite(&conf("new"));
    if httpd::is_peer() {
        return;
    }
    assert!(tine.control(&["-k", "graceful"]).status.success());
    until("the new document", || {
        tine.get("/missing").expect(404).text() == "new"
    });
    let last = kept.get("/missing").expect(404);
    assert_eq!(
        last.text(),
        "old",
        "the old child drains, and still answers"
    );
    assert_eq!(last.field("connection"), Some("close"));
}

#[test]
fn what_the_process_may_not_read_and_what_is_no_file_is_refused_at_once() {
    let files = Files::new(&[("shut.html", "x"), ("dir/x", "x")]);
    let mode = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(files.at("shut.html"), mode).expect("our own file");
    nix::unistd::mkfifo(
        &files.at("pipe"),
        nix::sys::stat::Mode::from_bits_truncate(0o666),
    )
    .expect("our own directory");
    if httpd::is_peer() {
        return;
    }
    let tine = server(
        &files,
        "Alias /null /dev/null\n<Directory /dev>\nRequire all granted\n</Directory>\n",
    );
    for path in ["/pipe", "/null", "/dir/"] {
        tine.get(path).expect(403);
    }
    // The children of root are nobody; whoever runs the tests owns the file and may still not read it.
    tine.get("/shut.html").expect(403);
    tine.wait_log("AH00038: Forbidden: ");
    tine.get("/shut.html/below").expect(404);
}

#[test]
fn no_link_leads_out_where_links_are_not_to_be_followed() {
    let outside = Files::new(&[("secret", "outside")]);
    let files = Files::new(&[("page", "inside"), ("sub/page", "below")]);
    symlink(outside.at("secret"), files.at("out")).expect("our own directory");
    symlink(outside.path(), files.at("door")).expect("our own directory");
    symlink("page", files.at("in")).expect("our own directory");
    symlink("../page", files.at("sub/up")).expect("our own directory");
    let followed = server(&files, "");
    assert_eq!(followed.get("/out").expect(200).text(), "outside");
    assert_eq!(followed.get("/door/secret").expect(200).text(), "outside");
    let confined = server(
        &files,
        &format!("<Directory {}>\nOptions None\n</Directory>\n", files.path()),
    );
    for path in ["/out", "/door/secret", "/in", "/sub/up"] {
        confined.get(path).expect(403);
    }
    assert_eq!(confined.get("/page").expect(200).text(), "inside");
    assert_eq!(confined.get("/sub/page").expect(200).text(), "below");
    confined.wait_log("AH00037: Symbolic link not allowed");
}

#[test]
fn no_target_leads_out_of_the_root() {
    let outside = Files::new(&[("secret", "outside")]);
    let files = Files::new(&[("page", "inside"), ("dir/page", "inside")]);
    let name = outside.path();
    let name = name.rsplit('/').next().expect("a name").to_owned();
    let tine = server(&files, &format!("Alias /d/ {}/dir\n", files.path()));
    for path in [
        format!("/../{name}/secret"),
        format!("/%2e%2e/{name}/secret"),
        format!("/dir/../../{name}/secret"),
        format!("/dir/%2e%2e%2f%2e%2e%2f{name}/secret"),
        format!("/d/../{name}/secret"),
        format!("/d//..//{name}/secret"),
        format!("/page%00/../../{name}/secret"),
        format!("/dir/..%5c..%5c{name}%5csecret"),
        "/d/%2e%2e/%2e%2e/etc/passwd".to_owned(),
    ] {
        let response = tine.get(&path);
        assert!(
            matches!(response.status, 400 | 403 | 404),
            "{path}: {response:?}"
        );
    }
}

#[test]
fn an_index_may_be_a_backends_and_is_guarded_like_any_path() {
    let origin = Origin::named("backend");
    let files = Files::new(&[
        ("plain/index.html", "index"),
        ("second/home.htm", "home"),
        ("shut/index.html", "shut"),
        ("none/x", ""),
    ]);
    let tine = server(
        &files,
        &format!(
            "DirectoryIndex index.html home.htm\nProxyPass /none/home.htm {}/\n\
             <Location /shut/index.html>\nRequire all denied\n</Location>\n",
            origin.url()
        ),
    );
    assert_eq!(tine.get("/plain/").expect(200).text(), "index");
    assert_eq!(tine.get("/second/").expect(200).text(), "home");
    tine.get("/shut/").expect(403);
    assert_eq!(tine.get("/none/").expect(200).text(), "backend");
    let moved = tine.get("/plain?q=1").expect(301);
    let location = moved.field("location").unwrap_or_default();
    assert!(location.ends_with("/plain/?q=1"), "{location}");
    if !httpd::is_peer() {
        tine.get("/").expect(403);
    }
}

/// A file of [`pattern`], so long.
fn large(files: &Files, name: &str, length: u64) {
    files.write(name, "");
    let mut file = std::fs::File::create(files.at(name)).expect("our own file");
    let block = pattern(0, 65521);
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(&block[..now]).expect("our own file");
        left -= now as u64;
    }
}

#[test]
fn a_large_file_arrives_whole_and_a_slow_client_does_not_hold_it_in_memory() {
    const LENGTH: u64 = 64 << 20;
    let files = Files::new(&[]);
    large(&files, "big", LENGTH);
    let tine = Setup::new()
        .shape(Shape::Event)
        .single_process()
        .start(&format!("DocumentRoot {}\n", files.path()));
    let mut slow = tine.client();
    slow.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    // It does not read. Others are served meanwhile.
    let mut client = tine.client();
    client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut check = PatternCheck::default();
    let response = client
        .streamed(false, &mut |bytes| check.add(bytes))
        .expect("a whole response");
    assert_eq!(response.status, 200);
    assert_eq!(check.length, LENGTH);
    assert!(!check.is_wrong);
    if !httpd::is_peer() {
        let memory_kib = tine.child_memory_kib();
        assert!(
            memory_kib < 40 << 10,
            "{memory_kib} KiB for two clients of a 64 MiB file"
        );
    }
    let mut check = PatternCheck::default();
    slow.streamed(false, &mut |bytes| check.add(bytes))
        .expect("the slow one gets everything too");
    assert_eq!(check.length, LENGTH);
    assert!(!check.is_wrong);
    slow.send("GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes=1000000-1000003\r\n\r\n");
    let part = slow.response().expect(206);
    assert_eq!(part.content, pattern(1_000_000, 4));
}

#[test]
fn a_file_that_is_cut_short_while_it_is_sent_ends_the_connection() {
    if httpd::is_peer() {
        return;
    }
    let files = Files::new(&[]);
    large(&files, "big", 64 << 20);
    let tine = server(&files, "");
    let mut client = tine.client();
    client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    let first = client.bytes(1000);
    assert!(first.starts_with(b"HTTP/1.1 200 "));
    let file = std::fs::File::options().write(true).open(files.at("big"));
    file.and_then(|file| file.set_len(1000))
        .expect("our own file");
    let rest = client.rest();
    assert!(rest.len() < 60 << 20, "{} bytes", rest.len());
    tine.wait_log("TN0335: ");
    let mut next = tine.client();
    let whole = next.get("/big").expect(200);
    assert_eq!(whole.content.len(), 1000);
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing_open() {
    if httpd::is_peer() {
        return;
    }
    let files = Files::new(&[]);
    large(&files, "big", 16 << 20);
    let tine = Setup::new()
        .shape(Shape::Event)
        .single_process()
        .start(&format!(
            "DocumentRoot {}\nCustomLog logs/test \"%>s %X\"\n",
            files.path()
        ));
    for _ in 0..5 {
        let mut client = tine.client();
        client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
        client.bytes(100);
        client.reset();
    }
    until("five aborted lines", || {
        tine.file("logs/test").matches("200 X").count() == 5
    });
    let open = || {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", tine.pid())).expect("it lives");
        let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.ends_with("big")).count()
    };
    assert_eq!(open(), 0);
    let mut client = tine.client();
    client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    let whole = client.response().expect(200);
    assert_eq!(
        whole.content.len(),
        16 << 20,
        "a client that closed its side still listens"
    );
}
