//! The parameters of workers, members and balancers: one table each.
//!
//! Responsible for: every key that mod_proxy knows, its range, httpd's words when the value is wrong, and whether its effect exists here yet.
//! A parameter marked [`Effect::Later`] is read, checked and stored like any other; using one is told once at start. So are the directives
//! in [`DIRECTIVE_EFFECTS`].
//!
//! Know first: keys are case-insensitive. httpd reads most numbers with `atoi` and ignores what follows the digits, so that `timeout=5ms`
//! means five seconds; here that is an error, with httpd's message about the range.

mod balancer;
mod member;

pub use balancer::BALANCER_PARAMS;
pub use member::MEMBER_PARAMS;

use super::args::{Unit, on_off, time_ms, whole};
use super::setting::Setting;
use super::source::Place;

/// Whether a parameter or a directive does anything yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does what httpd's manual says.
    Now,
    /// It tunes something that is not needed here. Accepted in silence, because nothing that a client or a backend sees depends on it.
    Moot,
    /// It is stored; nothing looks at it yet. Says what happens instead.
    Later(&'static str),
}

/// One key of a worker, member or balancer.
#[derive(Debug)]
pub struct Param<T> {
    /// The key in lower case.
    pub key: &'static str,
    /// Whether it does anything yet.
    pub effect: Effect,
    /// The module without which it is unknown; empty for mod_proxy itself.
    pub module: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    /// A value that a test sets.
    pub example: &'static str,
    apply: fn(&mut T, &Given<'_>) -> Result<(), Fault>,
}

/// A value and where it stands.
struct Given<'a> {
    value: &'a str,
    place: &'a Place,
}

/// Why a value is wrong: httpd's words, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl<T> Param<T> {
    const fn new(
        key: &'static str,
        help: &'static str,
        example: &'static str,
        apply: fn(&mut T, &Given<'_>) -> Result<(), Fault>,
    ) -> Self {
        Self {
            key,
            effect: Effect::Now,
            module: "",
            help,
            example,
            apply,
        }
    }

    const fn with(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    const fn of(self, module: &'static str) -> Self {
        Self { module, ..self }
    }

    /// Sets the value.
    pub(crate) fn set(&self, params: &mut T, value: &str, place: &Place) -> Result<(), Fault> {
        (self.apply)(params, &Given { value, place })
    }
}

/// The entry with this key, in any case.
pub(crate) fn find<T>(table: &'static [Param<T>], key: &str) -> Option<&'static Param<T>> {
    table
        .iter()
        .find(|param| param.key.eq_ignore_ascii_case(key))
}

/// Directives, or values of them, whose effect is still to come, with what happens instead.
pub static DIRECTIVE_EFFECTS: &[(&str, &str)] = &[
    (
        "BalancerPersist On",
        "changes made while running last until the server stops",
    ),
    (
        "BufferedLogs On",
        "each line is written when its request ends",
    ),
    ("CoreDumpDirectory", "cores go where the system puts them"),
    ("HostnameLookups On", "clients are known by address"),
    ("ProxyReceiveBufferSize", "the system chooses the size"),
    (
        "SeeRequestTail On",
        "long request lines are shown from their beginning",
    ),
    (
        "UseCanonicalName Dns",
        "the name is that of ServerName, as with On",
    ),
];

/// The parameters and directives whose effect is still to come.
pub fn later_effects() -> Vec<&'static str> {
    let is_later = |effect: Effect| matches!(effect, Effect::Later(_));
    let members = MEMBER_PARAMS
        .iter()
        .filter(|param| is_later(param.effect))
        .map(|param| param.key);
    let balancers = BALANCER_PARAMS
        .iter()
        .filter(|param| is_later(param.effect))
        .map(|param| param.key);
    let directives = DIRECTIVE_EFFECTS.iter().map(|(name, _)| *name);
    members.chain(balancers).chain(directives).collect()
}

/// Sets a field to a whole number within bounds, or fails with httpd's words.
macro_rules! int {
    ($field:ident, $bounds:expr, $message:expr) => {
        |params, given| {
            params.$field = given.int($bounds, $message)?;
            Ok(())
        }
    };
}
use int;

/// Sets a field to On or Off, or fails with httpd's words.
macro_rules! flag {
    ($field:ident, $message:expr) => {
        |params, given| {
            params.$field = given.flag($message)?;
            Ok(())
        }
    };
}
use flag;

/// Sets a field to a text shorter than a shared record's field.
macro_rules! text {
    ($field:ident, $size:expr, $what:expr) => {
        |params, given| {
            params.$field = given.short($size, $what)?;
            Ok(())
        }
    };
}
use text;

impl Given<'_> {
    fn set<T>(&self, value: T) -> Setting<T> {
        Setting::new(value, self.place)
    }

    fn int(
        &self,
        bounds: std::ops::RangeInclusive<u32>,
        message: &str,
    ) -> Result<Setting<u32>, Fault> {
        let number = whole(self.value);
        let value = number
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| bounds.contains(value));
        value
            .map(|value| self.set(value))
            .ok_or_else(|| match number {
                Some(_) => Fault::new(message),
                None => Fault::new(message).hint("write a whole number without a unit"),
            })
    }

    fn time(&self, unit: Unit, message: &str, bad_format: &str) -> Result<Setting<u32>, Fault> {
        let value = time_ms(self.value, unit).ok_or_else(|| {
            Fault::new(bad_format)
                .hint("write a whole number, with ms, s, min or h behind it if it needs a unit")
        })?;
        let value = u32::try_from(value).map_err(|_| Fault::new(bad_format))?;
        if value == 0 {
            Err(Fault::new(message))
        } else {
            Ok(self.set(value))
        }
    }

    fn flag(&self, message: &str) -> Result<Setting<bool>, Fault> {
        on_off(self.value)
            .map(|value| self.set(value))
            .ok_or_else(|| Fault::new(message))
    }

    fn short(&self, size: usize, what: &str) -> Result<Setting<String>, Fault> {
        if self.value.len() < size {
            Ok(self.set(self.value.to_owned()))
        } else {
            Err(Fault::new(format!(
                "{what} length must be < {size} characters"
            )))
        }
    }
}

