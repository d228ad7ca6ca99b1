//! The page for people.

use scoreboard::MemberView;

use super::super::fleet::{self, Group};
use super::super::page::{Cell, Column, Page, Table, Tone};
use super::super::units::{age, size4};
use super::View;

pub(super) fn render(view: &View<'_>) -> String {
    let heading = format!("Load Balancer Manager for {}", view.host);
    let mut page = Page::new("Balancer Manager", heading);
    page.facts(&[
        ("Server Version", view.server.to_owned()),
        ("Server Built", view.built.to_owned()),
    ]);
    page.paragraph("This page only shows: editing is not available in this version.");
    if view.groups.is_empty() {
        page.paragraph("This server has no such balancer.");
    }
    for group in &view.groups {
        balancer(&mut page, view, group);
    }
    if !view.groups.is_empty() {
        page.key("What the columns mean", &MEMBER_COLUMNS);
    }
    page.finish()
}

fn balancer(page: &mut Page, view: &View<'_>, group: &Group<'_>) {
    let shared = group.balancer;
    let used = group.members.len();
    let room = used + shared.growth as usize;
    let sticky = group.sticky().map_or_else(
        || "(None)".to_owned(),
        |(cookie, parameter)| {
            if cookie == parameter {
                cookie.to_owned()
            } else {
                format!("{cookie} | {parameter}")
            }
        },
    );
    let is_active = group.is_active();
    let path = group
        .config
        .and_then(|config| config.path.as_deref())
        .unwrap_or("/");
    let row = vec![
        Cell::new(format_args!("{room} [{used} Used]")),
        Cell::new(sticky),
        Cell::new(on_off(group.is_failover_off())),
        Cell::new(shared.timeout_ms / 1000),
        Cell::new(shared.max_attempts),
        Cell::new(&shared.lbmethod),
        Cell::new(path),
        if is_active {
            Cell::new("Yes")
        } else {
            Cell::toned("No", Tone::Warn)
        },
    ];
    page.heading(format_args!("LoadBalancer Status for {}", shared.name));
    let columns = &BALANCER_COLUMNS;
    page.table(&Table {
        caption: "Balancer",
        columns,
        rows: vec![row],
        sums: Vec::new(),
    });
    let rows = group
        .members
        .iter()
        .map(|member| member_row(view, group, member))
        .collect();
    let columns = &MEMBER_COLUMNS;
    page.table(&Table {
        caption: "Members",
        columns,
        rows,
        sums: Vec::new(),
    });
}

fn member_row(view: &View<'_>, group: &Group<'_>, member: &MemberView) -> Vec<Cell> {
    let socket = group
        .configured(member)
        .and_then(|member| member.url.unix_socket.as_ref());
    let url = fleet::shown_url(member);
    let url = match socket {
        Some(path) => format!("unix:{}|{url}", path.display()),
        None => url,
    };
    vec![
        Cell::new(url),
        Cell::new(&member.route),
        Cell::new(&member.redirect),
        Cell::new(fleet::factor(member)),
        Cell::new(member.lbset),
        Cell::toned(member.status.names().trim_end(), fleet::tone(member.status)),
        Cell::new(member.elected),
        Cell::new(member.busy),
        Cell::new(member.lbstatus),
        Cell::new(size4(member.transferred)),
        Cell::new(size4(member.read)),
        Cell::new(why(view, member)),
    ]
}

/// Why a member that cannot be used cannot, and since when.
fn why(view: &View<'_>, member: &MemberView) -> String {
    if member.reason.is_empty() || member.status.usable() {
        return String::new();
    }
    let since_s = view.now_ms.saturating_sub(member.reason_since_ms) / 1000;
    format!("{} ({} ago)", member.reason, age(since_s))
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "On" } else { "Off" }
}

const BALANCER_COLUMNS: [Column; 8] = [
    Column::words("MaxMembers", ""),
    Column::words("StickySession", ""),
    Column::words("DisableFailover", ""),
    Column::numbers("Timeout", ""),
    Column::numbers("FailoverAttempts", ""),
    Column::words("Method", ""),
    Column::words("Path", ""),
    Column::words("Active", ""),
];

const MEMBER_COLUMNS: [Column; 12] = [
    Column::words("Worker URL", "Where the member's requests go"),
    Column::words("Route", "Route that sticky sessions name"),
    Column::words(
        "RouteRedir",
        "Route to use instead when this member is unusable",
    ),
    Column::numbers("Factor", "Share of the load"),
    Column::numbers("Set", "Lower sets are used first"),
    Column::words(
        "Status",
        "Init Ok: in use. Err: failed, tried again later. Dis, Stop: by an operator. Drn: only for its own sessions. Stby, Spar: in reserve. HcFl: fails its checks",
    ),
    Column::numbers("Elected", "Times it was chosen"),
    Column::numbers("Busy", "Requests there now"),
    Column::numbers(
        "Load",
        "The method's running number: the highest is chosen next",
    ),
    Column::numbers("To", "Content sent to it"),
    Column::numbers("From", "Content read from it"),
    Column::texts("Reason", "Why it is unusable, and for how long it has been"),
];
