//! What a proxy says of itself in what it forwards: `Via` (RFC 9110 §7.6.3) and `X-Forwarded-*`.
//!
//! Responsible for: the rules of httpd's ProxyVia and ProxyAddHeaders over [`Fields`]. Not responsible for: whose
//! address, host or name it is; the caller knows.
//!
//! Know first: call these after [`hop`](super::hop) has taken the connection-specific fields away. In that order a
//! client can't use `Connection` to remove what is added here (CVE-2022-31813).

use super::{FieldId, Fields, Version};

/// The values of ProxyVia.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ViaMode {
    /// Leave `Via` as it is.
    #[default]
    Off,
    /// Add ourselves.
    On,
    /// Add ourselves with our product name as a comment.
    Full,
    /// Add nothing, and take `Via` out of requests.
    Block,
}

/// How we are called in `Via`.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The version that the message was received in.
    pub version: Version,
    /// Our name, with the port unless it is the default one.
    pub name: &'a [u8],
    /// Our product, for [`ViaMode::Full`].
    pub product: &'a [u8],
}

/// Applies ProxyVia to a request: our member joins the one line.
pub fn add_to_request(fields: &mut Fields, mode: ViaMode, received: &Received<'_>) {
    match mode {
        ViaMode::Off => {}
        ViaMode::On | ViaMode::Full => fields.append_member(FieldId::Via, &received.member(mode)),
        ViaMode::Block => {
            fields.remove(FieldId::Via);
        }
    }
}

/// Applies ProxyVia to a response: ours is a line of its own, and Block takes nothing away, as in httpd.
pub fn add_to_response(fields: &mut Fields, mode: ViaMode, received: &Received<'_>) {
    match mode {
        ViaMode::Off | ViaMode::Block => {}
        ViaMode::On | ViaMode::Full => fields.push_id(FieldId::Via, &received.member(mode)),
    }
}

impl Received<'_> {
    fn member(&self, mode: ViaMode) -> Vec<u8> {
        let mut member = Vec::with_capacity(self.name.len() + self.product.len() + 8);
        member.extend_from_slice(self.version.number().as_bytes());
        member.push(b' ');
        member.extend_from_slice(self.name);
        if mode == ViaMode::Full {
            member.extend_from_slice(b" (");
            member.extend_from_slice(self.product);
            member.push(b')');
        }
        member
    }
}

/// What ProxyAddHeaders adds to a reverse request.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded<'a> {
    /// The client's address.
    pub client: &'a [u8],
    /// The client's Host, when it sent one.
    pub host: Option<&'a [u8]>,
    /// Our own name.
    pub server: &'a [u8],
}

/// Appends to the `X-Forwarded-*` fields; what earlier proxies wrote stays before it.
pub fn add_forwarded(fields: &mut Fields, forwarded: &Forwarded<'_>) {
    fields.append_member(FieldId::XForwardedFor, forwarded.client);
    if let Some(host) = forwarded.host {
        fields.append_member(FieldId::XForwardedHost, host);
    }
    fields.append_member(FieldId::XForwardedServer, forwarded.server);
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Received<'static> = Received {
        version: Version::Http11,
        name: b"proxy.example:8080",
        product: b"tine/0.1",
    };

    fn vias(mode: ViaMode, add: fn(&mut Fields, ViaMode, &Received<'_>)) -> Vec<String> {
        let mut fields = Fields::new();
        fields.push(b"via", b"1.0 a");
        fields.push(b"Via", b"1.1 b");
        add(&mut fields, mode, &US);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        fields.all(FieldId::Via).map(text).collect()
    }

    #[test]
    fn requests_carry_one_line_of_all_hops() {
        let table: [(ViaMode, &[&str]); 4] = [
            (ViaMode::Off, &["1.0 a", "1.1 b"]),
            (ViaMode::On, &["1.0 a, 1.1 b, 1.1 proxy.example:8080"]),
            (
                ViaMode::Full,
                &["1.0 a, 1.1 b, 1.1 proxy.example:8080 (tine/0.1)"],
            ),
            (ViaMode::Block, &[]),
        ];
        for (mode, lines) in table {
            assert_eq!(vias(mode, add_to_request), lines, "{mode:?}");
        }
    }

    #[test]
    fn responses_get_a_line_of_their_own() {
        let table: [(ViaMode, &[&str]); 4] = [
            (ViaMode::Off, &["1.0 a", "1.1 b"]),
            (ViaMode::On, &["1.0 a", "1.1 b", "1.1 proxy.example:8080"]),
            (
                ViaMode::Full,
                &["1.0 a", "1.1 b", "1.1 proxy.example:8080 (tine/0.1)"],
            ),
            (ViaMode::Block, &["1.0 a", "1.1 b"]),
        ];
        for (mode, lines) in table {
            assert_eq!(vias(mode, add_to_response), lines, "{mode:?}");
        }
    }

    #[test]
    fn forwarded_fields_grow_behind_what_was_there() {
        let mut fields = Fields::new();
        fields.push(b"x-forwarded-for", b"10.0.0.1");
        add_forwarded(
            &mut fields,
            &Forwarded {
                client: b"10.0.0.2",
                host: Some(b"www.example"),
                server: b"proxy.example",
            },
        );
        let lines: Vec<(&[u8], &[u8])> = fields.iter().map(|(_, n, v)| (n, v)).collect();
        assert_eq!(
            lines,
            [
                (&b"x-forwarded-for"[..], &b"10.0.0.1, 10.0.0.2"[..]),
                (b"X-Forwarded-Host", b"www.example"),
                (b"X-Forwarded-Server", b"proxy.example"),
            ]
        );
    }
}
