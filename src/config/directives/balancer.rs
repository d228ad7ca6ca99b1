//! Balancers: BalancerMember, ProxySet, and the balancer's own switches.
//!
//! Know first: in `<Proxy balancer://…>` the balancer is implied and made when it is first needed. A member that is already there is not
//! changed by a second BalancerMember (httpd 2.4 warns and ignores), but always by ProxySet.

use super::params::{self, Pair, Wording};
use super::workers::{add_worker, next_id22, plain_id22};
use crate::config::args::Word;
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::{
    Balancer, Member, MemberParams, Pattern, WorkerUrl, strip_prefix_ignore_case,
};
use crate::config::modules;
use crate::config::scope::{Args, Complaint, Scope, Subject};
use crate::config::suggest;

const PROXY: &str = "proxy_module";
const SERVERS: Contexts = Contexts::SERVERS;
const HERE: Contexts = SERVERS.or(Contexts::PROXY);

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "BalancerMember",
        PROXY,
        Arity::Raw,
        HERE,
        "a member of a balancer: the balancer unless in its section, a URL, and parameters",
        "BalancerMember balancer://c http://10.0.0.1:8080 loadfactor=2 route=a",
        member,
    ),
    Directive::new(
        "ProxySet",
        PROXY,
        Arity::Raw,
        HERE,
        "parameters of a worker or balancer: its URL unless in its section, and parameters",
        "<Proxy balancer://c>\nProxySet lbmethod=bybusyness\n</Proxy>",
        proxy_set,
    ),
    Directive::new(
        "BalancerGrowth",
        PROXY,
        Arity::One,
        SERVERS,
        "how many balancers may be added while running",
        "BalancerGrowth 10",
        |scope, args| {
            let count = args.number(0, 0..=1000, "BalancerGrowth must be between 0 and 1000")?;
            scope.server.proxy.growth = scope.set(count);
            Ok(())
        },
    )
    .default("5"),
    Directive::new(
        "BalancerPersist",
        PROXY,
        Arity::Flag,
        SERVERS,
        "changes made while running outlive a restart",
        "BalancerPersist On",
        |scope, args| {
            let on = args.flag()?;
            if on {
                scope.directive_is_later("BalancerPersist On");
            }
            scope.server.proxy.persist = scope.set(on);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "BalancerInherit",
        PROXY,
        Arity::Flag,
        SERVERS,
        "a virtual host has the main server's balancers",
        "BalancerInherit Off",
        |scope, args| {
            scope.server.proxy.balancer_inherit = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On")
    .long(
        "Workers and balancers stay away only when ProxyPassInherit is Off as well, as in httpd.",
    ),
];

/// True when a URL leads to a balancer.
pub(super) fn is_balancer(url: &str) -> bool {
    strip_prefix_ignore_case(url, "balancer://").is_some()
}

/// The balancer's name in a URL, in lower case and without what follows the host.
pub(super) fn balancer_name(url: &str) -> Option<String> {
    let rest = strip_prefix_ignore_case(url, "balancer://")?;
    let name = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// The index of the balancer with this name, which is made if it is not there.
pub(super) fn balancer_index(scope: &mut Scope<'_>, name: &str) -> usize {
    let place = scope.place();
    let balancers = &mut scope.server.proxy.balancers;
    match balancers.iter().position(|balancer| balancer.name == name) {
        Some(index) => index,
        None => {
            balancers.push(Balancer::new(name, place));
            balancers.len() - 1
        }
    }
}

/// Applies parameters to a balancer.
pub(super) fn set_params(
    scope: &mut Scope<'_>,
    index: usize,
    pairs: &[Pair],
    wording: Wording<'_>,
) {
    let Some(balancer) = scope.server.proxy.balancers.get_mut(index) else {
        return;
    };
    let mut parameters = std::mem::take(&mut balancer.params);
    let before = parameters.lbmethod.clone();
    params::balancer(scope, &mut parameters, pairs, wording);
    let chosen = pairs
        .iter()
        .rev()
        .find(|pair| pair.key.eq_ignore_ascii_case("lbmethod"));
    if let Some(pair) = chosen
        && !lbmethod_is_there(scope, pair, wording)
    {
        parameters.lbmethod = before;
    }
    if let Some(balancer) = scope.server.proxy.balancers.get_mut(index) {
        balancer.params = parameters;
    }
}

/// Whether the election method exists and its module is visible; complains if not.
fn lbmethod_is_there(scope: &mut Scope<'_>, pair: &Pair, wording: Wording<'_>) -> bool {
    let name = pair.value.to_ascii_lowercase();
    let identifier = format!("lbmethod_{name}_module");
    let known = modules::find(&identifier);
    if known.is_some_and(|module| module.kind == modules::Kind::Present)
        && scope.modules.has(&identifier)
    {
        return true;
    }
    let complaint = Complaint::new(wording_message(wording, pair)).over(pair.value_range.clone());
    let methods = modules::MODULES
        .iter()
        .filter(|module| module.kind == modules::Kind::Present);
    let methods = methods.filter_map(|module| {
        module
            .identifier
            .strip_prefix("lbmethod_")?
            .strip_suffix("_module")
    });
    scope.complain(match known {
        Some(module) if module.kind == modules::Kind::Present => {
            complaint.hint(format!("add `{}`", modules::load_line(&identifier)))
        }
        Some(_) => complaint.hint(format!(
            "`{name}` is not available here; byrequests, bytraffic and bybusyness are"
        )),
        None => match suggest::nearest(&name, methods) {
            Some(near) => complaint.hint(format!("did you mean `{near}`?")),
            None => complaint.hint("byrequests, bytraffic and bybusyness are available"),
        },
    });
    false
}

fn wording_message(wording: Wording<'_>, pair: &Pair) -> String {
    match wording {
        Wording::Plain(name) => format!("{name} unknown lbmethod"),
        Wording::Full(name, about) => format!(
            "{name} unknown lbmethod {}={}; {about}",
            pair.key, pair.value
        ),
    }
}

/// Makes the worker or balancer of a URL if it is not there, and applies parameters to it.
pub(super) fn configure(
    scope: &mut Scope<'_>,
    url: &str,
    word: &Word,
    pairs: &[Pair],
    wording: Wording<'_>,
) -> Result<(), Complaint> {
    let (Wording::Plain(directive) | Wording::Full(directive, _)) = wording;
    if is_balancer(url) {
        let name = balancer_name(url).ok_or_else(|| {
            Complaint::new(format!("{directive} URL must be absolute!: {url}")).on(word)
        })?;
        let index = balancer_index(scope, &name);
        set_params(scope, index, pairs, wording);
        return Ok(());
    }
    let parsed = WorkerUrl::parse(url).map_err(|error| {
        Complaint::new(format!("{directive} {}", error.message(url)))
            .on(word)
            .hint(error.hint())
    })?;
    let index = match worker_index(scope, &parsed) {
        Some(index) => index,
        None => {
            add_worker(scope, parsed, MemberParams::default(), false);
            scope.server.proxy.workers.len() - 1
        }
    };
    set_worker_params(scope, index, pairs, wording);
    Ok(())
}

fn set_worker_params(scope: &mut Scope<'_>, index: usize, pairs: &[Pair], wording: Wording<'_>) {
    let Some(worker) = scope.server.proxy.workers.get_mut(index) else {
        return;
    };
    let mut parameters = std::mem::take(&mut worker.params);
    params::member(scope, &mut parameters, pairs, wording);
    if let Some(worker) = scope.server.proxy.workers.get_mut(index) {
        worker.params = parameters;
    }
}

/// The worker with the longest name that is a prefix of the URL's.
fn worker_index(scope: &Scope<'_>, url: &WorkerUrl) -> Option<usize> {
    let workers = scope.server.proxy.workers.iter().enumerate();
    let found = workers.filter(|(_, worker)| url.name.starts_with(&worker.url.name));
    found
        .max_by_key(|(_, worker)| worker.url.name.len())
        .map(|(index, _)| index)
}

fn member(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let implied = match &scope.inside.subject {
        Subject::Proxy(pattern) => Some(pattern.text().to_owned()),
        Subject::Server | Subject::Location(_) | Subject::Files => None,
    };
    let in_section = implied.is_some();
    let mut balancer = implied;
    let mut balancer_word: Option<&Word> = None;
    let mut url: Option<&Word> = None;
    let mut pairs = Vec::new();
    for word in &args.words {
        if let Some(pair) = Pair::of(word) {
            pairs.push(pair);
        } else if balancer.is_none() {
            balancer = Some(word.text.clone());
            balancer_word = Some(word);
        } else if url.is_none() {
            url = Some(word);
        } else if in_section {
            let message = "BalancerMember can not have a balancer name when defined in a location";
            let complaint = Complaint::new(message).on(word);
            // httpd says the same of a parameter without `=`; tell the two apart.
            let is_name = url.is_some_and(|url| is_balancer(&url.text));
            return Err(if is_name {
                complaint.hint("leave the balancer out: it is the section's")
            } else {
                complaint.label("a parameter needs `=`")
            });
        } else {
            return Err(Complaint::new(
                "Invalid BalancerMember parameter. Parameter must be in the form 'key=value'",
            )
            .on(word));
        }
    }
    let Some(balancer) = balancer else {
        return Err(Complaint::new(
            "BalancerMember must define balancer name when outside <Proxy > section",
        ));
    };
    let Some(url) = url else {
        return Err(
            Complaint::new("BalancerMember must define remote proxy server")
                .hint("write `BalancerMember balancer://name http://host:port`"),
        );
    };
    let name = balancer_name(&balancer).ok_or_else(|| {
        let complaint = Complaint::new(format!("BalancerMember URL must be absolute!: {balancer}"));
        let complaint = complaint.hint("a balancer's name is written `balancer://name`");
        match balancer_word {
            Some(word) => complaint.on(word),
            None => complaint,
        }
    })?;
    add_member(scope, &name, url, &pairs)
}

fn add_member(
    scope: &mut Scope<'_>,
    balancer: &str,
    word: &Word,
    pairs: &[Pair],
) -> Result<(), Complaint> {
    let url = WorkerUrl::parse(&word.text).map_err(|error| {
        Complaint::new(format!("BalancerMember {}", error.message(&word.text)))
            .on(word)
            .hint(error.hint())
    })?;
    let index = balancer_index(scope, balancer);
    let is_there = scope
        .server
        .proxy
        .balancers
        .get(index)
        .is_some_and(|known| known.members.iter().any(|known| known.url == url));
    if is_there {
        let shown = url.visible();
        scope.inform(Complaint::new(format!(
            "AH01149: Sharing worker '{shown}' instead of creating new worker '{shown}'"
        )));
        for pair in pairs {
            let message = format!(
                "AH01150: Ignoring parameter '{}={}' for worker '{}' because of worker sharing",
                pair.key,
                pair.value,
                url.visible()
            );
            scope.warn(
                Complaint::new(message)
                    .over(pair.range.clone())
                    .hint("the member is there already; put all its parameters on one line"),
            );
        }
        return Ok(());
    }
    let mut parameters = MemberParams::default();
    params::member(
        scope,
        &mut parameters,
        pairs,
        Wording::Plain("BalancerMember"),
    );
    plain_id22(scope, &url);
    let id22 = next_id22(scope);
    let place = scope.place().clone();
    if let Some(balancer) = scope.server.proxy.balancers.get_mut(index) {
        balancer.members.push(Member {
            url,
            id22,
            params: parameters,
            place,
        });
    }
    Ok(())
}

fn proxy_set(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let implied = match &scope.inside.subject {
        Subject::Proxy(Pattern::Prefix(url)) => Some(url.clone()),
        Subject::Proxy(pattern) => {
            return Err(Complaint::new(format!(
                "ProxySet: {} names no single worker",
                pattern.text()
            )));
        }
        Subject::Server | Subject::Location(_) | Subject::Files => None,
    };
    let has_url = implied.is_none();
    let url = implied.unwrap_or_else(|| args.text(0).to_owned());
    let mut pairs = Vec::new();
    let words = args.words.iter().skip(usize::from(has_url));
    if has_url {
        must_exist(scope, &url, args)?;
    }
    for word in words {
        let pair = Pair::of(word);
        pairs.push(pair.ok_or_else(|| {
            Complaint::new("Invalid ProxySet parameter. Parameter must be in the form 'key=value'")
                .on(word)
        })?);
    }
    let word = Word::whole(&url, args.node.name_range.clone());
    configure(scope, &url, &word, &pairs, Wording::Full("ProxySet:", &url))
}

/// Complains when ProxySet outside a section names something that no earlier line made.
fn must_exist(scope: &Scope<'_>, url: &str, args: &Args<'_>) -> Result<(), Complaint> {
    if is_balancer(url) {
        let name = balancer_name(url).unwrap_or_default();
        if scope
            .server
            .proxy
            .balancers
            .iter()
            .any(|known| known.name == name)
        {
            return Ok(());
        }
        let complaint = args.complaint(0, format!("ProxySet can not find '{url}' Balancer."));
        let near = suggest::nearest(
            &name,
            scope
                .server
                .proxy
                .balancers
                .iter()
                .map(|known| known.name.as_str()),
        );
        return Err(match near {
            Some(near) => complaint.hint(format!("did you mean `balancer://{near}`?")),
            None => {
                complaint.hint("put the line behind the BalancerMember or ProxyPass that makes it")
            }
        });
    }
    let is_there = WorkerUrl::parse(url).is_ok_and(|parsed| worker_index(scope, &parsed).is_some());
    if is_there {
        return Ok(());
    }
    Err(args
        .complaint(0, format!("ProxySet can not find '{url}' Worker."))
        .hint("put the line behind the ProxyPass that makes it, or use `<Proxy>`"))
}
