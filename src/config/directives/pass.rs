//! Mappings: ProxyPass and ProxyPassMatch, and the way back.
//!
//! Know first: a ProxyPass makes a plain worker, or shares one whose URL is a prefix of its own – then its parameters are ignored with a
//! warning, as in httpd.

use super::balancer::{balancer_index, balancer_name, is_balancer};
use super::params::{self, Pair, Wording};
use super::workers::{add_worker, shared_worker};
use crate::config::args::{Word, choice, is_glob};
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::{
    CookieMap, Destination, Mapping, MemberParams, PassPath, PassTarget, Pattern, ProxyPass,
    ProxyPassReverse, WorkerUrl, masked,
};
use crate::config::scope::{Args, Complaint, Scope, Subject};
use crate::config::walk::check_regex;

const PROXY: &str = "proxy_module";
const SERVERS: Contexts = Contexts::SERVERS;
const ANYWHERE: Contexts = Contexts::ANYWHERE;
/// httpd's "server config, virtual host, directory", minus what cannot hold a mapping.
const MAPPING: Contexts = SERVERS.or(Contexts::LOCATION);

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "ProxyPass",
        PROXY,
        Arity::Raw,
        MAPPING,
        "map a path, and everything below it, to a URL",
        "ProxyPass /app http://127.0.0.1:8080/app timeout=30 retry=5",
        |scope, args| pass(scope, args, false),
    )
    .long(
        "`!` instead of a URL excludes the path: the first match wins, \
                so exclusions come first. In a Location the path is left out. \
                `~` in front of the path makes it a regular expression.",
    ),
    Directive::new(
        "ProxyPassMatch",
        PROXY,
        Arity::Raw,
        MAPPING,
        "map paths that a regular expression matches to a URL",
        "ProxyPassMatch \"^/app/(.*)$\" http://127.0.0.1:8080/$1",
        |scope, args| pass(scope, args, true),
    ),
    Directive::new(
        "ProxyPassReverse",
        PROXY,
        Arity::UpToThree,
        MAPPING,
        "map URLs in response fields back to a path",
        "ProxyPassReverse /app http://127.0.0.1:8080/app",
        reverse,
    ),
    Directive::new(
        "ProxyPassReverseCookieDomain",
        PROXY,
        Arity::TwoOrThree,
        MAPPING,
        "map the domain of backend cookies to ours",
        "ProxyPassReverseCookieDomain backend.internal www.example.com",
        |scope, args| {
            let map = cookie_map(args);
            scope.dir.cookie_domains.push(map);
            Ok(())
        },
    ),
    Directive::new(
        "ProxyPassReverseCookiePath",
        PROXY,
        Arity::TwoOrThree,
        MAPPING,
        "map the path of backend cookies to ours",
        "ProxyPassReverseCookiePath / /app/",
        |scope, args| {
            let map = cookie_map(args);
            scope.dir.cookie_paths.push(map);
            Ok(())
        },
    ),
    Directive::new(
        "ProxyPassInterpolateEnv",
        PROXY,
        Arity::Flag,
        ANYWHERE,
        "fill in variables where `interpolate` asks for it",
        "ProxyPassInterpolateEnv On",
        |scope, args| {
            scope.dir.interpolate_env = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("Off")
    .long(
        "`${NAME}` is the variable of that name, empty if it is not set: in                 the path and the URL of a ProxyPass what SetEnvIf outside                 sections has set, in the others also what it set in sections.                 In a URL's authority it can only be a host, a port or both.",
    ),
    Directive::new(
        "ProxyPassInherit",
        PROXY,
        Arity::Flag,
        SERVERS,
        "a virtual host has the main server's workers",
        "ProxyPassInherit Off",
        |scope, args| {
            scope.server.proxy.pass_inherit = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On")
    .long(
        "Workers and balancers stay away only when BalancerInherit is Off as \
                well; mappings are inherited in any case, as in httpd.",
    ),
];

/// What a ProxyPass line says, before anything is looked up.
struct Line<'a> {
    path: PassPath,
    url: &'a Word,
    nocanon: bool,
    interpolate: bool,
    noquery: bool,
    pairs: Vec<Pair>,
}

const KEY_VALUE: &str =
    "Invalid ProxyPass|ProxyPassMatch parameter. Parameter must be in the form 'key=value'.";

fn pass(scope: &mut Scope<'_>, args: &Args<'_>, is_match: bool) -> Result<(), Complaint> {
    let line = read_line(scope, args, is_match)?;
    let mut pairs = line.pairs;
    let mapping = take_mapping(&mut pairs)?;
    let target = if line.url.text == "!" {
        PassTarget::Exclude
    } else {
        let is_regex = matches!(line.path, PassPath::Regex(_));
        warn_about_expression(scope, &line.path);
        warn_about_slashes(scope, &line.path, line.url);
        let is_filled = is_regex && line.url.text.contains('$')
            || line.interpolate && line.url.text.contains("${");
        target(scope, line.url, &line.path, is_regex, is_filled, &pairs)?
    };
    let from_location = matches!(scope.inside.subject, Subject::Location(_));
    let pass = ProxyPass {
        path: line.path,
        target,
        nocanon: line.nocanon,
        interpolate: line.interpolate,
        noquery: line.noquery,
        mapping,
        from_location,
        place: scope.place().clone(),
    };
    if from_location {
        scope.dir.pass = scope.set(Box::new(pass));
    } else {
        scope.server.proxy.passes.push(pass);
    }
    Ok(())
}

fn read_line<'a>(
    scope: &Scope<'_>,
    args: &'a Args<'_>,
    is_match: bool,
) -> Result<Line<'a>, Complaint> {
    let mut path = match &scope.inside.subject {
        // httpd knows nothing but the argument here, and takes it for an expression when it looks like a pattern.
        Subject::Location(pattern) => Some(if is_match || is_glob(pattern.text()) {
            (PassPath::Regex(pattern.text().to_owned()), None)
        } else {
            (PassPath::Prefix(pattern.text().to_owned()), None)
        }),
        Subject::Server | Subject::Proxy(_) | Subject::Files => None,
    };
    let in_location = path.is_some();
    let mut is_regex = is_match;
    let mut url: Option<&Word> = None;
    let (mut nocanon, mut interpolate, mut noquery) = (false, false, false);
    let mut pairs = Vec::new();
    for (index, word) in args.words.iter().enumerate() {
        let flag = |name: &str| word.text.eq_ignore_ascii_case(name);
        if path.is_none() && word.text == "~" {
            if is_match {
                return Err(args.complaint(index, "ProxyPassMatch invalid syntax ('~' usage)."));
            }
            is_regex = true;
        } else if path.is_none() {
            path = Some((PassPath::Prefix(word.text.clone()), Some(word)));
        } else if url.is_none() {
            url = Some(word);
        } else if flag("nocanon") {
            nocanon = true;
        } else if flag("interpolate") {
            interpolate = true;
        } else if flag("noquery") {
            noquery = true;
        } else if let Some(pair) = Pair::of(word) {
            pairs.push(pair);
        } else if in_location && url.is_some_and(|url| url.text.starts_with('/')) {
            let message =
                "ProxyPass|ProxyPassMatch can not have a path when defined in a location.";
            return Err(args
                .complaint(0, message)
                .hint("leave the path out: it is the Location's"));
        } else {
            return Err(args.complaint(index, KEY_VALUE));
        }
    }
    let (Some((path, word)), Some(url)) = (path, url) else {
        let complaint =
            Complaint::new("ProxyPass|ProxyPassMatch needs a path when not defined in a location");
        return Err(complaint.hint("write `ProxyPass /path http://host/`"));
    };
    let path = match (path, word) {
        (PassPath::Prefix(text), Some(word)) if is_regex => {
            check_regex(word, "Regular expression could not be compiled.")?;
            PassPath::Regex(text)
        }
        (path, _) => path,
    };
    Ok(Line {
        path,
        url,
        nocanon,
        interpolate,
        noquery,
        pairs,
    })
}

