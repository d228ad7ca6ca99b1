//! `strftime` formats for `%{format}t`, in the C locale, as httpd runs.
//!
//! A format is taken apart once; rendering writes pieces. A conversion that strftime does not know is printed as
//! it stands, which is what the C library does.

use super::zone::{Wall, digits, padded};

/// A compiled format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strftime(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    /// A conversion letter and the fill it asks for instead of the usual one.
    Conversion(u8, Fill),
}

/// How a number narrower than its field is filled up; the GNU flags `-`, `_` and `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Usual,
    None,
    Blank,
    Zero,
}

impl Fill {
    fn number(self, out: &mut Vec<u8>, value: u32, width: usize, usual: u8) {
        match self {
            Self::Usual => padded(out, value, width, usual),
            Self::None => padded(out, value, 0, b'0'),
            Self::Blank => padded(out, value, width, b' '),
            Self::Zero => padded(out, value, width, b'0'),
        }
    }
}

const CONVERSIONS: &[u8] = b"aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%";

impl Strftime {
    /// Takes a format apart. Every format is valid.
    #[must_use]
    pub(super) fn compile(format: &str) -> Self {
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let mut rest = format.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let conversion = if byte == b'%' {
                conversion(after)
            } else {
                None
            };
            let Some((letter, fill, length)) = conversion else {
                text.push(byte);
                continue;
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text).into()));
            }
            pieces.push(Piece::Conversion(letter, fill));
            rest = after.get(length..).unwrap_or_default();
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        Self(pieces)
    }

    /// Appends a time in this format.
    pub(super) fn render(&self, wall: &Wall<'_>, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Conversion(letter, fill) => convert(*letter, *fill, wall, out),
            }
        }
    }
}

/// The conversion after a `%`: its letter, its fill, and how many bytes it takes.
fn conversion(after: &[u8]) -> Option<(u8, Fill, usize)> {
    let (fill, flags) = match after.first()? {
        b'-' => (Fill::None, 1),
        b'_' => (Fill::Blank, 1),
        b'0' => (Fill::Zero, 1),
        // POSIX's alternative forms are the usual ones in the C locale.
        b'E' | b'O' => (Fill::Usual, 1),
        _ => (Fill::Usual, 0),
    };
    let letter = *after.get(flags)?;
    CONVERSIONS
        .contains(&letter)
        .then_some((letter, fill, flags + 1))
}

fn convert(letter: u8, fill: Fill, wall: &Wall<'_>, out: &mut Vec<u8>) {
    let hour12 = (wall.hour + 11) % 12 + 1;
    let is_pm = wall.hour >= 12;
    match letter {
        b'a' => out.extend_from_slice(wall.weekday_short()),
        b'A' => out.extend_from_slice(wall.weekday_name().as_bytes()),
        b'b' | b'h' => out.extend_from_slice(wall.month_short()),
        b'B' => out.extend_from_slice(wall.month_name().as_bytes()),
        b'c' => {
            out.extend_from_slice(wall.weekday_short());
            out.push(b' ');
            out.extend_from_slice(wall.month_short());
            out.push(b' ');
            padded(out, wall.day, 2, b' ');
            out.push(b' ');
            wall.time_of_day(out);
            out.push(b' ');
            digits(out, wall.year, 4);
        }
        b'C' => fill.number(out, wall.year / 100, 2, b'0'),
        b'd' => fill.number(out, wall.day, 2, b'0'),
        b'D' | b'x' => joined(out, b'/', [wall.month, wall.day, wall.year % 100]),
        b'e' => fill.number(out, wall.day, 2, b' '),
        b'F' => {
            digits(out, wall.year, 4);
            out.push(b'-');
            joined(out, b'-', [wall.month, wall.day]);
        }
        b'g' => fill.number(out, iso_week(wall).0 % 100, 2, b'0'),
        b'G' => fill.number(out, iso_week(wall).0, 4, b'0'),
        b'H' => fill.number(out, wall.hour, 2, b'0'),
        b'I' => fill.number(out, hour12, 2, b'0'),
        b'j' => fill.number(out, wall.day_of_year, 3, b'0'),
        b'k' => fill.number(out, wall.hour, 2, b' '),
        b'l' => fill.number(out, hour12, 2, b' '),
        b'm' => fill.number(out, wall.month, 2, b'0'),
        b'M' => fill.number(out, wall.minute, 2, b'0'),
        b'n' => out.push(b'\n'),
        b'p' => out.extend_from_slice(if is_pm { b"PM" } else { b"AM" }),
        b'P' => out.extend_from_slice(if is_pm { b"pm" } else { b"am" }),
        b'r' => {
            joined(out, b':', [hour12, wall.minute, wall.second]);
            out.extend_from_slice(if is_pm { b" PM" } else { b" AM" });
        }
        b'R' => joined(out, b':', [wall.hour, wall.minute]),
        b's' => out.extend_from_slice(itoa::Buffer::new().format(wall.unix_s()).as_bytes()),
        b'S' => fill.number(out, wall.second, 2, b'0'),
        b't' => out.push(b'\t'),
        b'T' | b'X' => wall.time_of_day(out),
        b'u' => fill.number(out, (wall.weekday + 6) % 7 + 1, 1, b'0'),
        b'U' => fill.number(out, (wall.day_of_year + 6 - wall.weekday) / 7, 2, b'0'),
        b'V' => fill.number(out, iso_week(wall).1, 2, b'0'),
        b'w' => fill.number(out, wall.weekday, 1, b'0'),
        b'W' => {
            let since_monday = (wall.weekday + 6) % 7;
            fill.number(out, (wall.day_of_year + 6 - since_monday) / 7, 2, b'0');
        }
        b'y' => fill.number(out, wall.year % 100, 2, b'0'),
        b'Y' => fill.number(out, wall.year, 4, b'0'),
        b'z' => wall.offset(out),
        b'Z' => out.extend_from_slice(wall.zone_name().as_bytes()),
        other => out.push(other),
    }
}

