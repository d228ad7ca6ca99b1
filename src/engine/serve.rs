//! *Serve*: a file is what the client gets.
//!
//! Responsible for: opening it, choosing the file that stands for a directory, and sending it piece by piece, each only
//! while the client has room. Not responsible for: which file, who may have it, and what is said about it
//! (`request::route`, `request::files`).
//!
//! Know first: a regular file's bytes are there or the disk gets them; reading them cannot be waited for by events, so a
//! turn reads little of each. A file that is cut short while it is sent ends the connection, because its length was
//! announced.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use crate::buf::Outlet;
use crate::http::{ContentSize, Method, Part, RequestHead, Status};
use crate::log::{Level, Module, Raw, Tag};
use crate::request::files::{self, FileFacts, FileReply, Trouble};
use crate::request::{Again, Answer, Ask, Detour, Failure, Route, Verdict, route};
use crate::sys::regular::{self, Found};

use super::asks::{ask, moment};
use super::client::Client;
use super::core::Core;
use super::exchange::{Exchange, Half, Phase};
use super::gear::Gear;
use super::pump;
use super::relay::push_own_head;
use super::slab::Key;
use super::work::Step;

/// A file of which the client has the beginning.
#[derive(Debug)]
pub struct Sending {
    file: File,
    left: u64,
}

/// So much is read at once.
const PIECE: usize = 16 * 1024;

/// So many pieces are read in one turn.
const PIECES: usize = 8;

impl Core {
    /// *Serve*: from the name of a file to its last byte.
    pub(super) fn serve(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        if cell.sending.is_some() {
            return self.send(key, exchange);
        }
        let asking = ask(cell, client, gear);
        let (directory, rest) = asking.route.place.split();
        let found = regular::open(directory, rest, files::follows_links(&asking));
        let answer = match found {
            Ok(Found::File {
                file,
                size,
                modified_us,
            }) => {
                let facts = FileFacts { size, modified_us };
                return self.begin_file(key, exchange, file, facts);
            }
            Ok(Found::Directory) if asking.route.path.ends_with(b"/") => {
                match index(cell, client, gear) {
                    Ok(step) => return Ok(step),
                    Err(answer) => answer,
                }
            }
            Ok(Found::Directory) => files::add_slash(&asking),
            Ok(Found::Other) => files::refuse_kind(&asking),
            Err(trouble) => files::refuse(&asking, reason(trouble)),
        };
        Ok(self.obey(exchange, Verdict::Answer(answer)))
    }

    /// Says what is said about an open file, and begins to send it.
    fn begin_file(
        &mut self,
        key: Key,
        exchange: Key,
        mut file: File,
        facts: FileFacts,
    ) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            books,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        let error = cell.detour.as_deref().map(Detour::status);
        // After an overridden error the document is no error's any more.
        let error = error.filter(|status| *status != Status::OK);
        let asking = ask(cell, client, gear);
        let (answer, size) = match files::reply(&asking, &facts, error) {
            FileReply::Bare(answer) => return Ok(self.obey(exchange, Verdict::Answer(answer))),
            FileReply::File { head, from, size } => match file.seek(SeekFrom::Start(from)) {
                Ok(_) => (head, size),
                Err(error) => {
                    let trouble = Trouble::Other(error.raw_os_error().unwrap_or_default());
                    let answer = files::refuse(&asking, trouble);
                    return Ok(self.obey(exchange, Verdict::Answer(answer)));
                }
            },
        };
        super::detour::drain_arrived(cell, client, gear);
        let mut head = gear.responses.take();
        head.set_status(answer.status);
        head.content = ContentSize::Length(size);
        for (_, name, value) in answer.fields.iter() {
            head.fields.push(name, value);
        }
        if let Some(detour) = cell.detour.as_deref() {
            detour.dress(&mut head.fields);
        }
        let is_head = cell
            .head
            .as_deref()
            .is_some_and(|head| head.method == Method::Head);
        let left = if is_head { 0 } else { size };
        cell.sending = Some(Sending { file, left });
        if push_own_head(cell, client, gear, books, answer.header_rules, head).is_err() {
            return Ok(cut_short(cell, gear));
        }
        Ok(Step::Again)
    }

    /// Sends on while the client has room.
    fn send(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            again,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        let Some(mut sending) = cell.sending.take() else {
            return Ok(Step::Wait);
        };
        let mut piece = [0; PIECE];
        for _ in 0..PIECES {
            if sending.left == 0 {
                return Ok(end(cell, client, gear));
            }
            if client.codec.room(cell.stream, &client.output) == 0 {
                pump::flush_client(client, gear)?;
            }
            let room = client.codec.room(cell.stream, &client.output).min(PIECE);
            if room == 0 {
                cell.sending = Some(sending);
                return Ok(Step::Wait);
            }
            let wanted = usize::try_from(sending.left).unwrap_or(room).min(room);
            let read = piece
                .get_mut(..wanted)
                .map_or(Ok(0), |piece| sending.file.read(piece));
            let bytes = match read {
                Ok(count) if count > 0 => piece.get(..count).unwrap_or_default(),
                Ok(_) => return Ok(lose(cell, client, gear, "it became shorter")),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(lose(cell, client, gear, &error.to_string())),
            };
            sending.left -= bytes.len() as u64;
            cell.count.content_out += bytes.len() as u64;
            if push(cell, client, gear, &Part::Data(bytes)).is_err() {
                return Ok(cut_short(cell, gear));
            }
        }
        cell.sending = Some(sending);
        again.push_back(key);
        Ok(Step::Wait)
    }
}

