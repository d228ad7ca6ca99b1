//! What is written about an exchange: its log line, its failure, and the fields every answer of ours carries.
//!
//! Everything here reuses buffers of the loop; a warm exchange allocates nothing.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::http::date::DateCache;
use crate::http::{FieldId, RequestHead, ResponseHead, Status};
use crate::log::{
    Ending, Environment, Level, Line, LogBuffer, Module, Record, Stamp, Tag, Variables, Zone,
};
use crate::request::{Ask, Failure, Peers, Site};

use super::client::Client;
use super::exchange::Exchange;
use super::gear::Gear;

/// One loop's writing desk.
pub struct Books {
    lines: LogBuffer,
    /// A request line being put together.
    line: Vec<u8>,
    /// The client's address as text, and whose it is.
    client: (Option<IpAddr>, String),
    date: DateCache,
    notes: Environment,
    thread: u32,
}

impl Books {
    /// An empty desk for loop `thread` of its child.
    pub fn new(thread: u32) -> Self {
        Self {
            lines: LogBuffer::new(Zone::system()),
            line: Vec::new(),
            client: (None, String::new()),
            date: DateCache::default(),
            notes: Environment::new(),
            thread,
        }
    }

    /// A client's address as the scoreboard shows it. Neighbouring requests often come from one client.
    pub fn client_text(&mut self, peers: &Peers) -> &[u8] {
        let ip = peers.client.ip();
        if self.client.0 != Some(ip) {
            self.client.0 = Some(ip);
            self.client.1.clear();
            write!(self.client.1, "{ip}").expect("a string takes all text");
        }
        self.client.1.as_bytes()
    }

    /// The request line and the virtual host as the scoreboard shows them.
    pub fn scoreboard_texts<'a>(
        &'a mut self,
        head: &RequestHead,
        site: Option<&'a Site>,
    ) -> (&'a [u8], &'a [u8]) {
        self.put_request_line(head);
        (
            &self.line,
            site.map_or(&[], |site| site.vhost_text.as_bytes()),
        )
    }

    /// The request line as it came: a valid one has exactly these pieces.
    fn put_request_line(&mut self, head: &RequestHead) {
        self.line.clear();
        for piece in [
            head.method.as_str().as_bytes(),
            b" ",
            head.target.raw(),
            b" ",
            head.version.as_str().as_bytes(),
        ] {
            self.line.extend_from_slice(piece);
        }
    }

    /// Adds `Date` and `Server` to a response that lacks them (RFC 9110 §6.6.1; httpd keeps a backend's own).
    pub fn stamp(&mut self, head: &mut ResponseHead, site: Option<&Site>, now_us: u64) {
        if !head.fields.has(FieldId::Date) {
            head.fields
                .push_id(FieldId::Date, self.date.at(now_us / 1_000_000));
        }
        if let Some(site) = site
            && !head.fields.has(FieldId::Server)
        {
            head.fields
                .push_id(FieldId::Server, site.server_field.as_bytes());
        }
    }

    /// Writes the access log of a finished exchange.
    pub fn close(&mut self, cell: &Exchange, client: &Client, gear: &Gear, keeps: bool) {
        let head = cell.first_head().unwrap_or(&gear.blank);
        let site = cell
            .route
            .site
            .unwrap_or_else(|| gear.env.site_at(client.peers.local));
        if site.access_logs.is_empty() {
            return;
        }
        if cell.first_head().is_some() {
            self.put_request_line(head);
        } else {
            self.line.clear();
            self.line.extend_from_slice(&cell.bad_line);
        }
        let began = cell.count.began_us;
        let (status, original) = statuses(cell);
        self.notes.clear();
        for (name, value) in cell.margin.notes.iter() {
            self.notes.set(&String::from_utf8_lossy(name), value);
        }
        if let Some(code) = cell.backend_status {
            self.notes.set("proxy-status", code.to_string().as_bytes());
        }
        let record = Record {
            request: head,
            request_line: &self.line,
            response: cell.reply.as_deref(),
            request_trailers: None,
            response_trailers: None,
            status,
            original_status: original,
            client: client.peers.client,
            peer: client.peers.client,
            local: client.peers.local,
            client_name: None,
            server_name: &site.name,
            canonical_name: head
                .fields
                .get(FieldId::Host)
                .unwrap_or(site.name.as_bytes()),
            server_port: site.port.unwrap_or(80),
            user: None,
            handler: cell.route.handler.map(|handler| handler.name()),
            filename: [&cell.route.claim.url, &cell.route.place.file]
                .into_iter()
                .find(|name| !name.is_empty())
                .map(Vec::as_slice),
            path: &cell.route.path,
            original_path: cell
                .detour
                .as_deref()
                .map_or(&cell.route.path, |detour| &detour.path),
            query: cell.head.as_deref().and_then(|head| head.target.query()),
            began_us: began,
            duration_us: gear.now_us.saturating_sub(began),
            first_byte_us: (cell.count.first_byte_us > 0)
                .then(|| cell.count.first_byte_us.saturating_sub(began)),
            // What goes through a tunnel is no content; `%I` and `%O` have it, as in httpd.
            content_out: match cell.is_tunnel {
                true => 0,
                false => cell.count.content_out,
            },
            bytes_in: cell.count.bytes_in,
            bytes_out: cell.count.bytes_out,
            keepalives: cell.count.keepalives,
            ending: match (cell.is_cut, keeps) {
                (true, _) => Ending::Aborted,
                (false, true) => Ending::KeptAlive,
                (false, false) => Ending::Closed,
            },
            env: Variables {
                attempt: &cell.plan.vars,
                request: &cell.route.vars,
            },
            notes: &self.notes,
            pid: gear.me.pid,
            tid: u64::from(self.thread),
            log_id: None,
            connection_log_id: None,
            trace: &cell.trace,
        };
        for log in &site.access_logs {
            log.append(&record, &mut self.lines);
        }
    }

    /// Writes what went wrong into the error log of the site.
    pub fn log_failure(&self, ask: &Ask<'_>, cell: &Exchange, failure: &Failure) {
        failure.log(ask, &cell.plan);
    }

    /// Writes a broken assumption of ours into the main error log.
    pub fn log_panic(&self, gear: &Gear, words: &str) {
        let Some(log) = gear.env.main().error_log else {
            return;
        };
        let message = format_args!(
            "an exchange was given up because of a defect in this server ({words}); the child ends when its other \
             exchanges have ended"
        );
        let stamp = Stamp {
            now_us: gear.now_us,
            pid: gear.me.pid,
            tid: gear.me.tid,
        };
        log.write(
            &stamp,
            &Line::new(Module::Core, Level::Crit, Tag::Tn(407), &message),
        );
    }

    /// Writes out the turn's log lines.
    pub fn flush(&mut self) {
        if !self.lines.is_empty() {
            self.lines.flush();
        }
    }
}

/// The last and the original status of an exchange, as the log has them; 0 if there was none. An error document that
/// fails has a status of its own, whatever the client was told.
fn statuses(cell: &Exchange) -> (u16, u16) {
    let status = cell.status.map_or(0, Status::as_u16);
    match &cell.detour {
        Some(detour) => (
            detour.failed.map_or(status, Status::as_u16),
            detour.first.as_u16(),
        ),
        None => (status, cell.backend_status.map_or(status, Status::as_u16)),
    }
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Books")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}
