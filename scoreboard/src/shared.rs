//! The fence: which types may live in the map, and the macro that declares records of them.
//!
//! A type behind this trait can be referenced in memory that other processes write at any moment, and that began as
//! zeroes, without undefined behaviour. The `shared!` macro checks every condition that a compiler can check.

use crate::atomic::{AtomicI64, AtomicU32, AtomicU64};

/// A type that may live in the map.
///
/// # Safety
///
/// The type consists only of atomics and of other `Shared` types, every bit pattern (all-zero included) is a valid
/// value, its layout is `repr(C)` or `repr(transparent)` or that of an array, and it has no drop glue.
pub unsafe trait Shared: Sync + Sized {}

// SAFETY: an atomic; any bits are valid.
unsafe impl Shared for AtomicU32 {}
// SAFETY: an atomic; any bits are valid.
unsafe impl Shared for AtomicU64 {}
// SAFETY: an atomic; any bits are valid.
unsafe impl Shared for AtomicI64 {}
// SAFETY: an array adds nothing between its elements.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {}

/// A record declared by the `shared!` macro, with its fields described.
pub trait Record: Shared {
    /// The record's name in the layout.
    const NAME: &'static str;
    /// Its fields in the order of their addresses.
    const FIELDS: &'static [Field];
}

/// One field of a record: where it is, and what its number means.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// Its type, as written.
    pub kind: &'static str,
    /// Bytes from the start of the record.
    pub offset: usize,
    /// Bytes it takes.
    pub size: usize,
    /// Its one-line meaning and unit.
    pub meaning: &'static str,
}

/// Compiles only for a type that may live in the map.
pub(crate) const fn may_be_shared<T: Shared>() {}

/// Declare a record of the map: `pub struct Name, align 128 { /// meaning pub field: AtomicU64, … }`.
macro_rules! shared {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, align $align:tt {
            $( $(#[doc = $doc:literal])+ pub $field:ident: $kind:ty, )+
        }
    ) => {
        $(#[$meta])*
        #[repr(C, align($align))]
        #[derive(Debug)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $kind, )+
        }

        const _: () = {
            let mut end = 0;
            $(
                $crate::shared::may_be_shared::<$kind>();
                assert!(core::mem::offset_of!($name, $field) == end, "a gap before this field");
                end += size_of::<$kind>();
            )+
            assert!(end <= size_of::<$name>());
            assert!(!core::mem::needs_drop::<$name>());
        };

        // SAFETY: `repr(C)`; the block above proves that each field is `Shared` and that nothing is dropped.
        unsafe impl $crate::shared::Shared for $name {}

        impl $crate::shared::Record for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::shared::Field] = &[
                $( $crate::shared::Field {
                    name: stringify!($field),
                    kind: stringify!($kind),
                    offset: core::mem::offset_of!($name, $field),
                    size: size_of::<$kind>(),
                    meaning: concat!($($doc),+),
                }, )+
            ];
        }
    };
}

/// Declare an enum that is stored as a word: `from_raw` and `from_word` refuse what no variant has.
macro_rules! coded {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $raw:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $( $(#[$variant_meta])* $variant = $raw, )+ }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The value with this number, if there is one.
            #[must_use]
            pub const fn from_raw(raw: u8) -> Option<Self> {
                match raw {
                    $( $raw => Some(Self::$variant), )+
                    _ => None,
                }
            }

            /// The value a shared word stands for, if there is one.
            #[must_use]
            pub fn from_word(word: u32) -> Option<Self> {
                u8::try_from(word).ok().and_then(Self::from_raw)
            }

            /// The number stored for this value.
            #[must_use]
            pub const fn raw(self) -> u8 {
                self as u8
            }

            /// The word stored in the map for this value.
            #[must_use]
            pub const fn word(self) -> u32 {
                self as u32
            }
        }
    };
}

pub(crate) use {coded, shared};
