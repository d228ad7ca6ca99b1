//! Phase *Prefetch*: content that is read before a backend is asked to take it, and kept for as long as it may be sent
//! again.
//!
//! Responsible for: how much is read ahead, what the backend is told of the size, where content waits, and the file
//! that takes what memory should not. Not responsible for sending (`pump`) nor for who may try again (`proxy::retry`).
//!
//! Know first: a connection is wanted only when there is something to send on it, so that a slow client holds no
//! backend, and a backend that keeps connections does not give one up while its request is still arriving. What is
//! read ahead stays in the block in which it was received ([`crate::buf::Input::kept`]): a short content costs neither a
//! copy nor an allocation. Only a backend that must be told the length of a content in chunks makes us read on; then
//! the first piece stays in memory and the rest goes to a file without a name, which the system removes whatever
//! becomes of us. Content that is streamed is not kept: from its first byte on there is no second attempt.
//!
//! mod_proxy_http's `ap_proxy_http_prefetch`, `ap_proxy_prefetch_input` and `ap_proxy_spool_input`; reference §6.1.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::buf::Outlet;
use crate::http::{ContentSize, Part};
use crate::request::{Failure, FailureKind, Side};

use super::backend::Upstream;
use super::client::Client;
use super::core::Core;
use super::exchange::{Exchange, Half, Phase};
use super::gear::Gear;
use super::pump::{self, Drawn};
use super::slab::Key;
use super::work::{Step, say_continue};

/// Reading ahead is over when so much of the content is here. httpd gives up 80 bytes before its 16 KiB, and whether
/// a content in chunks gets a length depends on that number.
const PREFETCH_FULL: usize = 16 * 1024 - 80;

/// One exchange reads at most so many bytes a turn into its file.
const BUDGET: usize = 256 * 1024;

/// The content that was read ahead. Its first piece is in the client's input.
#[derive(Debug, Default)]
pub struct Held {
    /// What the backend is told, once reading ahead is over.
    size: Option<ContentSize>,
    /// What did not fit memory.
    file: Option<File>,
    /// How much that is.
    file_bytes: u64,
    /// How much of everything the present backend was given.
    given: u64,
}

/// How reading ahead goes.
enum Read {
    /// The client has sent nothing more.
    Dry,
    /// The run used up its share of the turn.
    Paused,
    /// There is no more to read, or no more is wanted.
    Enough,
}

impl Held {
    /// Nothing is held, and nothing was read.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Everything is to be given again, to another backend.
    pub fn rewind(&mut self) {
        self.given = 0;
    }

    /// What the backend is told of the content's size; `None` before reading ahead is over.
    pub const fn size(&self) -> Option<ContentSize> {
        self.size
    }

    /// Adds to the file, which is made for the first bytes.
    fn write(&mut self, bytes: &[u8], directory: &Path) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(nameless_file(directory)?),
        };
        file.write_all(bytes)?;
        self.file_bytes += bytes.len() as u64;
        Ok(())
    }
}

impl Core {
    /// *Prefetch*: reads until the content ends, or there is enough of it.
    pub(super) fn prefetch(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
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
        let announced = cell
            .head
            .as_deref()
            .map_or(ContentSize::None, |h| h.content);
        let size_max = content_max(cell);
        if let ContentSize::Length(size) = announced
            && size > size_max
        {
            return Err(pump::too_large(size_max));
        }
        let is_waiting = !matches!(announced, ContentSize::None | ContentSize::Length(0));
        if is_waiting && !cell.plan.head.expects_continue {
            invite(cell, client, gear)?;
        }
        match read_ahead(cell, client, gear, announced)? {
            Read::Dry => return Ok(Step::Wait),
            Read::Paused => {
                again.push_back(key);
                return Ok(Step::Wait);
            }
            Read::Enough => {}
        }
        let held = memory(cell, client).len() as u64 + cell.held.file_bytes;
        cell.held.size = Some(match (cell.request, announced) {
            (Half::Done, ContentSize::None) if held == 0 => ContentSize::None,
            (Half::Done, _) => ContentSize::Length(held),
            (Half::Open, announced) => announced,
        });
        cell.pause_content(gear.now_ms);
        cell.enter(Phase::Dial, gear.now_ms);
        Ok(Step::Again)
    }
}

/// Takes what has come, and keeps it.
fn read_ahead(
    cell: &mut Exchange,
    client: &mut Client,
    gear: &mut Gear,
    announced: ContentSize,
) -> Result<Read, Failure> {
    let rules = cell.plan.content;
    let spools = rules.needs_length && announced == ContentSize::Unknown;
    let size_max = match cell.route.dir() {
        Some(dir) if spools => dir.limit_stored_bytes,
        Some(_) | None => content_max(cell),
    };
    let mut budget = BUDGET;
    while cell.request == Half::Open {
        let kept = client.input.kept().len();
        let is_full = kept >= PREFETCH_FULL;
        // Content with a length ends with its last byte; the end of chunks is one more piece.
        let is_all = announced == ContentSize::Length(kept as u64);
        if is_full && !spools && !is_all {
            return Ok(Read::Enough);
        }
        if budget == 0 {
            return Ok(Read::Paused);
        }
        match pump::draw(cell, client, gear, size_max)? {
            Drawn::Data(n) if is_full => {
                budget = budget.saturating_sub(n);
                let written = cell.held.write(client.input.taken(), &gear.spool);
                written.map_err(|error| unkept(&gear.spool, &error))?;
            }
            Drawn::Data(_) => client.input.keep_taken(),
            Drawn::End => {}
            Drawn::Dry if pump::fill_client(client, gear)? => {}
            Drawn::Dry if rules.dials_at_once && !spools => return Ok(Read::Enough),
            Drawn::Dry => {
                // Whoever was to be asked by the backend is asked by us, because we can't do without the content.
                invite(cell, client, gear)?;
                return Ok(Read::Dry);
            }
        }
    }
    Ok(Read::Enough)
}

