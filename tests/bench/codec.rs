//! What HTTP/1 costs per message: one proxied exchange is the sum of the four middle rows.
#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tine::buf::{Blocks, Input, Outlet, Output};
use tine::codec::http1::{Client, Server};
use tine::codec::{ClientCodec, Codec, Limits, StreamId};
use tine::http::head::Shelf;
use tine::http::{ContentSize, FieldId, Part, Request, RequestHead, Response, ResponseHead, uri};

const REQUEST: &[u8] = b"GET /app/items/42?expand=owner&page=3 HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Cookie: ROUTE=balancer.node2; session=0123456789abcdef\r\n\
    Connection: keep-alive\r\n\
    Referer: https://www.example.org/app/\r\n\
    Cache-Control: max-age=0\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: origin/1.0\r\n\
    Date: Tue, 10 Oct 2000 13:55:36 GMT\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 13\r\n\
    ETag: \"abcdef\"\r\n\
    Cache-Control: private\r\n\
    Vary: Accept-Encoding\r\n\r\n\
    {\"ok\": true}\n";

struct Desk {
    input: Input,
    output: Output,
    blocks: Blocks,
    requests: Shelf<RequestHead>,
    responses: Shelf<ResponseHead>,
    news: Vec<StreamId>,
}

impl Desk {
    fn new() -> Self {
        Self {
            input: Input::new(),
            output: Output::new(),
            blocks: Blocks::new(),
            requests: Shelf::new(),
            responses: Shelf::new(),
            news: Vec::new(),
        }
    }

    fn read_request(&mut self, server: &mut Server) -> (StreamId, Box<RequestHead>) {
        self.input.extend(REQUEST, &mut self.blocks);
        server
            .absorb(&mut self.input, &mut self.news)
            .expect("absorbed");
        let stream = self.news.pop().expect("a request began");
        let part = server.pull(stream, &mut self.input, &mut self.requests);
        let Ok(Some(Part::Head(head))) = part else {
            panic!("the head is valid");
        };
        let end = server.pull(stream, &mut self.input, &mut self.requests);
        assert!(matches!(end, Ok(Some(Part::End))));
        (stream, head)
    }

