//! Numbers, sizes, spans of time and dates as httpd's pages write them.
//!
//! Responsible for: text. Not responsible for: where a number comes from. Numbers come from shared memory that children can write, so
//! none of them is too large for any function here.

use std::time::{Duration, UNIX_EPOCH};

/// A size in four characters, as apr_strfsize writes it: `  0 `, `972 `, `1.0K`, ` 12M`.
#[must_use]
pub fn size4(bytes: u64) -> String {
    if bytes < 973 {
        return format!("{bytes:3} ");
    }
    let mut size = bytes;
    for unit in ['K', 'M', 'G', 'T', 'P', 'E'] {
        let rest = size & 1023;
        size >>= 10;
        if size >= 973 {
            continue;
        }
        if size < 9 || (size == 9 && rest < 973) {
            let tenths = (rest * 5 + 256) / 512;
            let (whole, tenth) = if tenths >= 10 {
                (size + 1, 0)
            } else {
                (size, tenths)
            };
            return format!("{whole}.{tenth}{unit}");
        }
        return format!("{:3}{unit}", size + u64::from(rest >= 512));
    }
    unreachable!("2^64 bytes are 16 EiB");
}

/// A size with its unit, as mod_status writes it: `2389 B`, `7.0 kB`, `1.5 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let (kilo, mega, giga) = (1_u64 << 10, 1_u64 << 20, 1_u64 << 30);
    let in_units = |unit: u64| approximate(bytes) / approximate(unit);
    if bytes < 5 * kilo {
        format!("{bytes} B")
    } else if bytes < mega / 2 {
        format!("{:.1} kB", in_units(kilo))
    } else if bytes < giga / 2 {
        format!("{:.1} MB", in_units(mega))
    } else {
        format!("{:.1} GB", in_units(giga))
    }
}

/// Whole kilobytes, as mod_proxy counts them: rounded down.
#[must_use]
pub const fn kilobytes(bytes: u64) -> u64 {
    bytes / 1024
}

/// A count with its thousands apart, for people.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with six significant digits and nothing superfluous. httpd's own printf drops the zero before the point and may write
/// `1e+06`; programs that read its numbers read these too, and so do those that are not as patient.
#[must_use]
pub fn number(value: f64) -> String {
    significant(value, 6)
}

/// A number with three significant digits, for people.
#[must_use]
pub fn brief(value: f64) -> String {
    significant(value, 3)
}

/// A number with so many significant digits, but never without its whole part.
fn significant(value: f64, digits: u8) -> String {
    if !value.is_finite() || value == 0.0 {
        return "0".to_owned();
    }
    // 0 for 1..10, 1 for 10..100, -1 for 0.1..1
    let magnitude = value.abs().log10().floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what a format width may be"
    )]
    let decimals = (f64::from(digits) - 1.0 - magnitude).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `part / whole`, or nothing where that has no meaning.
#[must_use]
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        approximate(part) / approximate(whole)
    }
}

/// A whole number as a floating one.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "what is shown has six digits, and 53 bits hold fifteen"
)]
pub const fn approximate(count: u64) -> f64 {
    count as f64
}

/// A span of time in words: `3 days 4 hours 5 minutes 6 seconds`.
#[must_use]
pub fn span(seconds: u64) -> String {
    let parts = [
        (seconds / 86400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() {
        "0 seconds".to_owned()
    } else {
        words.join(" ")
    }
}

/// A span of time in few characters: `6s`, `5m06s`, `4h05m`, `3d04h`.
#[must_use]
pub fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// A moment as mod_status writes it, always in UTC: `Tuesday, 24-Nov-2026 15:42:53 UTC`.
#[must_use]
pub fn moment(unix_ms: u64) -> String {
    let date = http_date(unix_ms);
    let mut words = date.split(' ');
    let (weekday, day) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (month, year, time) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let weekday = match weekday {
        "Mon," => "Monday",
        "Tue," => "Tuesday",
        "Wed," => "Wednesday",
        "Thu," => "Thursday",
        "Fri," => "Friday",
        "Sat," => "Saturday",
        _ => "Sunday",
    };
    format!("{weekday}, {day}-{month}-{year} {time} UTC")
}

/// A moment as HTTP writes it: `Tue, 24 Nov 2026 15:42:53 GMT`.
#[must_use]
pub fn http_date(unix_ms: u64) -> String {
    // The last second of the year 9999, beyond which the format has no words.
    const LAST_MS: u64 = 253_402_300_799_999;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(unix_ms.min(LAST_MS)))
}

/// A member's URL fit to be shown: without the password that it may hold.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    match authority.rsplit_once('@') {
        Some((userinfo, host)) if userinfo.contains(':') => {
            let user = userinfo.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:xxxxx@{host}{path}")
        }
        Some(_) | None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_four_characters() {
        for (bytes, text) in [
            (0, "  0 "),
            (972, "972 "),
            (973, "1.0K"),
            (1024, "1.0K"),
            (9 * 1024 + 972, "9.9K"),
            (9 * 1024 + 973, " 10K"),
            (12 * 1024 + 511, " 12K"),
            (12 * 1024 + 512, " 13K"),
            (972 * 1024, "972K"),
            (973 * 1024, "1.0M"),
            (1 << 30, "1.0G"),
            (u64::MAX, " 16E"),
        ] {
            assert_eq!(size4(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn sizes_with_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (5119, "5119 B"),
            (7168, "7.0 kB"),
            (524_288, "0.5 MB"),
            (3 << 30, "3.0 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn numbers_have_six_digits_and_no_exponent() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.0123, "0.0123"),
            (2.0 / 3.0, "0.666667"),
            (1e6, "1000000"),
            (1_234_567.8, "1234568"),
            (2389.33333, "2389.33"),
            (1e-9, "0.000000001"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(brief(0.001_641_09), "0.00164");
        assert_eq!(brief(1234.5), "1234");
        assert!(number(f64::MAX).len() > 300, "even that is a number");
        assert_eq!(ratio(1, 0), 0.0);
    }

    #[test]
    fn counts_in_thousands() {
        let texts = [0, 12, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn spans_of_time() {
        for (seconds, long, short) in [
            (0, "0 seconds", "0s"),
            (1, "1 second", "1s"),
            (306, "5 minutes 6 seconds", "5m06s"),
            (3600, "1 hour", "1h00m"),
            (
                86_400 + 2 * 3600 + 61,
                "1 day 2 hours 1 minute 1 second",
                "1d02h",
            ),
        ] {
            assert_eq!(span(seconds), long);
            assert_eq!(age(seconds), short);
        }
    }

    #[test]
    fn moments() {
        assert_eq!(
            moment(1_795_534_973_123),
            "Tuesday, 24-Nov-2026 15:42:53 UTC"
        );
        assert_eq!(moment(0), "Thursday, 01-Jan-1970 00:00:00 UTC");
        assert_eq!(http_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("http://a:8080/x", "http://a:8080/x"),
            ("ftp://u:p@ss@a/x@y:z", "ftp://u:xxxxx@a/x@y:z"),
            ("ftp://u@a/", "ftp://u@a/"),
            ("odd", "odd"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
