//! The field names that tine knows: recognised once, when a line is added, and compared as one byte from then on.
//!
//! To add a name, add a line to the list; the hash finds itself a new factor while compiling.

macro_rules! field_ids {
    ($($id:ident $name:literal;)*) => {
        /// The field names that tine itself looks at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is the field name it stands for")]
        pub enum FieldId { $($id,)* Other }

        /// All names that are recognised.
        const KNOWN: &[FieldId] = &[$(FieldId::$id),*];

        impl FieldId {
            /// The name as it is usually written; empty for `Other`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* Self::Other => "" }
            }
        }
    };
}

field_ids! {
    Host "Host";
    UserAgent "User-Agent";
    Accept "Accept";
    Connection "Connection";
    ContentLength "Content-Length";
    ContentType "Content-Type";
    Date "Date";
    Server "Server";
    Cookie "Cookie";
    TransferEncoding "Transfer-Encoding";
    SetCookie "Set-Cookie";
    KeepAlive "Keep-Alive";
    Expect "Expect";
    Via "Via";
    XForwardedFor "X-Forwarded-For";
    XForwardedHost "X-Forwarded-Host";
    XForwardedServer "X-Forwarded-Server";
    Location "Location";
    ContentLocation "Content-Location";
    Uri "URI";
    Destination "Destination";
    Upgrade "Upgrade";
    Te "TE";
    Trailer "Trailer";
    ProxyConnection "Proxy-Connection";
    ProxyAuthorization "Proxy-Authorization";
    ProxyAuthenticate "Proxy-Authenticate";
    Authorization "Authorization";
    WwwAuthenticate "WWW-Authenticate";
    MaxForwards "Max-Forwards";
    Referer "Referer";
    Warning "Warning";
    Expires "Expires";
    LastModified "Last-Modified";
    RetryAfter "Retry-After";
    Allow "Allow";
    CacheControl "Cache-Control";
}

impl FieldId {
    /// Recognises a name, whatever its case.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let slot = slot_of(name, RECOGNIZER.factor);
        let id = RECOGNIZER.slots.get(slot).copied().unwrap_or(Self::Other);
        let known = id.name().as_bytes();
        // Most senders write names as everybody does, so the cheap comparison comes first.
        let is_same =
            known.len() == name.len() && (known == name || known.eq_ignore_ascii_case(name));
        if is_same { id } else { Self::Other }
    }
}

/// A perfect hash over the known names, found while compiling: one comparison tells a name.
struct Recognizer {
    factor: u32,
    slots: [FieldId; SLOTS],
}

const SLOTS: usize = 512;
const SLOT_BITS: u32 = SLOTS.trailing_zeros();

static RECOGNIZER: Recognizer = recognizer();

const fn slot_of(name: &[u8], factor: u32) -> usize {
    if name.is_empty() {
        return 0;
    }
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return 0;
    };
    let middle = name.split_at(name.len() / 2).1;
    let Some(middle) = middle.first() else {
        return 0;
    };
    // Setting bit 5 folds the case of letters; that it confuses some other bytes only costs a comparison.
    let key = u32::from_le_bytes([*first | 0x20, *middle | 0x20, *last | 0x20, low(name.len())]);
    (key.wrapping_mul(factor) >> (32 - SLOT_BITS)) as usize
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a hash takes what bits it gets"
)]
const fn low(n: usize) -> u8 {
    n as u8
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated while compiling, where a panic is a compile error"
)]
const fn recognizer() -> Recognizer {
    let mut factor = 0x9e37_79b1_u32;
    loop {
        let mut slots = [FieldId::Other; SLOTS];
        let mut n = 0;
        while n < KNOWN.len() {
            let slot = slot_of(KNOWN[n].name().as_bytes(), factor);
            if !matches!(slots[slot], FieldId::Other) {
                break;
            }
            slots[slot] = KNOWN[n];
            n += 1;
        }
        if n == KNOWN.len() {
            return Recognizer { factor, slots };
        }
        factor = factor.wrapping_add(0x6d2b_79f6);
    }
}

/// A set of field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(u64);

impl FieldSet {
    /// The set of no names.
    pub const NONE: Self = Self(0);

    /// The set of these names.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is bounded by the loop; iterators are not const"
    )]
    pub const fn of(ids: &[FieldId]) -> Self {
        let mut set = Self(0);
        let mut n = 0;
        while n < ids.len() {
            set.0 |= 1 << ids[n] as u8;
            n += 1;
        }
        set
    }

    /// Whether the name is in the set.
    #[must_use]
    pub const fn has(self, id: FieldId) -> bool {
        self.0 & (1 << id as u8) != 0
    }

    /// Whether the sets have a name in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Adds a name.
    pub const fn insert(&mut self, id: FieldId) {
        self.0 |= 1 << id as u8;
    }

    /// This set and one name more.
    #[must_use]
    pub const fn with(self, id: FieldId) -> Self {
        Self(self.0 | (1 << id as u8))
    }

    /// This set without the names of the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

const _: () = assert!(KNOWN.len() < 64, "a FieldSet has one bit for each name");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_recognised_in_any_case_and_nothing_else_is() {
        for &id in KNOWN {
            let name = id.name();
            assert_eq!(FieldId::of(name.as_bytes()), id);
            assert_eq!(FieldId::of(name.to_ascii_uppercase().as_bytes()), id);
            assert_eq!(FieldId::of(format!("{name}x").as_bytes()), FieldId::Other);
        }
        assert_eq!(FieldId::of(b""), FieldId::Other);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut set = FieldSet::of(&[FieldId::Host, FieldId::Via]);
        assert!(set.has(FieldId::Via) && !set.has(FieldId::Date));
        set.insert(FieldId::Date);
        assert_eq!(
            set,
            FieldSet::of(&[FieldId::Host, FieldId::Via, FieldId::Date])
        );
        assert!(set.meets(FieldSet::of(&[FieldId::Date, FieldId::Te])));
        assert!(!set.meets(FieldSet::of(&[FieldId::Te])));
        assert_eq!(
            set.without(FieldSet::of(&[FieldId::Via, FieldId::Te]))
                .with(FieldId::Via),
            set
        );
    }
}