/// Takes `mapping=` out of the parameters: it belongs to the ProxyPass, not to the worker.
fn take_mapping(pairs: &mut Vec<Pair>) -> Result<Option<Mapping>, Complaint> {
    let Some(index) = pairs
        .iter()
        .rposition(|pair| pair.key.eq_ignore_ascii_case("mapping"))
    else {
        return Ok(None);
    };
    let pair = pairs.remove(index);
    let choices = [("encoded", Mapping::Encoded), ("servlet", Mapping::Servlet)];
    let value = choice(&pair.value, &choices);
    value.map(Some).ok_or_else(|| {
        Complaint::new("unknown mapping")
            .over(pair.value_range)
            .hint("write `mapping=encoded` or `mapping=servlet`")
    })
}

/// Warns when the expression of a LocationMatch is compared as a plain path, which matches hardly anything.
fn warn_about_expression(scope: &mut Scope<'_>, path: &PassPath) {
    if let (Subject::Location(Pattern::Regex(text)), PassPath::Prefix(_)) =
        (&scope.inside.subject, path)
    {
        let message = format!("ProxyPass takes `{text}` for a path, not for an expression");
        let hint = "write ProxyPassMatch in a LocationMatch";
        scope.warn(Complaint::new(message).hint(hint));
    }
}

