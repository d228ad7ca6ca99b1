//! What can only be judged once everything is read.
//!
//! Responsible for: httpd's own post-configuration failures (no listener, a balancer without its modules), and what is written but can
//! have no effect: schemes that are not spoken, sizes of another process model.

use super::diagnostic::Diagnostic;
use super::model::{Config, Handler, Mpm, WorkerUrl};
use super::modules::load_line;
use super::source::Place;
use std::collections::BTreeSet;

/// The backend schemes that can be spoken.
const SCHEMES: [&str; 2] = ["http", "ws"];

/// The modules that speak a scheme in httpd; one of them will do.
const SCHEME_MODULES: [(&str, &[&str]); 2] = [
    ("http", &["proxy_http_module"]),
    ("ws", &["proxy_http_module", "proxy_wstunnel_module"]),
];

/// Looks at the whole configuration.
pub(super) fn check(config: &Config) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if config.listens.is_empty() {
        found.push(
            Diagnostic::error("no listening sockets available, shutting down")
                .hint("add `Listen 80`, or another port"),
        );
    }
    for listen in &config.listens {
        if listen.protocol.as_deref() == Some("https") {
            let message = format!("Listen {}: plain HTTP is spoken there", listen.text);
            let hint =
                "TLS is not available yet: let it end in front of tine, and leave `https` out";
            found.push(
                Diagnostic::warning(message)
                    .at(&listen.place)
                    .under("https")
                    .hint(hint),
            );
        }
    }
    balancers(config, &mut found);
    schemes(config, &mut found);
    sizes(config, &mut found);
    found
}

fn balancers(config: &Config, found: &mut Vec<Diagnostic>) {
    let modules = &config.modules;
    let mut missing = BTreeSet::new();
    for balancer in config.servers().flat_map(|server| &server.proxy.balancers) {
        let lbmethod = format!("lbmethod_{}_module", balancer.params.lbmethod());
        if !modules.has("proxy_balancer_module")
            && missing.insert("proxy_balancer_module".to_owned())
        {
            let message = format!(
                "{} leads nowhere: requests to it will fail with 500",
                balancer.url()
            );
            let warning = Diagnostic::warning(message).at(&balancer.place);
            found.push(warning.hint(format!("add `{}`", load_line("proxy_balancer_module"))));
        }
        if modules.has("proxy_balancer_module")
            && !modules.has("slotmem_shm_module")
            && missing.insert("slotmem_shm_module".to_owned())
        {
            let message = "AH01177: Failed to lookup provider 'shm' for 'slotmem': is mod_slotmem_shm loaded??";
            found.push(
                Diagnostic::error(message)
                    .hint(format!("add `{}`", load_line("slotmem_shm_module"))),
            );
        }
        if !modules.has(&lbmethod) && missing.insert(lbmethod.clone()) {
            let error = Diagnostic::error(format!(
                "AH02432: Cannot find LB Method: {}",
                balancer.params.lbmethod()
            ))
            .at(&balancer.place)
            .under(balancer.params.lbmethod());
            found.push(error.hint(format!("add `{}`", load_line(&lbmethod))));
        }
    }
}

fn schemes(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut told = BTreeSet::new();
    for server in config.servers() {
        let members = server
            .proxy
            .balancers
            .iter()
            .flat_map(|balancer| &balancer.members)
            .map(|member| (&member.url, &member.place));
        let workers = server
            .proxy
            .workers
            .iter()
            .map(|worker| (&worker.url, &worker.place));
        let dirs = server.sections().map(|(dir, _)| dir);
        let handlers =
            dirs.filter_map(
                |dir| match (dir.set_handler.get()?, dir.set_handler.place()) {
                    (Handler::Proxy(url), Some(place)) => Some((url, place)),
                    (Handler::Proxy(_) | Handler::None | Handler::Named(_), _) => None,
                },
            );
        for (url, place) in members.chain(workers).chain(handlers) {
            if told.insert(url.scheme.clone()) {
                found.extend(scheme(config, url, place));
            }
        }
    }
}

/// What there is to say about a backend's scheme.
fn scheme(config: &Config, url: &WorkerUrl, place: &Place) -> Option<Diagnostic> {
    let name = &url.scheme;
    if !SCHEMES.contains(&name.as_str()) {
        let message = format!(
            "no protocol handler for {url} (scheme '{name}'): requests to it will fail with 500"
        );
        return Some(
            Diagnostic::warning(message)
                .at(place)
                .under(format!("{name}://"))
                .hint(cure(name)),
        );
    }
    let (_, speakers) = SCHEME_MODULES
        .into_iter()
        .find(|(scheme, _)| scheme == name)?;
    if speakers.iter().any(|module| config.modules.has(module)) {
        return None;
    }
    let module = speakers.first()?;
    let message = format!(
        "no protocol handler for {url} (scheme '{name}'): requests to it will fail with 500"
    );
    Some(
        Diagnostic::warning(message)
            .at(place)
            .hint(format!("add `{}`", load_line(module))),
    )
}

/// What to do about a scheme that is not spoken.
fn cure(scheme: &str) -> &'static str {
    match scheme {
        "ajp" => "only http:// backends are available: use the server's HTTP connector",
        "fcgi" | "scgi" | "uwsgi" => {
            "only http:// backends are available: put an HTTP server in front of this one"
        }
        "https" => "only http:// backends are available: TLS is not, yet",
        "wss" => "only http:// and ws:// backends are available: TLS is not, yet",
        _ => "only http:// backends are available",
    }
}

/// Sizes of a process model that is not in use. Once an MPM is chosen, the others' directives are unknown; until then they are read.
fn sizes(config: &Config, found: &mut Vec<Diagnostic>) {
    let mpm = config.mpm.mpm.or(Mpm::default());
    if mpm == Mpm::Prefork {
        return;
    }
    let rows = [
        ("MinSpareServers", &config.mpm.min_spare_servers),
        ("MaxSpareServers", &config.mpm.max_spare_servers),
    ];
    for (name, setting) in rows {
        let Some(place) = setting.place() else {
            continue;
        };
        let message = format!("{name} has no effect: the process model is {}", mpm.name());
        found.push(
            Diagnostic::warning(message)
                .at(place)
                .hint("add `MPM prefork` to have one process per connection, or remove the line"),
        );
    }
}
