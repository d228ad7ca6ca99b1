//! The demo's configuration, and the directory that it lives in.
//!
//! Responsible for: a text that an operator can read, copy and change, and a directory that only the starting user can look into.

use super::cast::{CAST, Part, Role};
use std::fmt::Write;
use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Who serves when root has started the demo: numbers, because not every system has the names.
pub(super) const NOBODY: &str = "#65534";
/// Its group.
pub(super) const NOBODY_GROUP: &str = "#65534";

/// The directory of one demo, which ends with it.
#[derive(Debug)]
pub(super) struct Place {
    directory: Option<PathBuf>,
}

impl Place {
    /// Makes the directory and writes the configuration. `text` has [`HERE`] wherever the directory's name belongs.
    pub(super) fn make(text: &str) -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir(), text)
    }

    /// The same in this directory. One that is there already is not used: somebody else may have made it.
    pub(super) fn make_in(parent: &Path, text: &str) -> io::Result<Self> {
        let directory = parent.join(format!("tine-demo-{}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
            })?;
        let place = Self {
            directory: Some(directory),
        };
        let here = place.directory().display().to_string();
        fs::write(place.configuration(), text.replace(HERE, &here))?;
        Ok(place)
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_default()
    }

    pub(super) fn configuration(&self) -> PathBuf {
        self.directory().join("tine.conf")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.directory().join("tine.pid")
    }

    pub(super) fn scoreboard(&self) -> PathBuf {
        self.directory().join("scoreboard")
    }

    /// A forked copy lets go without removing anything.
    pub(super) fn forget(mut self) {
        self.directory = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.take() {
            // What cannot be removed stays in the temporary directory, where somebody will.
            drop(fs::remove_dir_all(directory));
        }
    }
}

/// Stands for the directory in a text that is made before it.
const HERE: &str = "@here@";

/// The configuration: a server on `address`, the cast on `addresses`.
pub(super) fn text(address: SocketAddr, addresses: &[SocketAddr], as_root: bool) -> String {
    let mut text = HEAD.replace("@address@", &address.to_string());
    if as_root {
        append(
            &mut text,
            format_args!("User {NOBODY}\nGroup {NOBODY_GROUP}\n"),
        );
    }
    text.push_str("\n# Host names of a real configuration would stand here.\n");
    for (part, address) in CAST.iter().zip(addresses) {
        append(
            &mut text,
            format_args!("Define {:<8} {address}\n", part.name),
        );
    }
    text.push_str("\n<Proxy balancer://foo>\n");
    members(&mut text, Role::Apps);
    text.push_str("    ProxySet lbmethod=bytraffic\n</Proxy>\n");
    text.push_str(
        "\n# ajp://tc1:8009 and ajp://tc2:8009 in the picture; http until AJP is spoken.\n",
    );
    text.push_str("<Proxy balancer://javaapps>\n");
    members(&mut text, Role::Serv);
    text.push_str("    ProxySet lbmethod=byrequests\n</Proxy>\n");
    text.push_str(TAIL);
    text
}

fn members(text: &mut String, role: Role) {
    for Part {
        name, parameters, ..
    } in CAST.iter().filter(|part| part.role == role)
    {
        let url = format!("http://${{{name}}}");
        let parameters = parameters.unwrap_or_default();
        append(
            text,
            format_args!("    BalancerMember {url:<18} {parameters} route={name}\n"),
        );
    }
}

fn append(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("writing to a String cannot fail");
}

const HEAD: &str = r#"# What `tine --demo` serves; made for this run, removed at its end.
ServerRoot        "@here@"
DefaultRuntimeDir "@here@"
PidFile           "@here@/tine.pid"
ScoreBoardFile    "@here@/scoreboard"
Listen            @address@
ServerName        @address@

LoadModule mpm_prefork_module modules/mod_mpm_prefork.so
StartServers        3
MinSpareServers     2
MaxSpareServers     5
MaxRequestWorkers  64
ServerLimit        64

ErrorLog  "@here@/error_log"
LogLevel  warn proxy:debug proxy_balancer:debug
LogFormat "%h %l %u %t \"%r\" %>s %b" common
CustomLog "@here@/access_log" common
"#;

const TAIL: &str = r"
ProxyPass /server-status    !
ProxyPass /balancer-manager !
ProxyPass /apps/   balancer://foo/
ProxyPass /serv/   balancer://javaapps/
ProxyPass /images/ http://${images}/
ProxyPass /        http://${start}/

ProxyPassReverse /apps    balancer://foo
ProxyPassReverse /serv    balancer://javaapps
ProxyPassReverse /images/ http://${images}/

<Location /server-status>
    SetHandler server-status
    Require local
</Location>
<Location /balancer-manager>
    SetHandler balancer-manager
    Require local
</Location>
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Options, load, render};
    use std::os::unix::fs::PermissionsExt;

    fn written(as_root: bool) -> String {
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let addresses: Vec<_> = (8001..8008).map(address).collect();
        text(address(8080), &addresses, as_root)
    }

    #[test]
    fn the_configuration_is_one() {
        for as_root in [false, true] {
            let parent = tempfile::tempdir().expect("a directory");
            let place = Place::make_in(parent.path(), &written(as_root)).expect("a directory");
            let options = Options {
                file: place.configuration(),
                server_root: None,
                defines: Vec::new(),
                before: Vec::new(),
                after: Vec::new(),
                env: &|_| None,
            };
            let config = load(&options).unwrap_or_else(|errors| panic!("{}", render(&errors)));
            assert_eq!(render(&config.notes), "");
            assert_eq!(config.user.is_set(), as_root);
            assert_eq!(config.paths.scoreboard_file, place.scoreboard());
            assert_eq!(config.paths.pid_file, place.pid_file());
            let balancers = config.main.proxy.balancers.iter();
            let sizes: Vec<_> = balancers.map(|balancer| balancer.members.len()).collect();
            assert_eq!(sizes, [3, 2]);
        }
    }

    #[test]
    fn the_picture_is_recognisable() {
        let text = written(false);
        for line in [
            "    BalancerMember http://${php1}     loadfactor=1 route=php1",
            "    BalancerMember http://${phpbkup}  loadfactor=4 status=+h route=phpbkup",
            "    ProxySet lbmethod=bytraffic",
            "Define php1     127.0.0.1:8001",
            "ProxyPass /apps/   balancer://foo/",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_directory_is_private_and_ends_with_its_owner() {
        let parent = tempfile::tempdir().expect("a directory");
        let place = Place::make_in(parent.path(), "ServerRoot @here@").expect("a directory");
        let directory = place.directory();
        let mode = fs::metadata(&directory)
            .expect("it exists")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        let text = fs::read_to_string(place.configuration()).expect("written");
        assert_eq!(text, format!("ServerRoot {}", directory.display()));
        let copy = Place {
            directory: Some(directory.clone()),
        };
        copy.forget();
        assert!(directory.exists());
        drop(place);
        assert!(!directory.exists());
    }
}