fn push(
    cell: &mut Exchange,
    client: &mut Client,
    gear: &mut Gear,
    part: &Part<'_, crate::http::Response>,
) -> Result<(), Failure> {
    let queued = client.output.len();
    let mut outlet = Outlet {
        output: &mut client.output,
        blocks: &mut gear.blocks,
    };
    let pushed = pump::push_client(client.codec.as_mut(), cell, part, &mut outlet);
    cell.count.bytes_out += (client.output.len() - queued) as u64;
    pushed
}

fn end(cell: &mut Exchange, client: &mut Client, gear: &mut Gear) -> Step {
    cell.is_cut |= push(cell, client, gear, &Part::End).is_err();
    cell.response = Half::Done;
    cell.enter(Phase::Finish, gear.now_ms);
    Step::Again
}

/// The rest of the file is not to be had.
fn lose(cell: &mut Exchange, client: &Client, gear: &Gear, why: &str) -> Step {
    let asking = ask(cell, client, gear);
    asking.log_tagged(
        Module::Core,
        Level::Error,
        Tag::Tn(335),
        format_args!(
            "{} was not sent to its end: {why}; closing the connection",
            Raw(&asking.route.place.file)
        ),
    );
    cut_short(cell, gear)
}

fn cut_short(cell: &mut Exchange, gear: &Gear) -> Step {
    cell.is_cut = true;
    cell.enter(Phase::Finish, gear.now_ms);
    Step::Again
}

const fn reason(trouble: regular::Trouble) -> Trouble {
    match trouble {
        regular::Trouble::Missing => Trouble::Missing,
        regular::Trouble::Link => Trouble::Link,
        regular::Trouble::Denied(error) => Trouble::Denied(error),
        regular::Trouble::TooLong => Trouble::TooLong,
        regular::Trouble::Other(error) => Trouble::Other(error),
    }
}

/// Turns the request for a directory into one for the file that stands for it. Each name is located like any request, so
/// that a backend may have it and sections may refuse it; what refuses one with anything but 404 refuses the directory
/// when no other name is there.
fn index(cell: &mut Exchange, client: &Client, gear: &mut Gear) -> Result<Step, Box<Answer>> {
    let asking = ask(cell, client, gear);
    let (site, vars) = (asking.site(), asking.route.vars.clone());
    let mut refusal = None;
    for target in files::index_targets(&asking) {
        let mut head = gear.requests.take();
        if let Some(asked) = cell.head.as_deref() {
            head.copy_from(asked);
        }
        let again = Again::of(&cell.route, site, vars.clone());
        let found = match head.target.assign(&target, false) {
            Ok(()) => look_up(cell, &head, again, client, gear),
            Err(_) => Ok(false),
        };
        match found {
            Ok(true) => {
                cell.route.again = Some(Again::of(&cell.route, site, vars));
                cell.replace_head(head, gear);
                cell.enter(Phase::Route, gear.now_ms);
                return Ok(Step::Again);
            }
            Ok(false) => {}
            Err(answer) => refusal = refusal.or(Some(answer)),
        }
        gear.requests.put(head);
    }
    Err(refusal.unwrap_or_else(|| files::refuse_directory(&ask(cell, client, gear))))
}

/// Whether a request would be answered by a backend or with a file.
fn look_up(
    cell: &Exchange,
    head: &RequestHead,
    again: Box<Again>,
    client: &Client,
    gear: &mut Gear,
) -> Result<bool, Box<Answer>> {
    let moment = moment(cell, gear.now_us);
    // What is edited for the look is edited again when the request goes there.
    let mut head = head.clone();
    let Gear {
        env,
        me,
        cache,
        now_us,
        ..
    } = gear;
    let mut at = Route::default();
    at.again = Some(again);
    match route::locate(env, me, cache, &client.peers, &mut head, moment, &mut at) {
        Ok(()) if at.is_claimed => return Ok(true),
        Ok(()) => {}
        Err(answer) if answer.status == Status::NOT_FOUND => return Ok(false),
        Err(answer) => return Err(answer),
    }
    let asking = Ask {
        env,
        me,
        head: &head,
        route: &at,
        peers: &client.peers,
        content: None,
        slot: 0,
        keepalives: client.served,
        now_us: *now_us,
    };
    let (directory, rest) = at.place.split();
    match regular::open(directory, rest, files::follows_links(&asking)) {
        Ok(Found::File { .. }) => Ok(true),
        Ok(Found::Directory | Found::Other) | Err(regular::Trouble::Missing) => Ok(false),
        Err(trouble) => Err(files::refuse(&asking, reason(trouble))),
    }
}
