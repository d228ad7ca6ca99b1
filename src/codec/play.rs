//! Playbooks: wire scripts that say what arrives, what it means, what is sent and how that looks.
//!
//! Each file in `tests/play/<protocol>/` is run whole, byte by byte, and split in two at every byte. All runs must
//! see the same events. A file is a list of lines; `#` begins a comment line, empty lines mean nothing:
//!
//! ```text
//! --- name                            another script in the same file begins, with everything new
//! side server | side client           which codec (first line)
//! limits line=20 field=10 fields=2    limits other than the default
//! open                                the client codec opens a stream
//! judge skip | end-head               and is told what a line without a colon means
//! offer 5 100                         the server codec is told for how many seconds and requests it persists
//! > bytes                             bytes arrive
//! >* 10485760 a                       one byte arrives so many times, or until it is refused
//! ~ eof                               the peer closes its side
//! < stream 1                          the server codec announces a stream
//! < head GET /a 1.1 content=none keep a part that was decoded; `continue` may follow. Of responses:
//! < head 200 OK 1.1 content=5 keep    status, reason, version, and how many lines were `skipped=`; `interim` likewise
//! <   Name: value                     a field line of the head or trailers above
//! < data bytes                        all content since the last event
//! < trailers  /  < end
//! ! 400 reason                        the peer broke a rule; `! cut reason`: it closed too early
//! ! unsendable reason                 the part pushed above was refused
//! = head 200 content=5 keep           a part is pushed: `head`, `interim`, `data`, `trailers`, `end`
//! = head GET /a content=none keep     the same of a request
//! =   Name: value                     a field line of the head or trailers above
//! ] bytes                             exactly these bytes were written since the last such line
//! ? keep | ? close                    what the codec says of reuse
//! close                               the server codec is told to close after the response
//! reset                               the stream is given up
//! ```
//!
//! Bytes are written with the escapes `\r \n \t \0 \\ \xHH \s` (`\s` is a space, where an editor might eat one).

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{BadLine, ClientCodec, CodecError, Limits, Offer, Reuse, ServerCodec, StreamId};
use crate::buf::{Blocks, Input, Outlet, Output};
use crate::http::head::Shelf;
use crate::http::{
    ContentSize, Fields, Message, Method, Part, RequestHead, ResponseHead, Status, Version,
};

/// Makes the codecs of a protocol.
pub(crate) struct Makers {
    pub server: fn(Limits) -> Box<dyn ServerCodec>,
    pub client: fn(Limits) -> Box<dyn ClientCodec>,
}

/// Runs every playbook of a protocol in every way.
pub(crate) fn run_all(protocol: &str, makers: &Makers) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/play")
        .join(protocol);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "play"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no playbooks in {}", folder.display());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let mut first = 0;
        for text in text.split("\n--- ") {
            run(&name, first, text, makers);
            first += text.matches('\n').count() + 1;
        }
    }
}

/// Runs one script, which begins after line `first` of its file.
fn run(name: &str, first: usize, text: &str, makers: &Makers) {
    let script = parse(name, first, text);
    let total = script.arriving();
    Run::new(name, &script, makers, Cut::Whole).play();
    Run::new(name, &script, makers, Cut::EveryByte).play();
    for at in 1..total {
        Run::new(name, &script, makers, Cut::At(at)).play();
    }
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    EveryByte,
    At(usize),
}

struct Script {
    is_server: bool,
    limits: Limits,
    steps: Vec<(usize, Step)>,
}

enum Step {
    Open,
    Judge(BadLine),
    Offer(Offer),
    Arrive(Vec<u8>),
    Flood(usize, u8),
    Eof,
    Expect(String),
    Push(String, Vec<(Vec<u8>, Vec<u8>)>),
    Written(Vec<u8>),
    Reuse(Reuse),
    Close,
    Reset,
}

