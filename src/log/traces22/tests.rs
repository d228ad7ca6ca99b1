//! Every line of 2.2, letter for letter.

use super::*;
use crate::log::sample::golden;

fn all() -> Vec<Trace22<'static>> {
    use Trace22::*;
    let address = "10.1.0.4:8080".parse().unwrap();
    let url = b"http://www1.example.com/x?y";
    let worker = "http://www1.example.com/";
    let host = "www1.example.com";
    let balancer = "balancer://shop";
    let function = "HTTP";
    vec![
        AlreadyInitialized {
            worker,
            after_grab: false,
        },
        GrabbedSlot {
            id: 0,
            pid: 371,
            worker,
        },
        PlainMemory { pid: 371, worker },
        AlreadyInitialized {
            worker,
            after_grab: true,
        },
        SingleConnection {
            id: 0,
            pid: 371,
            host,
        },
        InitializedWorker {
            id: 0,
            pid: 371,
            host,
            min: 0,
            max: 25,
            smax: 25,
        },
        NoSlot {
            id: 0,
            pid: 371,
            worker,
        },
        BalancerCanonicalising { url: b"//shop/x" },
        Retrying {
            function: "BALANCER",
            host,
        },
        MarkedForRetry {
            function: "BALANCER",
            host,
        },
        ForcingRecovery { balancer, host },
        FoundValue {
            value: Some(b"abc.route1"),
            sticky: "JSESSIONID",
        },
        FoundValue {
            value: None,
            sticky: "JSESSIONID",
        },
        FoundRoute { route: b"route1" },
        RouteChanged {
            from: b"route1",
            to: b"route2",
        },
        Entering {
            method: "byrequests",
            balancer,
        },
        Entering {
            method: "bytraffic",
            balancer,
        },
        Entering {
            method: "bybusyness",
            balancer,
        },
        Selected {
            method: "byrequests",
            worker,
            busy: 1,
            lbstatus: Some(-1),
        },
        Selected {
            method: "bytraffic",
            worker,
            busy: 1,
            lbstatus: None,
        },
        Rewritten {
            balancer,
            worker,
            url,
        },
        PostRequest { balancer },
        AllInError { balancer },
        AllInErrorForRoute {
            balancer,
            route: b"route1",
        },
        FailOnStatus {
            balancer,
            worker,
            status: 503,
        },
        RunningHandler {
            scheme: "balancer",
            attempt: 0,
        },
        Declining {
            function: "AJP",
            url,
        },
        Declining {
            function: "FTP",
            url,
        },
        Canonicalising {
            function,
            url: b"//www1.example.com/x",
        },
        FoundWorker {
            scheme: "http",
            worker,
            url,
        },
        FoundReverseWorker { url },
        FoundForwardWorker { url },
        Serving { function, url },
        Acquired { function, host },
        Connecting {
            url,
            host,
            port: 80,
        },
        Connected {
            path: b"/x?y",
            host,
            port: 80,
        },
        Disconnected { function },
        SocketCreated {
            function,
            family: 2,
            host,
        },
        ConnectFailed {
            function,
            address,
            host,
        },
        DisablingWorker { host },
        ConnectionComplete {
            function,
            address,
            host,
        },
        DisabledConnection { function, host },
        StartBodySend,
        EndBodySend,
        HeaderOnly,
        StatusLineFailed { host, port: 80 },
        ReturnedBy {
            words: "Error reading from remote server",
            uri: b"/x",
        },
        Released { function, host },
        Canonicalising {
            function: "AJP",
            url: b"//www1.example.com/x",
        },
        Serving {
            function: "AJP",
            url: b"ajp://www1.example.com/x",
        },
        AjpEos,
        AjpDataToRead { room: 8186, at: 4 },
        AjpGotBytes { count: 0 },
        AjpGotResponse { address, host },
    ]
}

#[test]
fn the_lines_of_2_2_are_printed_letter_for_letter() {
    let mut text = String::new();
    for trace in all() {
        let line = trace.line();
        let place = line
            .source
            .map(|(file, number)| format!("{file}({number}): "));
        let place = place.unwrap_or_default();
        text.push_str(&format!(
            "{}:{} {place}{}\n",
            line.module, line.level, line.message
        ));
    }
    golden("traces22.txt", &text);
}

#[test]
fn the_line_that_operators_know_best() {
    let trace = Trace22::GrabbedSlot {
        id: 0,
        pid: 371,
        worker: "http://www1.example.com/",
    };
    assert_eq!(
        trace.to_string(),
        "proxy: grabbed scoreboard slot 0 in child 371 for worker http://www1.example.com/"
    );
}
