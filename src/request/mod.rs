//! From a request's head to a verdict.
//!
//! Responsible for: what tine decides about a request before and after a handler does: which server, path and
//! sections it belongs to ([`locate`]), who may have it, which handler decides ([`Handler`]), and what a client is
//! told when nobody else answers ([`Answer`], [`Failure`]). Not responsible for: sockets, time and retries
//! (`engine`), what handlers decide (`proxy`, `admin`), or bytes (`codec`).
//!
//! Know first: decisions are values. A [`Handler`] sees an [`Ask`], which borrows everything, and returns a
//! [`Verdict`]; with [`Verdict::Forward`] it has filled a [`Plan`], which the engine carries out. Everything that
//! does not change while a child lives is in [`Env`], leaked once, so `&'static` is borrowed freely.
//!
//! Reading order: [`ask`], [`verdict`], [`route`] with [`vhost`], [`dir`], [`vars`] and [`access`]; [`answer`], [`errordoc`],
//! [`failure`]; [`mod@env`], [`site`]; [`pattern`] and [`glob`] when a match surprises.

pub mod access;
mod admit;
pub mod again;
pub mod answer;
pub mod ask;
pub mod backend;
mod dialect;
pub mod dir;
pub mod env;
pub mod errordoc;
pub mod failure;
pub mod files;
pub mod forwardable;
pub mod glob;
pub mod headers;
mod open_proxy;
pub mod pages;
pub mod pattern;
pub mod route;
pub mod site;
pub mod template;
pub mod vars;
pub mod verdict;
pub mod vhost;

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use again::Again;
pub use answer::Answer;
pub use ask::{Ask, Peers};
pub use backend::{Address, Backend, PlannedAddress, PoolRules};
pub use dir::{Dir, DirCache};
pub use env::{Env, Me};
pub use errordoc::Detour;
pub use failure::{Failure, FailureKind, Outcome, Sent, Side};
pub use forwardable::max_forwards;
pub use headers::{Facts, HeaderRules, Headers, Margin, Moment, Reply, SiteHeaders, Spoilt};
pub use pattern::{Case, Groups, Pattern};
pub use route::{NOWHERE, Route, locate};
pub use site::{ReadRule, Site};
pub use template::Template;
pub use verdict::{
    Claim, ContentRules, Exemption, Handler, Interim, Milestone, Plan, Ticket, Verdict,
};
pub use vhost::Vhosts;
