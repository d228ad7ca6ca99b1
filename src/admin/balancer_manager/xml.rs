//! `?xml=1`: the page for programs, element by element in httpd's order.
//!
//! Know first: parameters in brackets in httpd's documentation are written only when they were set. Times given in milliseconds are
//! written whole; httpd writes their remainder of a second. The nonce is left out: nothing here accepts it, and it is a secret.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use scoreboard::{BalancerFlags, MemberView};

use super::super::fleet::{self, Group};
use super::super::page::escaped;
use super::super::units::http_date;
use super::View;
use crate::config::model::{FlushPackets, MemberParams, WorkerUrl};

pub(super) fn render(view: &View<'_>) -> String {
    let mut xml = Xml {
        text: String::with_capacity(4096),
        depth: 0,
    };
    xml.text
        .push_str("<?xml version='1.0' encoding='UTF-8' ?>\n");
    xml.text
        .push_str("<httpd:manager xmlns:httpd='http://httpd.apache.org'>\n");
    xml.depth = 1;
    xml.within("balancers", |xml| {
        for group in &view.groups {
            xml.within("balancer", |xml| balancer(xml, group));
        }
    });
    xml.text.push_str("</httpd:manager>\n");
    xml.text
}

fn balancer(xml: &mut Xml, group: &Group<'_>) {
    let shared = group.balancer;
    let sticky = group.sticky();
    xml.leaf("name", &shared.name);
    if let Some((cookie, parameter)) = sticky {
        if cookie == parameter {
            xml.leaf("stickysession", cookie);
        } else {
            xml.leaf("stickysession", format_args!("{cookie} | {parameter}"));
        }
        xml.leaf("nofailover", on_off(group.is_failover_off()));
    }
    xml.leaf("timeout", shared.timeout_ms / 1000);
    xml.leaf("maxattempts", shared.max_attempts);
    xml.leaf("lbmethod", &shared.lbmethod);
    if sticky.is_some() {
        xml.leaf(
            "scolonpathdelim",
            on_off(shared.flags.contains(BalancerFlags::SEMICOLON)),
        );
    }
    xml.within("workers", |xml| {
        for member in &group.members {
            xml.within("worker", |xml| worker(xml, group, member));
        }
    });
}

fn worker(xml: &mut Xml, group: &Group<'_>, member: &MemberView) {
    let added = MemberParams::default();
    let configured = group.configured(member);
    let params = configured.map_or(&added, |member| &member.params);
    let parsed = WorkerUrl::parse(&member.url).ok();
    let url = configured.map(|member| &member.url).or(parsed.as_ref());
    xml.leaf("name", fleet::shown_url(member));
    xml.leaf("scheme", url.map_or("", |url| &url.scheme));
    xml.leaf("hostname", url.map_or("", |url| &url.host));
    xml.leaf("loadfactor", fleet::factor(member));
    xml.leaf(
        "port",
        url.and_then(WorkerUrl::port_or_default).unwrap_or(0),
    );
    pool(xml, params);
    xml.leaf("status", member.status.names());
    if member.error_time_ms > 0 {
        xml.leaf("error_time", http_date(member.error_time_ms));
    }
    xml.leaf("retries", member.retries);
    xml.leaf("lbstatus", member.lbstatus);
    // httpd writes it a second time, and somebody's expression may count elements.
    xml.leaf("loadfactor", fleet::factor(member));
    xml.leaf("transferred", member.transferred);
    xml.leaf("read", member.read);
    xml.leaf("elected", member.elected);
    xml.leaf("route", &member.route);
    xml.leaf("redirect", &member.redirect);
    xml.leaf("busy", member.busy);
    xml.leaf("lbset", member.lbset);
    if url.is_some_and(|url| url.scheme == "ajp") {
        ajp(xml, params);
    }
    if let Some(reuse) = params.reuse.get() {
        xml.leaf("disablereuse", on_off(!reuse));
    }
    xml.set("connectiontimeout", params.connection_timeout_ms.get());
    if params.retry_s.is_set() {
        xml.leaf("retry", Duration::from_millis(member.retry_ms).as_secs());
    }
}

fn pool(xml: &mut Xml, params: &MemberParams) {
    xml.leaf("min", params.min.or(0));
    xml.leaf("smax", params.smax.or(0));
    xml.leaf("max", params.max.or(0));
    xml.leaf("ttl", params.ttl_s.or(0));
    xml.set("timeout", params.timeout_s.get());
    xml.set("acquire", params.acquire_ms.get());
    xml.set("recv_buffer_size", params.receive_buffer_bytes.get());
    xml.set("io_buffer_size", params.io_buffer_bytes.get());
    xml.set(
        "keepalive",
        params
            .tcp_keepalive
            .get()
            .map(|&is_on| on_off(is_on))
            .as_ref(),
    );
}

fn ajp(xml: &mut Xml, params: &MemberParams) {
    let flush = params.flush_packets.or(FlushPackets::Off);
    xml.leaf(
        "flushpackets",
        match flush {
            FlushPackets::Off => "Off",
            FlushPackets::On => "On",
            FlushPackets::Auto => "Auto",
        },
    );
    if flush == FlushPackets::Auto {
        xml.leaf("flushwait", u64::from(params.flush_wait_ms.or(10)) * 1000);
    }
    xml.set("ping", params.ping_ms.get());
}

const fn on_off(is_on: bool) -> &'static str {
    if is_on { "On" } else { "Off" }
}

struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    fn within(&mut self, name: &'static str, content: impl FnOnce(&mut Self)) {
        let indent = self.depth * 2;
        writeln!(self.text, "{:indent$}<httpd:{name}>", "").expect(INFALLIBLE);
        self.depth += 1;
        content(self);
        self.depth -= 1;
        writeln!(self.text, "{:indent$}</httpd:{name}>", "").expect(INFALLIBLE);
    }

    fn leaf(&mut self, name: &'static str, value: impl Display) {
        let (indent, value) = (self.depth * 2, escaped(value));
        writeln!(
            self.text,
            "{:indent$}<httpd:{name}>{value}</httpd:{name}>",
            ""
        )
        .expect(INFALLIBLE);
    }

    /// An element for a parameter that was set.
    fn set(&mut self, name: &'static str, value: Option<&impl Display>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }
}

const INFALLIBLE: &str = "writing to a string cannot fail";
