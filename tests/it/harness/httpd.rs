//! Apache httpd as a stand-in for tine, to check the tests' own expectations.
//!
//! Responsible for: which program the tests run, and the `LoadModule` lines httpd needs for what tine has built in. Not responsible for
//! comparing the two in detail: `scripts/against-httpd` does that.

use super::Shape;
use std::path::Path;

/// The server under test: tine as it was just built, or the program that `TINE_IT_SERVER` names.
pub(crate) fn program() -> String {
    std::env::var("TINE_IT_SERVER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tine").to_owned())
}

/// Whether the server under test is not tine.
pub(crate) fn is_peer() -> bool {
    std::env::var_os("TINE_IT_SERVER").is_some()
}

/// The `LoadModule` lines for this shape.
pub(crate) fn modules(shape: Shape) -> String {
    let mpm = shape.name();
    let mut lines = format!(
        "LoadModule mpm_{mpm}_module {}\n",
        file(&format!("mpm_{mpm}"))
    );
    if is_peer() {
        for name in NEEDED {
            lines.push_str(&format!("LoadModule {name}_module {}\n", file(name)));
        }
    }
    lines
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
const NEEDED: [&str; 13] = [
    "authz_core",
    "authz_host",
    "access_compat",
    "slotmem_shm",
    "proxy",
    "proxy_http",
    "proxy_ajp",
    "proxy_balancer",
    "lbmethod_byrequests",
    "lbmethod_bytraffic",
    "lbmethod_bybusyness",
    "status",
    "reqtimeout",
];
