//! Apache httpd as a stand-in for tine, to check the tests' own expectations.
//!
//! Responsible for: which program the tests run, and the `LoadModule` lines httpd needs for what tine has built in. Not responsible for
//! comparing the two in detail: `scripts/against-httpd` does that.

use super::Shape;
use std::path::Path;

/// A program that reads httpd's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// tine as it was just built.
    Tine,
    /// httpd, at this path.
    Httpd(String),
}

impl Program {
    /// The one the tests are about: tine, or what `TINE_IT_SERVER` names.
    pub(crate) fn under_test() -> Self {
        std::env::var("TINE_IT_SERVER").map_or(Self::Tine, Self::Httpd)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Tine => env!("CARGO_BIN_EXE_tine"),
            Self::Httpd(path) => path,
        }
    }

    /// The `LoadModule` lines it needs for this shape.
    pub(crate) fn modules(&self, shape: Shape) -> String {
        let mpm = format!("mpm_{}", shape.name());
        let more: &[&str] = match self {
            Self::Tine => &[],
            Self::Httpd(_) => &NEEDED,
        };
        let names = std::iter::once(mpm.as_str()).chain(more.iter().copied());
        let mut lines: String = names
            .map(|name| format!("LoadModule {name}_module {}\n", file(name)))
            .collect();
        if *self != Self::Tine {
            // mod_mime does not start without a list.
            let list = ["/etc/mime.types", "/dev/null"];
            let list = list.into_iter().find(|list| Path::new(list).exists());
            lines.extend(list.map(|list| format!("TypesConfig {list}\n")));
        }
        lines
    }
}

/// Whether the server under test is not tine.
pub(crate) fn is_peer() -> bool {
    Program::under_test() != Program::Tine
}

fn file(name: &str) -> String {
    let debian = format!("/usr/lib/apache2/modules/mod_{name}.so");
    if Path::new(&debian).exists() {
        debian
    } else {
        format!("modules/mod_{name}.so")
    }
}

/// What a proxy's configuration uses; order matters where one uses another.
const NEEDED: [&str; 23] = [
    "headers",
    "authz_core",
    "authz_host",
    "access_compat",
    "slotmem_shm",
    "proxy",
    "proxy_http",
    "proxy_connect",
    "proxy_ajp",
    "proxy_wstunnel",
    "proxy_balancer",
    "lbmethod_byrequests",
    "lbmethod_bytraffic",
    "lbmethod_bybusyness",
    "status",
    "reqtimeout",
    "env",
    "setenvif",
    "macro",
    "alias",
    "dir",
    "mime",
    "autoindex",
];