impl Script {
    fn arriving(&self) -> usize {
        self.steps
            .iter()
            .map(|(_, step)| {
                if let Step::Arrive(bytes) = step {
                    bytes.len()
                } else {
                    0
                }
            })
            .sum()
    }
}

fn parse(name: &str, first: usize, text: &str) -> Script {
    let mut script = Script {
        is_server: true,
        limits: Limits::default(),
        steps: Vec::new(),
    };
    // After a separator the text begins with the script's name.
    let skip = usize::from(first > 0);
    for (index, line) in text.lines().enumerate().skip(skip) {
        let number = first + index + 1;
        let line = line.trim_end();
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        let bad = || -> ! { panic!("{name}:{number}: can't read `{line}`") };
        let last = script.steps.last_mut().map(|(_, step)| step);
        let step = match (sign, last) {
            ("" | "#", _) => continue,
            _ if line.starts_with('#') => continue,
            ("side", _) => {
                script.is_server = rest == "server";
                continue;
            }
            ("limits", _) => {
                for word in rest.split(' ') {
                    let (key, value) = word.split_once('=').unwrap_or_else(|| bad());
                    let value = value.parse().unwrap_or_else(|_| bad());
                    match key {
                        "line" => script.limits.line = value,
                        "field" => script.limits.field_size = value,
                        "fields" => script.limits.fields = value,
                        _ => bad(),
                    }
                }
                continue;
            }
            ("open", _) => Step::Open,
            ("judge", _) if rest == "skip" => Step::Judge(BadLine::Skip),
            ("judge", _) if rest == "end-head" => Step::Judge(BadLine::EndHead),
            ("offer", _) => {
                let (timeout, left) = rest.split_once(' ').unwrap_or((rest, ""));
                Step::Offer(Offer {
                    timeout_s: timeout.parse().unwrap_or_else(|_| bad()),
                    left: left.parse().ok(),
                })
            }
            ("close", _) => Step::Close,
            ("reset", _) => Step::Reset,
            (">", Some(Step::Arrive(bytes))) => {
                bytes.extend(unescape(rest));
                continue;
            }
            (">", _) => Step::Arrive(unescape(rest)),
            (">*", _) => {
                let (count, byte) = rest.split_once(' ').unwrap_or_else(|| bad());
                Step::Flood(count.parse().unwrap_or_else(|_| bad()), unescape(byte)[0])
            }
            ("~", _) => Step::Eof,
            ("<", Some(Step::Expect(event))) if rest.starts_with("  ") => {
                event.push('\n');
                event.push_str(rest);
                continue;
            }
            ("<", _) => Step::Expect(rest.to_owned()),
            ("!", _) => Step::Expect(format!("! {rest}")),
            ("=", Some(Step::Push(_, fields))) if rest.starts_with("  ") => {
                let (name, value) = rest.trim_start().split_once(':').unwrap_or_else(|| bad());
                fields.push((unescape(name), unescape(value.trim_start())));
                continue;
            }
            ("=", _) => Step::Push(rest.to_owned(), Vec::new()),
            ("]", Some(Step::Written(bytes))) => {
                bytes.extend(unescape(rest));
                continue;
            }
            ("]", _) => Step::Written(unescape(rest)),
            ("?", _) if rest == "keep" => Step::Reuse(Reuse::Keep),
            ("?", _) if rest == "close" => Step::Reuse(Reuse::Close),
            _ => bad(),
        };
        script.steps.push((number, step));
    }
    script
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        if b != b'\\' {
            bytes.push(b);
            continue;
        }
        bytes.push(match rest.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b's' => b' ',
            b'0' => 0,
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    bytes
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &b in bytes {
        match b {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(b)),
            _ => write!(text, "\\x{b:02x}").unwrap(),
        }
    }
    text
}

enum Side {
    Server(Box<dyn ServerCodec>),
    Client(Box<dyn ClientCodec>),
}

