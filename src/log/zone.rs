//! Local time: what the clock on the operator's wall shows, in the forms that logs want.
//!
//! The zone's rules are read once, at start, before anything serves; a change of daylight saving needs no restart.
//! Rendering a time neither allocates nor asks the operating system.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneOffsetInfo};

/// The rules of one time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    #[must_use]
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Always so many seconds east of Greenwich; UTC when that is more than a day.
    #[must_use]
    pub fn fixed(seconds_east: i32) -> Self {
        let offset = Offset::from_seconds(seconds_east);
        offset.map_or_else(|_| Self::utc(), |offset| Self(offset.to_time_zone()))
    }

    /// The zone of this machine: `TZ`, else `/etc/localtime`, else UTC. Reads files: for start-up only.
    #[must_use]
    pub fn system() -> Self {
        TimeZone::try_system().map_or_else(|_| Self::utc(), Self)
    }

    /// What the clock on the wall shows at `unix_us`.
    #[must_use]
    pub fn wall(&self, unix_us: u64) -> Wall<'_> {
        let at = i64::try_from(unix_us)
            .ok()
            .and_then(|us| Timestamp::from_microsecond(us).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let info = self.0.to_offset_info(at);
        let local = info.offset().to_datetime(at);
        // Times before 1970 cannot be asked for, so no field of the local time is negative.
        Wall {
            unix_us,
            year: u32::from(local.year().unsigned_abs()),
            month: u32::from(local.month().unsigned_abs()),
            day: u32::from(local.day().unsigned_abs()),
            hour: u32::from(local.hour().unsigned_abs()),
            minute: u32::from(local.minute().unsigned_abs()),
            second: u32::from(local.second().unsigned_abs()),
            weekday: u32::from(local.weekday().to_sunday_zero_offset().unsigned_abs()),
            day_of_year: u32::from(local.day_of_year().unsigned_abs()),
            info,
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

/// One moment as a wall clock and a calendar show it.
#[derive(Clone, Debug)]
pub struct Wall<'z> {
    unix_us: u64,
    pub(super) year: u32,
    /// 1 to 12.
    pub(super) month: u32,
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    /// 0 is Sunday.
    pub(super) weekday: u32,
    /// 1 is the first of January.
    pub(super) day_of_year: u32,
    info: TimeZoneOffsetInfo<'z>,
}

impl Wall<'_> {
    /// The time as the common log format has it: `[24/Nov/2026:15:31:31 +0000]`.
    pub fn clf(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        digits(out, self.day, 2);
        out.push(b'/');
        out.extend_from_slice(self.month_short());
        out.push(b'/');
        digits(out, self.year, 4);
        out.push(b':');
        self.time_of_day(out);
        out.push(b' ');
        self.offset(out);
        out.push(b']');
    }

    /// The time as the error log has it: `Wed Oct 11 14:32:52.123456 2000`.
    pub fn error_log(&self, out: &mut Vec<u8>, with_us: bool) {
        out.extend_from_slice(self.weekday_short());
        out.push(b' ');
        out.extend_from_slice(self.month_short());
        out.push(b' ');
        digits(out, self.day, 2);
        out.push(b' ');
        self.time_of_day(out);
        if with_us {
            out.push(b'.');
            digits(out, self.us(), 6);
        }
        out.push(b' ');
        digits(out, self.year, 4);
    }

    /// The time as ISO 8601 has it, without the zone: `2026-11-24 15:31:31`.
    pub fn compact(&self, out: &mut Vec<u8>, with_us: bool) {
        digits(out, self.year, 4);
        out.push(b'-');
        digits(out, self.month, 2);
        out.push(b'-');
        digits(out, self.day, 2);
        out.push(b' ');
        self.time_of_day(out);
        if with_us {
            out.push(b'.');
            digits(out, self.us(), 6);
        }
    }

    /// The time as syslog has it (RFC 3164 §4.1.2): `Nov  4 15:31:31`.
    pub fn syslog(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.month_short());
        out.push(b' ');
        padded(out, self.day, 2, b' ');
        out.push(b' ');
        self.time_of_day(out);
    }

    /// `15:31:31`
    pub(super) fn time_of_day(&self, out: &mut Vec<u8>) {
        digits(out, self.hour, 2);
        out.push(b':');
        digits(out, self.minute, 2);
        out.push(b':');
        digits(out, self.second, 2);
    }

    /// `+0100`
    pub(super) fn offset(&self, out: &mut Vec<u8>) {
        let east = self.info.offset().seconds();
        out.push(if east < 0 { b'-' } else { b'+' });
        let minutes = east.unsigned_abs() / 60;
        digits(out, minutes / 60, 2);
        digits(out, minutes % 60, 2);
    }

    /// The zone's abbreviation at that time, such as `CEST`.
    pub(super) fn zone_name(&self) -> &str {
        self.info.abbreviation()
    }

    /// Whole seconds since 1970 in UTC.
    pub(super) const fn unix_s(&self) -> u64 {
        self.unix_us / 1_000_000
    }

    /// The µs of the second.
    pub(super) fn us(&self) -> u32 {
        u32::try_from(self.unix_us % 1_000_000).expect("a remainder of a million fits")
    }

    pub(super) fn month_name(&self) -> &'static str {
        name(&MONTHS, self.month.saturating_sub(1))
    }

    pub(super) fn weekday_name(&self) -> &'static str {
        name(&WEEKDAYS, self.weekday)
    }

    pub(super) fn month_short(&self) -> &'static [u8] {
        short(self.month_name())
    }

    pub(super) fn weekday_short(&self) -> &'static [u8] {
        short(self.weekday_name())
    }
}