/// What httpd accepts where it only asks for no minus sign.
const ANY: std::ops::RangeInclusive<u32> = 0..=i32::MAX.unsigned_abs();
/// What httpd accepts where zero means nothing.
const POSITIVE: std::ops::RangeInclusive<u32> = 1..=i32::MAX.unsigned_abs();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{BalancerParams, MemberParams};

    #[test]
    fn tables_are_sorted_and_their_examples_are_accepted() {
        let place = Place::new("t", 1);
        for param in MEMBER_PARAMS {
            param
                .set(&mut MemberParams::default(), param.example, &place)
                .unwrap_or_else(|why| panic!("{}: {why:?}", param.key));
        }
        for param in BALANCER_PARAMS {
            param
                .set(&mut BalancerParams::default(), param.example, &place)
                .unwrap_or_else(|why| panic!("{}: {why:?}", param.key));
        }
        assert!(MEMBER_PARAMS.is_sorted_by_key(|param| param.key));
        assert!(BALANCER_PARAMS.is_sorted_by_key(|param| param.key));
    }

    #[test]
    fn load_factors_have_two_decimals() {
        let place = Place::new("t", 1);
        let rows = [
            ("1", Some(100)),
            ("1.5", Some(150)),
            ("2.25", Some(225)),
            ("100", Some(10_000)),
            ("100.01", None),
            ("0.99", None),
            ("x", None),
            ("-1", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let mut params = MemberParams::default();
            let outcome = find(MEMBER_PARAMS, "LoadFactor")
                .unwrap()
                .set(&mut params, text, &place);
            assert_eq!(outcome.is_ok(), expected.is_some(), "{text}");
            assert_eq!(
                params.load_factor_percent.get().copied(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn status_letters_accumulate() {
        let place = Place::new("t", 1);
        let param = find(MEMBER_PARAMS, "status").unwrap();
        let mut params = MemberParams::default();
        param.set(&mut params, "+H-E", &place).unwrap();
        param.set(&mut params, "-h", &place).unwrap();
        assert_eq!(format!("{:?}", params.status.get().unwrap()), "+ -EH");
    }
}