/// One way through one playbook.
struct Run<'s> {
    name: &'s str,
    script: &'s Script,
    cut: Cut,
    side: Side,
    stream: Option<StreamId>,
    input: Input,
    output: Output,
    blocks: Blocks,
    events: VecDeque<String>,
    data: Vec<u8>,
    has_failed: bool,
    arrived: usize,
}

impl<'s> Run<'s> {
    fn new(name: &'s str, script: &'s Script, makers: &Makers, cut: Cut) -> Self {
        let side = if script.is_server {
            Side::Server((makers.server)(script.limits))
        } else {
            Side::Client((makers.client)(script.limits))
        };
        Self {
            name,
            script,
            cut,
            side,
            stream: None,
            input: Input::new(),
            output: Output::new(),
            blocks: Blocks::new(),
            events: VecDeque::new(),
            data: Vec::new(),
            has_failed: false,
            arrived: 0,
        }
    }

    fn play(mut self) {
        for (number, step) in &self.script.steps {
            let place = format!("{}:{number} ({:?})", self.name, self.cut);
            self.step(step, &place);
        }
        self.flush_data();
        let rest = Vec::from(std::mem::take(&mut self.events));
        assert!(
            rest.is_empty(),
            "{} ({:?}): more than expected: {rest:#?}",
            self.name,
            self.cut
        );
        assert_eq!(
            escape(&self.output.to_vec()),
            "",
            "{} ({:?}): more was written than expected",
            self.name,
            self.cut
        );
    }

    fn step(&mut self, step: &Step, place: &str) {
        match step {
            Step::Open => {
                self.stream = match &mut self.side {
                    Side::Client(codec) => codec.open(),
                    Side::Server(_) => panic!("{place}: a server opens no streams"),
                };
                assert!(self.stream.is_some(), "{place}: no stream is free");
            }
            Step::Judge(lines) => match &mut self.side {
                Side::Client(codec) => codec.judge(*lines),
                Side::Server(_) => panic!("{place}: a server judges no responses"),
            },
            Step::Offer(offer) => match &mut self.side {
                Side::Server(codec) => codec.offer(*offer),
                Side::Client(_) => panic!("{place}: a client offers nothing"),
            },
            Step::Arrive(bytes) => self.arrive(bytes),
            Step::Flood(count, byte) => {
                let piece = vec![*byte; 1024];
                let mut sent = 0;
                while sent < *count && !self.has_failed {
                    self.feed(&piece);
                    sent += piece.len();
                    assert!(self.input.len() <= 64 * 1024, "{place}: still buffering");
                }
            }
            Step::Eof => {
                match &mut self.side {
                    Side::Server(codec) => codec.eof().unwrap(),
                    Side::Client(codec) => codec.eof().unwrap(),
                }
                self.pump();
            }
            Step::Expect(expected) => {
                self.flush_data();
                let event = self.events.pop_front();
                assert_eq!(event.as_ref(), Some(expected), "{place}");
            }
            Step::Push(part, fields) => {
                self.push(part, fields, place);
                self.pump();
            }
            Step::Written(expected) => {
                assert_eq!(escape(&self.output.to_vec()), escape(expected), "{place}");
                self.output.clear(&mut self.blocks);
            }
            Step::Reuse(expected) => {
                let reuse = match &self.side {
                    Side::Server(codec) => codec.reuse(),
                    Side::Client(codec) => codec.reuse(),
                };
                assert_eq!(reuse, *expected, "{place}");
            }
            Step::Close => match &mut self.side {
                Side::Server(codec) => codec.close_after_response(),
                Side::Client(_) => panic!("{place}: only servers are told to close"),
            },
            Step::Reset => match (&mut self.side, self.stream) {
                (Side::Server(codec), Some(stream)) => codec.reset(stream),
                (Side::Client(codec), Some(stream)) => codec.reset(stream),
                (_, None) => panic!("{place}: no stream"),
            },
        }
    }