fn name(names: &'static [&'static str], index: u32) -> &'static str {
    names
        .get(index as usize)
        .expect("the calendar has no thirteenth month and no eighth day")
}

fn short(name: &'static str) -> &'static [u8] {
    name.as_bytes()
        .get(..3)
        .expect("no name is shorter than `May`")
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Appends a number with leading zeros.
pub(super) fn digits(out: &mut Vec<u8>, value: u32, width: usize) {
    padded(out, value, width, b'0');
}

/// Appends a number, filled up on the left.
pub(super) fn padded(out: &mut Vec<u8>, value: u32, width: usize, fill: u8) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value);
    for _ in text.len()..width {
        out.push(fill);
    }
    out.extend_from_slice(text.as_bytes());
}

/// Remembers the common log format's text of the last seconds: requests that end together mostly began together.
#[derive(Debug, Default)]
pub struct ClfCache([Option<(u64, Vec<u8>)>; CACHED]);

/// Four seconds, as httpd keeps: slow and quick exchanges end side by side.
const CACHED: usize = 4;

impl ClfCache {
    /// Appends the common log format's time of `unix_us`.
    pub fn render(&mut self, zone: &Zone, unix_us: u64, out: &mut Vec<u8>) {
        let second = unix_us / 1_000_000;
        let index = usize::try_from(second % 4).expect("below four");
        let Some(cell) = self.0.get_mut(index) else {
            return;
        };
        match cell {
            Some((known, text)) if *known == second => out.extend_from_slice(text),
            _ => {
                let (known, text) = cell.get_or_insert_with(|| (second, Vec::with_capacity(32)));
                *known = second;
                text.clear();
                zone.wall(unix_us).clf(text);
                out.extend_from_slice(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 November 2026, 15:31:31.844927 UTC, a Tuesday.
    const AT: u64 = 1_795_534_291_844_927;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_log_has_its_own_form_of_time() {
        let zone = Zone::utc();
        let wall = zone.wall(AT);
        assert_eq!(text(|out| wall.clf(out)), "[24/Nov/2026:15:31:31 +0000]");
        assert_eq!(
            text(|out| wall.error_log(out, true)),
            "Tue Nov 24 15:31:31.844927 2026"
        );
        assert_eq!(
            text(|out| wall.error_log(out, false)),
            "Tue Nov 24 15:31:31 2026"
        );
        assert_eq!(
            text(|out| wall.compact(out, true)),
            "2026-11-24 15:31:31.844927"
        );
        assert_eq!(text(|out| wall.syslog(out)), "Nov 24 15:31:31");
    }

    #[test]
    fn an_offset_moves_the_clock_and_shows_its_sign() {
        let west = Zone::fixed(-(3 * 3600 + 30 * 60));
        assert_eq!(
            text(|out| west.wall(AT).clf(out)),
            "[24/Nov/2026:12:01:31 -0330]"
        );
        let east = Zone::fixed(14 * 3600);
        assert_eq!(
            text(|out| east.wall(AT).clf(out)),
            "[25/Nov/2026:05:31:31 +1400]"
        );
    }

    #[test]
    fn daylight_saving_follows_the_rules_of_the_zone() {
        let berlin = Zone(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let july = 1_783_684_800_000_000; // 2026-07-10 12:00:00 UTC
        assert_eq!(
            text(|out| berlin.wall(july).clf(out)),
            "[10/Jul/2026:14:00:00 +0200]"
        );
        assert_eq!(berlin.wall(july).zone_name(), "CEST");
        assert_eq!(
            text(|out| berlin.wall(AT).clf(out)),
            "[24/Nov/2026:16:31:31 +0100]"
        );
    }

    #[test]
    fn times_beyond_the_calendar_show_the_epoch_instead_of_failing() {
        let zone = Zone::utc();
        assert_eq!(zone.wall(u64::MAX).year, 1970);
        assert_eq!(
            text(|out| Zone::fixed(i32::MAX).wall(0).clf(out)),
            "[01/Jan/1970:00:00:00 +0000]"
        );
    }

    #[test]
    fn the_cache_never_shows_another_second() {
        let zone = Zone::utc();
        let mut cache = ClfCache::default();
        for step in [0, 1, 0, 4, 8, 4, 3, 0] {
            let at = AT + step * 1_000_000;
            assert_eq!(
                text(|out| cache.render(&zone, at, out)),
                text(|out| zone.wall(at).clf(out))
            );
        }
    }
}
