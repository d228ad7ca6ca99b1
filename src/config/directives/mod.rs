//! The table of directives, one file per part of httpd.
//!
//! Each file holds its entries as one slice, then the functions they name. `TABLES` puts the slices together; the order is that of `-L`.

pub(super) mod access;
pub(super) mod balancer;
mod core;
mod files;
mod forward;
mod headers;
pub(super) mod hosts;
mod log;
mod mpm;
mod params;
mod pass;
pub(super) mod proxy;
mod reading;
mod reqtimeout;
mod requests;
mod status;
pub(super) mod unsupported;
mod vars;
mod workers;

use super::directive::Directive;

/// Every slice of entries.
pub(super) static TABLES: &[&[Directive]] = &[
    hosts::TABLE,
    core::TABLE,
    files::TABLE,
    reading::TABLE,
    requests::TABLE,
    mpm::TABLE,
    log::TABLE,
    access::TABLE,
    vars::TABLE,
    headers::TABLE,
    reqtimeout::TABLE,
    status::TABLE,
    pass::TABLE,
    proxy::TABLE,
    forward::TABLE,
    balancer::TABLE,
    unsupported::TABLE,
];