    fn arrive(&mut self, bytes: &[u8]) {
        match self.cut {
            Cut::Whole => self.feed(bytes),
            Cut::EveryByte => bytes.iter().for_each(|b| self.feed(&[*b])),
            Cut::At(at) => match at.checked_sub(self.arrived) {
                Some(at) if at > 0 && at < bytes.len() => {
                    self.feed(&bytes[..at]);
                    self.feed(&bytes[at..]);
                }
                _ => self.feed(bytes),
            },
        }
        self.arrived += bytes.len();
    }

    fn feed(&mut self, bytes: &[u8]) {
        if !self.has_failed {
            self.input.extend(bytes, &mut self.blocks);
            self.pump();
        }
    }

    /// Decodes all that can be decoded.
    fn pump(&mut self) {
        if self.has_failed {
            return;
        }
        let mut news = Vec::new();
        let absorbed = match &mut self.side {
            Side::Server(codec) => codec.absorb(&mut self.input, &mut news),
            Side::Client(codec) => codec.absorb(&mut self.input, &mut news),
        };
        if let Err(e) = absorbed {
            self.fail(e);
            return;
        }
        for stream in news {
            self.event(format!("stream {}", stream.0));
            self.stream = Some(stream);
        }
        while let Some(stream) = self.stream {
            let shown = match &mut self.side {
                Side::Server(codec) => show(
                    codec.pull(stream, &mut self.input, &mut Shelf::new()),
                    show_request,
                ),
                Side::Client(codec) => show(
                    codec.pull(stream, &mut self.input, &mut Shelf::new()),
                    show_response,
                ),
            };
            match shown {
                Ok(Shown::Nothing) => return,
                Ok(Shown::Data(bytes)) => self.data.extend(bytes),
                Ok(Shown::Event(text)) => self.event(text),
                Err(e) => return self.fail(e),
            }
        }
    }

    fn push(&mut self, text: &str, lines: &[(Vec<u8>, Vec<u8>)], place: &str) {
        let mut fields = Fields::new();
        for (name, value) in lines {
            fields.push(name, value);
        }
        let stream = self.stream.unwrap_or_else(|| panic!("{place}: no stream"));
        let mut out = Outlet {
            output: &mut self.output,
            blocks: &mut self.blocks,
        };
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let bytes = unescape(rest);
        let pushed = match &mut self.side {
            Side::Server(codec) => {
                let part = part(kind, &bytes, fields, |fields| response_head(rest, fields));
                codec.push(stream, &part, &mut out)
            }
            Side::Client(codec) => {
                let part = part(kind, &bytes, fields, |fields| request_head(rest, fields));
                codec.push(stream, &part, &mut out)
            }
        };
        if let Err(e) = pushed {
            self.event(format!("! unsendable {}", e.reason));
        }
    }

    fn fail(&mut self, error: CodecError) {
        self.has_failed = true;
        self.event(if error.is_truncation {
            format!("! cut {}", error.reason)
        } else {
            format!("! {} {}", error.status, error.reason)
        });
    }

    fn event(&mut self, text: String) {
        self.flush_data();
        self.events.push_back(text);
    }

    fn flush_data(&mut self) {
        if !self.data.is_empty() {
            let data = std::mem::take(&mut self.data);
            self.events.push_back(format!("data {}", escape(&data)));
        }
    }
}

enum Shown {
    Nothing,
    Data(Vec<u8>),
    Event(String),
}

fn show<M: Message>(
    pulled: Result<Option<Part<'_, M>>, CodecError>,
    head: fn(&M::Head) -> String,
) -> Result<Shown, CodecError> {
    Ok(match pulled? {
        None => Shown::Nothing,
        Some(Part::Interim(h)) => Shown::Event(format!("interim {}", head(&h))),
        Some(Part::Head(h)) => Shown::Event(format!("head {}", head(&h))),
        Some(Part::Data(bytes)) => {
            assert!(!bytes.is_empty(), "empty content was lent");
            Shown::Data(bytes.to_vec())
        }
        Some(Part::Trailers(fields)) => Shown::Event(format!("trailers{}", show_fields(&fields))),
        Some(Part::End) => Shown::Event("end".to_owned()),
        Some(Part::Note(bytes)) => Shown::Event(format!("note {}", escape(bytes))),
    })
}

