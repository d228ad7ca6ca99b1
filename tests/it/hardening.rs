//! The defects that mod_proxy and its neighbours have had, one test for each, named after it; and what bounds a peer's appetite.
//!
//! Responsible for: attacks as an attacker would run them, against a real server. `limits` has what directives bound, `greedy` what
//! nothing but our own sense bounds.
//!
//! Know first: these wait for a codec or a module that is not here, and get their test with it.
//! - AJP: CVE-2022-26377, CVE-2022-36760, an AJP port that anybody may reach
//! - FastCGI and CGI variables: CVE-2014-3583, CVE-2016-5387 (`Proxy` as HTTP_PROXY)
//! - uwsgi: CVE-2020-11984, CVE-2021-36160
//! - FTP: CVE-2009-3094, CVE-2009-3095, CVE-2012-3499, CVE-2020-1934, data connections to third hosts
//! - HTTP/2: CVE-2021-33193, CVE-2024-27316, CVE-2024-36387
//! - mod_rewrite: CVE-2024-38474, CVE-2024-38475, CVE-2024-39573
//! - editing in balancer-manager: CVE-2007-6420, CVE-2007-6421, CVE-2007-6422
//!
//! Shared memory that a child may have overwritten (CVE-2019-0211, CVE-2012-0031, CVE-2014-0226) is the crate `scoreboard`'s: its tests
//! read segments full of noise.

mod cves;
mod greedy;
mod limits;
mod timeouts;