/// Appends two-digit numbers with `between` between them.
fn joined<const N: usize>(out: &mut Vec<u8>, between: u8, numbers: [u32; N]) {
    for (index, number) in numbers.into_iter().enumerate() {
        if index > 0 {
            out.push(between);
        }
        digits(out, number, 2);
    }
}

/// ISO 8601's year and week: the week belongs to the year that its Thursday is in.
fn iso_week(wall: &Wall<'_>) -> (u32, u32) {
    let iso_day = (wall.weekday + 6) % 7 + 1;
    // The week number that this year would give; 0 means the last week of the year before.
    let week = (wall.day_of_year + 10 - iso_day) / 7;
    if week == 0 {
        return (wall.year - 1, weeks_in(wall.year - 1));
    }
    if week > weeks_in(wall.year) {
        return (wall.year + 1, 1);
    }
    (wall.year, week)
}

/// A year has 53 ISO weeks when it ends on a Thursday, or begins on one.
fn weeks_in(year: u32) -> u32 {
    let last_weekday = |year: u32| (year + year / 4 - year / 100 + year / 400) % 7;
    if last_weekday(year) == 4 || last_weekday(year - 1) == 3 {
        53
    } else {
        52
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;

    fn at(unix_s: u64, format: &str) -> String {
        let mut out = Vec::new();
        let zone = Zone::utc();
        Strftime::compile(format).render(&zone.wall(unix_s * 1_000_000), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn conversions_print_what_the_c_library_prints() {
        // Wednesday 4 November 2026, 03:07:09 UTC, checked against date(1).
        let rows = [
            ("%a %A %b %B %h", "Wed Wednesday Nov November Nov"),
            ("%c", "Wed Nov  4 03:07:09 2026"),
            ("%C %d %D %e %F", "20 04 11/04/26  4 2026-11-04"),
            ("%g %G %V %U %W", "26 2026 45 44 44"),
            ("%H %I %j %k %l", "03 03 308  3  3"),
            ("%m %M %S %s", "11 07 09 1793761629"),
            ("%p %P %r %R %T", "AM am 03:07:09 AM 03:07 03:07:09"),
            ("%u %w %x %X %y %Y", "3 3 11/04/26 03:07:09 26 2026"),
            ("%z %Z %% %n%t", "+0000 UTC % \n\t"),
            ("%-d %_H %0e %-j %Ey %OS", "4  3 04 308 26 09"),
        ];
        for (format, text) in rows {
            assert_eq!(at(1_793_761_629, format), text, "{format}");
        }
    }

    #[test]
    fn noon_and_midnight_are_twelve() {
        assert_eq!(at(0, "%I %p %l"), "12 AM 12");
        assert_eq!(at(43_200, "%I %p"), "12 PM");
    }

    #[test]
    fn the_days_around_new_year_belong_to_the_week_of_their_thursday() {
        assert_eq!(at(1_609_459_200, "%F %G-%V"), "2021-01-01 2020-53");
        assert_eq!(at(1_735_603_200, "%F %G-%V"), "2024-12-31 2025-01");
        assert_eq!(at(1_798_675_200, "%F %G-%V"), "2026-12-31 2026-53");
    }

    #[test]
    fn what_is_no_conversion_is_text() {
        assert_eq!(at(0, "plain %Q %-Q 100%"), "plain %Q %-Q 100%");
        assert_eq!(at(0, ""), "");
    }
}