/// Tells a client that waits with its content to go on, unless it was told (RFC 9110 §10.1.1).
pub(super) fn invite(
    cell: &mut Exchange,
    client: &mut Client,
    gear: &mut Gear,
) -> Result<(), Failure> {
    let expects = cell.head.as_deref().is_some_and(|h| h.expects_continue);
    if !expects || cell.has_said_continue || cell.request == Half::Done {
        return Ok(());
    }
    cell.has_said_continue = true;
    say_continue(cell, client, gear)
}

/// Sends the next piece of what is held; returns its size, 0 when everything was given.
pub(super) fn give(
    cell: &mut Exchange,
    client: &Client,
    upstream: &mut Upstream,
    gear: &mut Gear,
) -> Result<usize, Failure> {
    let kept = memory(cell, client);
    let given = usize::try_from(cell.held.given).unwrap_or(usize::MAX);
    let n = match kept.get(given..) {
        Some(piece) if !piece.is_empty() => {
            let mut outlet = Outlet {
                output: &mut upstream.output,
                blocks: &mut gear.blocks,
            };
            pump::push(
                upstream.codec.as_mut(),
                cell,
                &Part::Data(piece),
                &mut outlet,
            )?;
            piece.len()
        }
        _ => {
            let at = cell.held.given - kept.len() as u64;
            give_from_file(cell, at, upstream, gear)?
        }
    };
    cell.held.given += n as u64;
    Ok(n)
}

fn give_from_file(
    cell: &Exchange,
    at: u64,
    upstream: &mut Upstream,
    gear: &mut Gear,
) -> Result<usize, Failure> {
    let Some(file) = cell
        .held
        .file
        .as_ref()
        .filter(|_| at < cell.held.file_bytes)
    else {
        return Ok(0);
    };
    let mut block = gear.blocks.take();
    let read = match file.read_at(&mut block, at) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        other => other,
    };
    let n = read.map_err(|error| unkept(&gear.spool, &error))?;
    let mut outlet = Outlet {
        output: &mut upstream.output,
        blocks: &mut gear.blocks,
    };
    let piece = Part::Data(block.get(..n).unwrap_or_default());
    pump::push(upstream.codec.as_mut(), cell, &piece, &mut outlet)?;
    gear.blocks.put(block);
    Ok(n)
}

/// Gives up what was kept: it has done its service, or content that is not kept follows it.
pub(super) fn release(cell: &mut Exchange, client: &mut Client) {
    client.input.release();
    cell.held.file = None;
    cell.held.file_bytes = 0;
    cell.held.given = cell.content.len() as u64;
}

/// Whether there is nothing to send but the head.
pub(super) fn is_without_content(cell: &Exchange) -> bool {
    matches!(
        cell.held.size,
        Some(ContentSize::None | ContentSize::Length(0))
    )
}

/// What is held in memory: where it was received, or what a handler had gathered.
fn memory<'a>(cell: &'a Exchange, client: &'a Client) -> &'a [u8] {
    if cell.content.is_empty() {
        client.input.kept()
    } else {
        &cell.content
    }
}

/// `LimitRequestBody` for an exchange. What goes through a tunnel is no content.
pub(super) fn content_max(cell: &Exchange) -> u64 {
    if cell.is_tunnel {
        return u64::MAX;
    }
    cell.route
        .dir()
        .map_or(u64::MAX, |dir| dir.limit_body_bytes)
}

/// A file for reading and writing that has no name, so that nothing is left of it, whatever happens.
fn nameless_file(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let opened = options
        .clone()
        .custom_flags(libc::O_TMPFILE)
        .open(directory);
    match opened {
        Err(error) if lacks_nameless_files(&error) => {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let name = format!("tine.spool.{:016x}", u64::from_ne_bytes(random));
            let path = directory.join(name);
            let file = options.create_new(true).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        }
        other => other,
    }
}

/// Whether an error says that the file system, or the kernel, does not know files without names.
fn lacks_nameless_files(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)
    )
}

/// Content can't be kept: what the log says of it.
fn unkept(directory: &Path, error: &io::Error) -> Failure {
    let cause = format!(
        "in `{}`: {error}; make room there, or start the server with TMPDIR naming a directory that its children may write to",
        directory.display()
    );
    Failure::new(Side::Ours, FailureKind::Spool, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn what_is_spooled_leaves_no_name_and_is_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let mut held = Held::default();
        held.write(b"hello ", directory.path()).unwrap();
        held.write(b"world", directory.path()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let file = held.file.as_ref().unwrap();
        let about = file.metadata().unwrap();
        assert_eq!((about.nlink(), about.mode() & 0o777), (0, 0o600));
        let mut read = [0; 11];
        file.read_exact_at(&mut read, 0).unwrap();
        assert_eq!((&read, held.file_bytes), (b"hello world", 11));
    }

    #[test]
    fn a_failure_names_the_directory_and_the_cure() {
        let nowhere = Path::new("/nonexistent/spool");
        let error = Held::default().write(b"x", nowhere).unwrap_err();
        let failure = unkept(nowhere, &error);
        assert!(
            failure.cause.contains("`/nonexistent/spool`: No such file"),
            "{failure}"
        );
        assert!(failure.cause.contains("TMPDIR"), "{failure}");
        assert_eq!(failure.status().as_u16(), 500);
    }
}
