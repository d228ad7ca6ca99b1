//! What the demo says in the terminal.

use super::cast::Part;
use super::conf::Place;
use crate::sys::process::Pid;
use std::net::SocketAddr;
use std::path::Path;

/// Once the server answers.
pub(super) fn opening(
    place: &Place,
    address: SocketAddr,
    origins: &[(Pid, &'static Part)],
) -> String {
    let here = place.directory();
    let php2 = origins.iter().find(|(_, part)| part.name == "php2");
    let kill = php2.map_or_else(|| "PID".to_owned(), |(pid, _)| pid.to_string());
    let scoreboard = place.scoreboard();
    let names = origins
        .iter()
        .map(|(pid, part)| format!("{} {pid}", part.name));
    let names = names.collect::<Vec<_>>().join(", ");
    let url = format!("http://{address}");
    format!(
        "\
tine --demo: two balancers, seven backends, one server, all on this machine

  {url}/                  start here
  {url}/apps/             balancer://foo: php1 (1), php2 (4), standby phpbkup; bytraffic
  {url}/serv/             balancer://javaapps: tc1 (1), tc2 (4); byrequests
  {url}/images/           a single backend
  {url}/balancer-manager  the members, as the server sees them
  {url}/server-status     the scoreboard as a page

  configuration  {}
  logs           {here}/error_log, {here}/access_log
  backends       {names}

Try, in another terminal:

  # who answers?
  for i in $(seq 50); do curl -s {url}/apps/; done | cut -d' ' -f1 | sort | uniq -c

  # what does every process do, and how are the members? (works on a dead server, too)
  {} scoreboard --file {} --watch

  # stop php2: php1 takes over. Stop php1 as well: the standby does.
  kill -TERM {kill}; curl {url}/apps/

Ctrl-C ends everything.
",
        place.configuration().display(),
        tinectl(),
        scoreboard.display(),
        here = here.display(),
    )
}

/// When a backend has ended.
pub(super) fn ended(part: &Part, pid: Pid, left: &[(Pid, &'static Part)]) -> String {
    let path = part.role.path();
    let same = left.iter().filter(|(_, other)| other.role == part.role);
    let names: Vec<_> = same.map(|(_, other)| other.name).collect();
    let then = match names.as_slice() {
        [] => format!("nobody is left for {path}, which answers 503"),
        ["phpbkup"] => format!("{path} goes on with phpbkup, the standby"),
        [rest @ .., "phpbkup"] => {
            let rest = rest.join(" and ");
            format!("{path} goes on with {rest}; phpbkup still stands by")
        }
        rest => format!("{path} goes on with {}", rest.join(" and ")),
    };
    format!("{} (pid {pid}) has ended; {then}\n", part.name)
}

/// `tinectl`, with the directory of this program if it lies beside it there: a build that is not installed is not on the PATH.
fn tinectl() -> String {
    let beside = std::env::current_exe().ok();
    let beside = beside
        .as_deref()
        .and_then(Path::parent)
        .map(|here| here.join("tinectl"));
    let is_installed = |path: &Path| {
        ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
            .iter()
            .any(|dir| path.starts_with(dir))
    };
    match beside.filter(|path| path.exists() && !is_installed(path)) {
        Some(path) => path.display().to_string(),
        None => "tinectl".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cast::CAST;
    use super::*;

    fn cast() -> Vec<(Pid, &'static Part)> {
        let pids = (101..).filter_map(Pid::from_number);
        pids.zip(&CAST).collect()
    }

    #[test]
    fn an_end_says_who_goes_on() {
        let mut left = cast();
        let mut end = |name: &str| {
            let at = left
                .iter()
                .position(|(_, part)| part.name == name)
                .expect("it lives");
            let (pid, part) = left.remove(at);
            ended(part, pid, &left)
        };
        let table = [
            (
                "php2",
                "php2 (pid 102) has ended; /apps/ goes on with php1; phpbkup still stands by\n",
            ),
            (
                "php1",
                "php1 (pid 101) has ended; /apps/ goes on with phpbkup, the standby\n",
            ),
            (
                "phpbkup",
                "phpbkup (pid 103) has ended; nobody is left for /apps/, which answers 503\n",
            ),
            ("tc1", "tc1 (pid 104) has ended; /serv/ goes on with tc2\n"),
        ];
        for (name, expected) in table {
            assert_eq!(end(name), expected);
        }
    }

    #[test]
    fn the_opening_names_urls_files_and_the_pid_to_kill() {
        let parent = tempfile::tempdir().expect("a directory");
        let place = Place::make_in(parent.path(), "").expect("a directory");
        let origins = cast();
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let text = opening(&place, address, &origins);
        assert!(
            text.contains("\n  kill -TERM 102; curl http://127.0.0.1:8080/apps/\n"),
            "{text}"
        );
        assert!(
            text.contains("  backends       php1 101, php2 102, phpbkup 103"),
            "{text}"
        );
        let scoreboard = format!(
            "tinectl scoreboard --file {} --watch",
            place.scoreboard().display()
        );
        assert!(text.contains(&scoreboard), "{text}");
        for path in [
            "/",
            "/apps/",
            "/serv/",
            "/images/",
            "/balancer-manager",
            "/server-status",
        ] {
            assert!(
                text.contains(&format!("  http://127.0.0.1:8080{path} ")),
                "{path}\n{text}"
            );
        }
    }
}
