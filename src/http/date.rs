//! Dates as messages write them (RFC 9110 §5.6.7).
//!
//! Responsible for: turning seconds since 1970 into text, once a second at most, and text into seconds. Not
//! responsible for: knowing the time, which comes from the caller, or a log's dates (`log::strftime`).

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999, beyond which the format has no digits.
const LAST_SECOND: u64 = 253_402_300_799;

/// The date of one second, `Tue, 10 Oct 2000 13:55:36 GMT`, remembered until the second changes.
#[derive(Clone, Debug)]
pub struct DateCache {
    secs: u64,
    text: [u8; 29],
}

impl DateCache {
    /// The date of the given second since 1970.
    pub fn at(&mut self, secs: u64) -> &[u8] {
        if secs != self.secs {
            self.secs = secs;
            self.text = format(secs);
        }
        &self.text
    }
}

impl Default for DateCache {
    fn default() -> Self {
        Self {
            secs: 0,
            text: format(0),
        }
    }
}

/// The date of the given second since 1970.
#[must_use]
pub fn format(secs: u64) -> [u8; 29] {
    let time = UNIX_EPOCH + Duration::from_secs(secs.min(LAST_SECOND));
    let mut text = [b' '; 29];
    write!(text.as_mut_slice(), "{}", httpdate::HttpDate::from(time))
        .expect("a date up to the year 9999 has 29 bytes");
    text
}

/// Reads any of the three forms of a date; seconds since 1970.
#[must_use]
pub fn parse(value: &[u8]) -> Option<u64> {
    let time: SystemTime = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// A date in one of the obsolete forms, or with a day of one digit, in today's form. `None` when it is in that already,
/// or is no date.
#[must_use]
pub fn modern(value: &[u8]) -> Option<[u8; 29]> {
    const FORM: usize = "Sun, 06 Nov 1994 08:49:37 GMT".len();
    if value.len() == FORM && value.ends_with(b" GMT") {
        return None;
    }
    let secs = parse(value).or_else(|| {
        let day_at = memchr::memmem::find(value, b", ")? + 2;
        let (front, day) = value.split_at_checked(day_at)?;
        parse(&[front, b"0", day].concat())
    })?;
    Some(format(secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_rfc_wants_them() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (971_186_136, "Tue, 10 Oct 2000 13:55:36 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        let mut cache = DateCache::default();
        for (secs, text) in table {
            assert_eq!(cache.at(secs), text.as_bytes(), "{secs}");
            assert_eq!(cache.at(secs), text.as_bytes(), "{secs}");
        }
    }

    #[test]
    fn old_forms_become_todays() {
        const TODAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let table = [
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(TODAY)),
            ("Sun Nov  6 08:49:37 1994", Some(TODAY)),
            ("Sun, 6 Nov 1994 08:49:37 GMT", Some(TODAY)),
            (TODAY, None),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            // Another zone is another time: httpd takes it for GMT.
            ("Sun, 06 Nov 1994 08:49:37 +0100", None),
            ("0", None),
            ("", None),
            (", ", None),
        ];
        for (old, new) in table {
            let found = modern(old.as_bytes());
            assert_eq!(
                found.as_ref().map(<[u8; 29]>::as_slice),
                new.map(str::as_bytes),
                "{old}"
            );
        }
    }

    #[test]
    fn old_forms_are_read_and_nonsense_is_not() {
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(form.as_bytes()), Some(784_111_777), "{form}");
        }
        for bad in ["", "tomorrow", "Sun, 06 Nov 1994", "\u{ff}"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