fn show_request(head: &RequestHead) -> String {
    format!(
        "{} {} {} {}{}{}{}",
        head.method,
        escape(head.target.raw()),
        head.version.number(),
        show_content(head.content),
        if head.keep_alive { " keep" } else { " close" },
        if head.expects_continue {
            " continue"
        } else {
            ""
        },
        show_fields(&head.fields),
    )
}

fn show_response(head: &ResponseHead) -> String {
    let mut text = head.status.to_string();
    if !head.reason.is_empty() {
        text.push(' ');
        text.push_str(&escape(&head.reason));
    }
    let version = head.version.number();
    let skipped = match head.skipped_lines {
        0 => String::new(),
        lines => format!(" skipped={lines}"),
    };
    if head.status.is_interim() && head.status != Status::SWITCHING_PROTOCOLS {
        return format!("{text} {version}{skipped}{}", show_fields(&head.fields));
    }
    format!(
        "{text} {version} {}{}{skipped}{}",
        show_content(head.content),
        if head.keep_alive { " keep" } else { " close" },
        show_fields(&head.fields),
    )
}

fn show_content(content: ContentSize) -> String {
    match content {
        ContentSize::None => "content=none".to_owned(),
        ContentSize::Length(n) => format!("content={n}"),
        ContentSize::Unknown => "content=unknown".to_owned(),
    }
}

fn show_fields(fields: &Fields) -> String {
    fields.iter().fold(String::new(), |text, (_, name, value)| {
        format!("{text}\n  {}: {}", escape(name), escape(value))
            .trim_end_matches(' ')
            .to_owned()
    })
}

fn part<'a, M: Message>(
    kind: &str,
    bytes: &'a [u8],
    fields: Fields,
    head: impl Fn(Fields) -> M::Head,
) -> Part<'a, M> {
    match kind {
        "head" => Part::Head(Box::new(head(fields))),
        "interim" => Part::Interim(Box::new(head(fields))),
        "data" => Part::Data(bytes),
        "trailers" => Part::Trailers(fields),
        "end" => Part::End,
        _ => panic!("no part is called {kind}"),
    }
}

fn content(words: &[&str]) -> ContentSize {
    let word = words.iter().find_map(|word| word.strip_prefix("content="));
    match word {
        None | Some("none") => ContentSize::None,
        Some("unknown") => ContentSize::Unknown,
        Some(n) => ContentSize::Length(n.parse().unwrap()),
    }
}

fn request_head(text: &str, fields: Fields) -> RequestHead {
    let words: Vec<&str> = text.split(' ').collect();
    let method = Method::parse(words[0].as_bytes()).unwrap();
    let mut head = RequestHead {
        fields,
        content: content(&words),
        keep_alive: !words.contains(&"close"),
        version: Version::Http11,
        ..RequestHead::default()
    };
    let is_connect = method == Method::Connect;
    head.method = method;
    head.target.assign(words[1].as_bytes(), is_connect).unwrap();
    head
}

fn response_head(text: &str, fields: Fields) -> ResponseHead {
    let words: Vec<&str> = text.split(' ').collect();
    let reason = words.iter().find_map(|word| word.strip_prefix("reason="));
    let status = Status::from_u16(words[0].parse().unwrap()).unwrap();
    ResponseHead {
        status,
        reason: reason.map_or_else(|| status.reason().into(), unescape),
        fields,
        content: content(&words),
        keep_alive: !words.contains(&"close"),
        ..ResponseHead::default()
    }
}
