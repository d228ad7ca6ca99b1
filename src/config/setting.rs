//! A value together with the place that set it, and how sections merge.
//!
//! Responsible for: [`Setting`], and the `merged!` macro, which declares a struct and derives its merge, so that no field can be
//! forgotten when one is added. Not responsible for defaults: an unset setting stays unset in the model, and the reader of the model
//! says what unset means (usually through [`Setting::or`]).
//!
//! Know first: httpd keeps a `_set:1` bit beside each field and merges by hand, field by field, in every module. Here the rule is part
//! of the declaration: `over` (the section wins if it says anything), `append` (base entries, then the section's), `prepend` (the other way round), `replace` (the
//! section's list if it has one, else the base's), `own` (never inherited), `nested` (merge inside).

use super::source::Place;
use std::fmt;

/// A value that a directive may set, and where it did.
///
/// Two settings are equal when their values are: the same configuration written on other lines is the same configuration.
#[derive(Clone)]
pub struct Setting<T>(Option<(T, Place)>);

impl<T> Setting<T> {
    /// A setting no directive has touched.
    pub const UNSET: Self = Self(None);

    /// A setting with the place that set it.
    pub fn new(value: T, place: &Place) -> Self {
        Self(Some((value, place.clone())))
    }

    /// Sets the value, forgetting an earlier one.
    pub fn set(&mut self, value: T, place: &Place) {
        self.0 = Some((value, place.clone()));
    }

    /// Back to unset.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// The value, if a directive set one.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(value, _)| value)
    }

    /// Where the value was set.
    pub fn place(&self) -> Option<&Place> {
        self.0.as_ref().map(|(_, place)| place)
    }

    /// True when a directive set the value.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }
}

impl<T: Copy> Setting<T> {
    /// The value, or what holds when nobody set one.
    pub fn or(&self, default: T) -> T {
        self.get().copied().unwrap_or(default)
    }
}

impl<T> Default for Setting<T> {
    fn default() -> Self {
        Self::UNSET
    }
}

impl<T: PartialEq> PartialEq for Setting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for Setting<T> {}

impl<T: fmt::Debug> fmt::Debug for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("-"),
            Some((value, place)) => {
                value.fmt(f)?;
                write!(f, " @ {place}")
            }
        }
    }
}

/// The section's value if it set one, else the base's.
pub(crate) fn over<T: Clone>(base: &Setting<T>, section: &Setting<T>) -> Setting<T> {
    if section.is_set() {
        section.clone()
    } else {
        base.clone()
    }
}

/// The base's entries, then the section's.
pub(crate) fn append<T: Clone>(base: &[T], section: &[T]) -> Vec<T> {
    base.iter().chain(section).cloned().collect()
}

/// The section's entries, then the base's.
pub(crate) fn prepend<T: Clone>(base: &[T], section: &[T]) -> Vec<T> {
    append(section, base)
}

/// The section's entries if it has any, else the base's.
pub(crate) fn replace<T: Clone>(base: &[T], section: &[T]) -> Vec<T> {
    if section.is_empty() {
        base.to_vec()
    } else {
        section.to_vec()
    }
}

/// The section's value, whatever the base says.
pub(crate) fn own<T: Clone>(_base: &T, section: &T) -> T {
    section.clone()
}

/// A structure with a merge rule of its own.
pub trait Merge {
    /// What holds in a section that says `section` inside a base that says `base`.
    fn merge(base: &Self, section: &Self) -> Self;
}

/// Merges a structure by its own rule.
pub(crate) fn nested<T: Merge>(base: &T, section: &T) -> T {
    T::merge(base, section)
}

/// Declares a plain struct whose fields each name their merge rule, and derives [`Merge`] from them.
macro_rules! merged {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident : $ty:ty => $rule:ident, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        $vis struct $name {
            $( $(#[$field_meta])* $field_vis $field: $ty, )*
        }

        impl $crate::config::setting::Merge for $name {
            fn merge(base: &Self, section: &Self) -> Self {
                Self {
                    $( $field: $crate::config::setting::$rule(&base.$field, &section.$field), )*
                }
            }
        }
    };
}
pub(crate) use merged;

#[cfg(test)]
mod tests {
    use super::*;

    merged! {
        /// A section with one field of each rule.
        struct Sample {
            /// Over.
            port: Setting<u16> => over,
            /// Append.
            passes: Vec<&'static str> => append,
            /// Replace.
            logs: Vec<&'static str> => replace,
            /// Own.
            aliases: Vec<&'static str> => own,
        }
    }

    #[test]
    fn each_rule_merges_as_its_name_says() {
        let here = Place::new("a.conf", 3);
        let base = Sample {
            port: Setting::new(80, &here),
            passes: vec!["/a"],
            logs: vec!["main.log"],
            aliases: vec!["main"],
        };
        let section = Sample {
            port: Setting::UNSET,
            passes: vec!["/b"],
            logs: vec![],
            aliases: vec![],
        };
        let both = Sample::merge(&base, &section);
        assert_eq!(both.port.or(0), 80);
        assert_eq!(
            both.port.place().map(ToString::to_string),
            Some("a.conf:3".to_owned())
        );
        assert_eq!(both.passes, ["/a", "/b"]);
        assert_eq!(both.logs, ["main.log"]);
        assert_eq!(both.aliases, [""; 0]);
    }

    #[test]
    fn settings_compare_by_value_and_print_their_place() {
        let one = Setting::new(5_u32, &Place::new("a.conf", 1));
        let other = Setting::new(5_u32, &Place::new("b.conf", 9));
        assert_eq!(one, other);
        assert_eq!(format!("{one:?}"), "5 @ a.conf:1");
        assert_eq!(format!("{:?}", Setting::<u32>::UNSET), "-");
    }
}