/// Warns when one side ends in a slash and the other does not: the rest of the path is appended as it is.
fn warn_about_slashes(scope: &mut Scope<'_>, path: &PassPath, url: &Word) {
    let PassPath::Prefix(path) = path else { return };
    let ends = (path.ends_with('/'), url.text.ends_with('/'));
    let example = match ends {
        (true, false) => format!("`{path}x` would go to `{}x`", url.text),
        (false, true) => format!("`{path}/x` would go to `{}/x`", url.text),
        (true, true) | (false, false) => return,
    };
    let complaint = Complaint::new(format!(
        "only one of path and URL ends in a slash: {example}"
    ));
    scope.warn(complaint.on(url).hint("end both in a slash, or neither"));
}

/// Finds or makes what takes the requests.
fn target(
    scope: &mut Scope<'_>,
    word: &Word,
    path: &PassPath,
    is_regex: bool,
    is_filled: bool,
    pairs: &[Pair],
) -> Result<PassTarget, Complaint> {
    if is_balancer(&word.text) {
        let name = balancer_name(&word.text).ok_or_else(|| {
            Complaint::new(format!("ProxyPass URL must be absolute!: {}", word.text)).on(word)
        })?;
        if is_filled && name.contains('$') {
            return Ok(captured_balancer(scope, word, name, pairs));
        }
        let index = balancer_index(scope, &name);
        super::balancer::set_params(scope, index, pairs, Wording::Plain("ProxyPass"));
        if let Some(balancer) = scope.server.proxy.balancers.get_mut(index) {
            let (PassPath::Prefix(path) | PassPath::Regex(path)) = path;
            balancer.path.get_or_insert_with(|| path.clone());
        }
        return Ok(PassTarget::Url {
            text: word.text.clone(),
            unix_socket: None,
            to: Destination::Balancer(name),
        });
    }
    let url = WorkerUrl::parse(&word.text).map_err(|error| {
        Complaint::new(format!("ProxyPass {}", error.message(&word.text)))
            .on(word)
            .hint(error.hint())
    })?;
    let text = match &url.unix_socket {
        Some(_) => word
            .text
            .split_once('|')
            .map_or_else(|| word.text.clone(), |(_, text)| text.to_owned()),
        None => word.text.clone(),
    };
    let unix_socket = url.unix_socket.clone();
    let is_template = is_regex && word.text.contains('$');
    let name = match shared_worker(scope, &url, is_template) {
        Some(name) => {
            let shown = masked(&name);
            scope.inform(Complaint::new(format!(
                "AH01145: Sharing worker '{shown}' instead of creating new worker '{}'",
                masked(&text)
            )));
            for pair in pairs {
                let message = format!(
                    "AH01146: Ignoring parameter '{}={}' for worker '{shown}' because of worker sharing",
                    pair.key, pair.value
                );
                let hint = format!(
                    "`{url}` starts with `{shown}`: write the line with the longer URL first"
                );
                scope.warn(Complaint::new(message).over(pair.range.clone()).hint(hint));
            }
            name
        }
        None => {
            let mut parameters = MemberParams::default();
            params::member(scope, &mut parameters, pairs, Wording::Plain("ProxyPass"));
            if url.has_capture_in_authority() {
                warn_about_reuse(scope, &url, pairs);
            }
            add_worker(scope, url, parameters, is_template)
        }
    };
    Ok(PassTarget::Url {
        text,
        unix_socket,
        to: Destination::Worker(name),
    })
}