    fn write_response(&mut self, server: &mut Server, stream: StreamId, head: Box<ResponseHead>) {
        let parts: [Part<'_, Response>; 3] =
            [Part::Head(head), Part::Data(b"{\"ok\": true}\n"), Part::End];
        for part in &parts {
            self.push(server, stream, part);
        }
        if let [Part::Head(head), ..] = parts {
            self.responses.put(head);
        }
    }

    fn push<I: tine::http::Message, O: tine::http::Message>(
        &mut self,
        codec: &mut impl Codec<I, O>,
        stream: StreamId,
        part: &Part<'_, O>,
    ) {
        let mut out = Outlet {
            output: &mut self.output,
            blocks: &mut self.blocks,
        };
        codec
            .push(stream, part, &mut out)
            .expect("the part is valid");
    }

    fn write_request(&mut self, client: &mut Client, head: Box<RequestHead>) -> StreamId {
        let stream = client.open().expect("the connection is free");
        let part: Part<'_, Request> = Part::Head(head);
        self.push(client, stream, &part);
        self.push(client, stream, &Part::End);
        if let Part::Head(head) = part {
            self.requests.put(head);
        }
        stream
    }

    fn read_response(&mut self, client: &mut Client, stream: StreamId) -> Box<ResponseHead> {
        self.input.extend(RESPONSE, &mut self.blocks);
        let part = client.pull(stream, &mut self.input, &mut self.responses);
        let Ok(Some(Part::Head(head))) = part else {
            panic!("the head is valid");
        };
        for _ in 0..2 {
            let part = client.pull(stream, &mut self.input, &mut self.responses);
            assert!(matches!(part, Ok(Some(Part::Data(_) | Part::End))));
        }
        head
    }

    fn drop_output(&mut self) {
        let n = black_box(&self.output).len();
        self.output.written(n, &mut self.blocks);
    }
}

/// What a reverse proxy changes in a request: the shape of the real thing, without its decisions.
fn rewrite(head: &mut RequestHead) {
    tine::http::hop::strip_request(&mut head.fields, |_| false);
    head.fields.set(FieldId::Host, b"10.0.0.7:8080");
    head.fields
        .append_member(FieldId::XForwardedFor, b"192.0.2.17");
    head.fields
        .append_member(FieldId::XForwardedHost, b"www.example.org");
    head.fields
        .append_member(FieldId::XForwardedServer, b"www.example.org");
    head.keep_alive = true;
}

fn answer(shelf: &mut Shelf<ResponseHead>) -> Box<ResponseHead> {
    let mut head = shelf.take();
    head.content = ContentSize::Length(13);
    head.fields.push_id(FieldId::Server, b"tine");
    head.fields
        .push_id(FieldId::ContentType, b"application/json");
    head
}

fn exchanges(c: &mut Criterion) {
    let mut group = c.benchmark_group("http1");
    group.throughput(Throughput::Elements(1));

    let mut desk = Desk::new();
    let mut server = Server::new(Limits::default());
    group.bench_function("read a request, answer it", |b| {
        b.iter(|| {
            let (stream, head) = desk.read_request(&mut server);
            desk.requests.put(head);
            let head = answer(&mut desk.responses);
            desk.write_response(&mut server, stream, head);
            desk.drop_output();
        });
    });

    let mut desk = Desk::new();
    let mut server = Server::new(Limits::default());
    let mut client = Client::new(Limits::default());
    group.bench_function("proxied exchange, both sides", |b| {
        b.iter(|| {
            let (front, mut head) = desk.read_request(&mut server);
            rewrite(&mut head);
            let back = desk.write_request(&mut client, head);
            desk.drop_output();
            let mut head = desk.read_response(&mut client, back);
            tine::http::hop::strip_response(&mut head.fields);
            desk.write_response(&mut server, front, head);
            desk.drop_output();
        });
    });
    group.finish();
}

fn pieces(c: &mut Criterion) {
    let mut group = c.benchmark_group("pieces");
    let mut desk = Desk::new();
    let mut server = Server::new(Limits::default());
    let (_, head) = desk.read_request(&mut server);
    let mut copy = RequestHead::default();
    group.bench_function("copy a head", |b| {
        b.iter(|| copy.copy_from(black_box(&head)))
    });

    let mut copy = RequestHead::default();
    group.bench_function("copy and rewrite a head", |b| {
        b.iter(|| {
            copy.copy_from(black_box(&head));
            rewrite(&mut copy);
        });
    });

    let mut client = Client::new(Limits::default());
    let mut boxed = Some(head);
    group.bench_function("write a request and its answer's state", |b| {
        b.iter(|| {
            let head = boxed.take().expect("the head comes back");
            let stream = client.open().expect("the connection is free");
            let part: Part<'_, Request> = Part::Head(head);
            desk.push(&mut client, stream, &part);
            desk.push(&mut client, stream, &Part::End);
            if let Part::Head(head) = part {
                boxed = Some(head);
            }
            desk.drop_output();
            let head = desk.read_response(&mut client, stream);
            desk.responses.put(head);
        });
    });

    let mut out = Vec::new();
    group.bench_function("normalise a plain path", |b| {
        b.iter(|| {
            uri::normalize(
                black_box(b"/app/items/42/comments"),
                uri::EncodedSlashes::Refuse,
                true,
                &mut out,
            )
        });
    });
    group.bench_function("normalise an encoded path", |b| {
        b.iter(|| {
            uri::normalize(
                black_box(b"/app/./items/%7euser//a%20b/../c"),
                uri::EncodedSlashes::Refuse,
                true,
                &mut out,
            )
        });
    });
    group.bench_function("recognise ten names", |b| {
        b.iter(|| {
            for name in NAMES {
                black_box(FieldId::of(black_box(name)));
            }
        });
    });
    group.finish();
}

const NAMES: [&[u8]; 10] = [
    b"Host",
    b"User-Agent",
    b"Accept",
    b"Accept-Language",
    b"Accept-Encoding",
    b"Cookie",
    b"Connection",
    b"Referer",
    b"Cache-Control",
    b"X-Request-Id",
];

fn chunks(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunks");
    let mut wire = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..8 {
        wire.extend_from_slice(b"400\r\n");
        wire.extend_from_slice(&[b'x'; 1024]);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    let mut desk = Desk::new();
    let mut server = Server::new(Limits::default());
    let mut data = Vec::new();
    group.bench_function("echo eight chunks of 1 KiB", |b| {
        b.iter(|| {
            desk.input.extend(&wire, &mut desk.blocks);
            server
                .absorb(&mut desk.input, &mut desk.news)
                .expect("absorbed");
            let stream = desk.news.pop().expect("a request began");
            loop {
                match server.pull(stream, &mut desk.input, &mut desk.requests) {
                    Ok(Some(Part::Head(head))) => {
                        desk.requests.put(head);
                        let mut head = desk.responses.take();
                        head.content = ContentSize::Unknown;
                        desk.push(&mut server, stream, &Part::Head(head));
                    }
                    Ok(Some(Part::Data(bytes))) => {
                        // Content is lent by the codec that is to write it, which only a bench would want.
                        data.clear();
                        data.extend_from_slice(bytes);
                        desk.push(&mut server, stream, &Part::Data(&data));
                    }
                    Ok(Some(Part::End)) => break,
                    other => panic!("{other:?}"),
                }
            }
            desk.push(&mut server, stream, &Part::End);
            desk.drop_output();
        });
    });
    group.finish();
}

criterion_group!(benches, exchanges, pieces, chunks);
criterion_main!(benches);
