//! What the demo says in the terminal.

use super::cast::{Part, Role};
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
pub(super) fn ended(part: &Part, pid: Pid) -> String {
    let then = match part.role {
        Role::Apps => "/apps/ goes on with what is left: php1 and php2 first, then phpbkup",
        Role::Serv => "/serv/ goes on with the other one",
        Role::Images => "/images/ answers 503: it had only this one",
        Role::Start => "/ answers 503: it had only this one",
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

    #[test]
    fn the_opening_names_urls_files_and_the_pid_to_kill() {
        let parent = tempfile::tempdir().expect("a directory");
        let place = Place::make_in(parent.path(), "").expect("a directory");
        let origins: Vec<_> = CAST
            .iter()
            .zip(101..)
            .map(|(part, pid)| (Pid::from_number(pid).expect("positive"), part))
            .collect();
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