/// A host that a request fills in is asked for each time, whatever the line says.
fn warn_about_reuse(scope: &mut Scope<'_>, url: &WorkerUrl, pairs: &[Pair]) {
    let is_about = |pair: &&Pair| {
        pair.key.eq_ignore_ascii_case("enablereuse")
            || pair.key.eq_ignore_ascii_case("disablereuse")
    };
    if let Some(pair) = pairs.iter().find(is_about) {
        let message = format!("AH10400: enablereuse/disablereuse ignored for worker {url}");
        let hint = "connections to a host that the request fills in serve one request";
        scope.warn(Complaint::new(message).over(pair.range.clone()).hint(hint));
    }
}

/// A balancer whose name the request fills in: it is looked up then, so parameters have nothing to go to.
fn captured_balancer(
    scope: &mut Scope<'_>,
    word: &Word,
    name: String,
    pairs: &[Pair],
) -> PassTarget {
    for pair in pairs {
        let message = format!(
            "`{}` is ignored: the balancer's name is only known with the request",
            pair.key
        );
        let hint = "set it in the balancer's `<Proxy>` section";
        scope.warn(Complaint::new(message).over(pair.range.clone()).hint(hint));
    }
    PassTarget::Url {
        text: word.text.clone(),
        unix_socket: None,
        to: Destination::Balancer(name),
    }
}

fn reverse(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let is_interpolate = |index: usize| args.text(index).eq_ignore_ascii_case("interpolate");
    let (path, url, flag) = match &scope.inside.subject {
        Subject::Location(pattern) => {
            if args.words.len() > 1 && !is_interpolate(1) {
                let complaint = args.complaint(
                    0,
                    "ProxyPassReverse can not have a path when defined in a location",
                );
                return Err(complaint.hint("leave the path out: it is the Location's"));
            }
            (pattern.text().to_owned(), args.text(0), 1)
        }
        Subject::Server | Subject::Proxy(_) | Subject::Files => {
            if args.words.len() < 2 || is_interpolate(1) {
                return Err(Complaint::new(
                    "ProxyPassReverse needs a path when not defined in a location",
                ));
            }
            (args.text(0).to_owned(), args.text(1), 2)
        }
    };
    let entry = ProxyPassReverse {
        path,
        url: url.to_owned(),
        interpolate: is_interpolate(flag),
        place: scope.place().clone(),
    };
    scope.dir.reverses.push(entry);
    Ok(())
}

fn cookie_map(args: &Args<'_>) -> CookieMap {
    CookieMap {
        internal: args.text(0).to_owned(),
        public: args.text(1).to_owned(),
        interpolate: args.text(2).eq_ignore_ascii_case("interpolate"),
    }
}
