//! From PCRE's syntax to the syntax of the engines behind [`super::Pattern`].
//!
//! Responsible for: reading a pattern byte by byte and writing the same meaning in words that both engines read
//! the same way, and for noticing what only the backtracking engine can do. Not responsible for: validity; what
//! passes here unchanged is checked by the engine.
//!
//! Know first: the output is pure ASCII. Bytes above 0x7F are written as `\xHH`, because httpd matches bytes and
//! not characters. Inside a class everything but a range's dash is escaped: `&&`, `--`, `~~` and a nested `[` are
//! set operations to the engines and plain bytes to PCRE.

use std::fmt::Write as _;

/// A pattern rewritten.
pub(super) struct Translated {
    /// For the engine.
    pub(super) text: String,
    /// The feature that only the backtracking engine has, if the pattern uses one.
    pub(super) backtracks_for: Option<&'static str>,
}

/// Rewrites a pattern; an error is in words for the operator.
pub(super) fn translate(text: &str) -> Result<Translated, String> {
    let mut reader = Reader {
        rest: text.as_bytes(),
        groups_total: count_groups(text.as_bytes()),
        groups_opened: 0,
        out: String::with_capacity(text.len() + 16),
        backtracks_for: None,
    };
    while let Some(byte) = reader.next() {
        match byte {
            b'\\' => reader.escape()?,
            b'[' => reader.class()?,
            b'(' => reader.group()?,
            b'*' | b'+' | b'?' => {
                reader.out.push(char::from(byte));
                reader.after_quantifier();
            }
            b'{' => reader.brace(),
            _ => reader.plain(byte),
        }
    }
    Ok(Translated {
        text: reader.out,
        backtracks_for: reader.backtracks_for,
    })
}

struct Reader<'a> {
    rest: &'a [u8],
    groups_total: usize,
    groups_opened: usize,
    out: String,
    backtracks_for: Option<&'static str>,
}

/// One item of a class.
enum Item {
    Byte(u8),
    /// `\d`, `[:alpha:]` and the like, in the engine's words.
    Set(String),
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn eat(&mut self, prefix: &[u8]) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The bytes before `end`, which is eaten too.
    fn until(&mut self, end: &[u8]) -> Option<&'a [u8]> {
        let at = memchr::memmem::find(self.rest, end)?;
        let found = self.rest.get(..at)?;
        self.rest = self.rest.get(at + end.len()..)?;
        Some(found)
    }

    fn need(&mut self, feature: &'static str) {
        self.backtracks_for.get_or_insert(feature);
    }

    /// A byte outside classes that means itself to PCRE, or something to both.
    fn plain(&mut self, byte: u8) {
        if byte.is_ascii() {
            self.out.push(char::from(byte));
        } else {
            push_hex(&mut self.out, byte);
        }
    }

    /// A byte that means itself, whatever it is.
    fn literal(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'_' {
            self.out.push(char::from(byte));
        } else {
            push_hex(&mut self.out, byte);
        }
    }

    /// `*+`, `++`, `?+` and `{n}+` never give back what they matched. The linear engine would read a repeated
    /// repetition.
    fn after_quantifier(&mut self) {
        if self.eat(b"+") {
            self.out.push('+');
            self.need("a possessive quantifier");
        } else if self.eat(b"?") {
            self.out.push('?');
        }
    }

    /// `{` is a quantifier in front of `n}`, `n,}` and `n,m}`, else a byte like any other.
    fn brace(&mut self) {
        let is_bound = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
        let end = memchr::memchr(b'}', self.rest);
        let inside = end.and_then(|end| self.rest.get(..end)).unwrap_or_default();
        let mut bounds = inside.splitn(2, |&byte| byte == b',');
        let low = bounds.next().unwrap_or_default();
        let is_quantifier = !low.is_empty() && is_bound(low) && bounds.next().is_none_or(is_bound);
        if !is_quantifier {
            self.out.push_str("\\{");
            return;
        }
        self.out.push('{');
        for &byte in inside {
            self.out.push(char::from(byte));
        }
        self.out.push('}');
        self.rest = self.rest.get(inside.len() + 1..).unwrap_or_default();
        self.after_quantifier();
    }

    /// A backslash outside classes.
    fn escape(&mut self) -> Result<(), String> {
        let byte = self.next().ok_or("the pattern ends in a backslash")?;
        match byte {
            b'Q' => {
                let quoted = self.quoted();
                quoted.iter().for_each(|&byte| self.literal(byte));
            }
            b'E' => {}
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' | b'b' | b'B' | b'A' | b'z' => {
                self.out.push('\\');
                self.out.push(char::from(byte));
            }
            b'h' | b'H' | b'v' | b'V' => {
                let negation = if byte.is_ascii_uppercase() { "^" } else { "" };
                let _infallible = write!(self.out, "[{negation}{}]", spaces(byte));
            }
            b'N' => self.out.push_str(r"[^\n]"),
            b'R' => self.out.push_str(r"(?:\r\n|[\x0a-\x0d\x85])"),
            b'Z' => {
                self.out.push_str(r"(?=\n?\z)");
                self.need(r"\Z");
            }
            b'G' => self.out.push_str(r"\A"),
            b'K' => {
                self.out.push_str(r"\K");
                self.need(r"\K");
            }
            b'g' | b'k' => self.named_reference(byte)?,
            b'1'..=b'9' => self.number(byte)?,
            b'p' | b'P' | b'X' => {
                return Err(format!(
                    "\\{} is not available: patterns see bytes, not characters",
                    char::from(byte)
                ));
            }
            _ => {
                let byte = self.escaped_byte(byte)?;
                self.literal(byte);
            }
        }
        Ok(())
    }

    /// The rest of `\Q…\E`; without `\E` to the end.
    fn quoted(&mut self) -> &'a [u8] {
        match self.until(b"\\E") {
            Some(quoted) => quoted,
            None => std::mem::take(&mut self.rest),
        }
    }

    /// Escapes that stand for one byte, in and outside classes.
    fn escaped_byte(&mut self, byte: u8) -> Result<u8, String> {
        Ok(match byte {
            b'a' => 0x07,
            b'e' => 0x1b,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'c' => {
                self.next()
                    .ok_or("the pattern ends in \\c")?
                    .to_ascii_uppercase()
                    ^ 0x40
            }
            b'x' => self.hex()?,
            b'0' => self.octal(0, 2),
            b'o' => return Err(r"\o is not available: write \xHH".to_owned()),
            byte if byte.is_ascii_alphanumeric() => {
                return Err(format!("\\{} has no meaning", char::from(byte)));
            }
            byte => byte,
        })
    }

    /// `\xH`, `\xHH` or `\x{H…}`.
    fn hex(&mut self) -> Result<u8, String> {
        let digits = if self.eat(b"{") {
            self.until(b"}").ok_or("the } after \\x{ is missing")?
        } else {
            let count = self
                .rest
                .iter()
                .take(2)
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            let (digits, rest) = self.rest.split_at(count);
            self.rest = rest;
            digits
        };
        if digits.is_empty() {
            return Ok(0);
        }
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| "\\x{…} is larger than a byte".to_owned())
    }

    /// Up to `more` further octal digits behind `value`.
    fn octal(&mut self, value: u8, more: usize) -> u8 {
        let mut value = u32::from(value);
        for _ in 0..more {
            match self.rest.first() {
                Some(&digit @ b'0'..=b'7') => {
                    value = value * 8 + u32::from(digit - b'0');
                    self.next();
                }
                _ => break,
            }
        }
        value.to_le_bytes()[0]
    }

    /// `\1` to `\9` are always references; a longer number is one if there are so many groups, else octal.
    fn number(&mut self, first: u8) -> Result<(), String> {
        let more = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let digits = self.rest.get(..more).unwrap_or_default();
        let number = digits
            .iter()
            .fold(usize::from(first - b'0'), |number, digit| {
                number
                    .saturating_mul(10)
                    .saturating_add(usize::from(digit - b'0'))
            });
        if number <= 9 || number <= self.groups_total {
            self.rest = self.rest.get(more..).unwrap_or_default();
            return self.reference(number);
        }
        if first >= b'8' {
            return Err(format!("there is no group {number}"));
        }
        let byte = self.octal(first - b'0', 2);
        self.literal(byte);
        Ok(())
    }

    /// A back-reference by number. The group around it keeps digits that follow apart.
    fn reference(&mut self, number: usize) -> Result<(), String> {
        if number == 0 || number > self.groups_total {
            return Err(format!("there is no group {number}"));
        }
        self.need("a back-reference");
        let _infallible = write!(self.out, "(?:\\{number})");
        Ok(())
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\g{name}`, `\k{name}`, `\k<name>`, `\k'name'`.
    fn named_reference(&mut self, letter: u8) -> Result<(), String> {
        let name = match self.rest.first() {
            Some(b'{') => self.bracketed(b"}"),
            Some(b'<') if letter == b'k' => self.bracketed(b">"),
            Some(b'\'') if letter == b'k' => self.bracketed(b"'"),
            Some(b'<' | b'\'') => return Err("recursion is not available".to_owned()),
            _ if letter == b'g' => {
                let sign = usize::from(self.rest.first() == Some(&b'-'));
                let digits = self
                    .rest
                    .iter()
                    .skip(sign)
                    .take_while(|byte| byte.is_ascii_digit())
                    .count();
                let (name, rest) = self.rest.split_at(sign + digits);
                self.rest = rest;
                Some(name)
            }
            _ => None,
        };
        let name = name
            .and_then(|name| std::str::from_utf8(name).ok())
            .filter(|name| !name.is_empty())
            .ok_or_else(|| format!("\\{} names no group", char::from(letter)))?;
        if let Some(back) = name
            .strip_prefix('-')
            .and_then(|back| back.parse::<usize>().ok())
        {
            return self.reference((self.groups_opened + 1).saturating_sub(back));
        }
        if let Ok(number) = name.parse() {
            return self.reference(number);
        }
        self.need("a back-reference");
        let _infallible = write!(self.out, "\\k<{name}>");
        Ok(())
    }

    /// What stands between the next byte and `end`.
    fn bracketed(&mut self, end: &[u8]) -> Option<&'a [u8]> {
        self.next();
        self.until(end)
    }

    /// An opening parenthesis.
    fn group(&mut self) -> Result<(), String> {
        if self.rest.first() == Some(&b'*') {
            return Err("(*…) is not available".to_owned());
        }
        if !self.eat(b"?") {
            self.groups_opened += 1;
            self.out.push('(');
            return Ok(());
        }
        match self.rest.first() {
            Some(b'#') => {
                self.until(b")").ok_or("the ) after (?# is missing")?;
            }
            Some(b'|') => return Err("(?|…) is not available".to_owned()),
            Some(b'R' | b'&' | b'0'..=b'9' | b'+') => {
                return Err("recursion is not available".to_owned());
            }
            Some(b'=' | b'!') => self.special("look-around"),
            Some(b'>') => self.special("an atomic group"),
            Some(b'(') => self.special("a condition"),
            Some(b'P' | b'<' | b'\'') => self.named_group()?,
            // Flags and `(?:` mean the same to everybody, or are refused by the engine.
            _ => self.out.push_str("(?"),
        }
        Ok(())
    }

    fn special(&mut self, feature: &'static str) {
        self.need(feature);
        self.out.push_str("(?");
    }

    fn named_group(&mut self) -> Result<(), String> {
        if self.rest.starts_with(b"<=") || self.rest.starts_with(b"<!") {
            self.special("look-around");
            return Ok(());
        }
        if self.eat(b"P=") {
            let name = self.until(b")").ok_or("the ) after (?P= is missing")?;
            self.need("a back-reference");
            let _infallible = write!(self.out, "\\k<{}>", String::from_utf8_lossy(name));
            return Ok(());
        }
        if self.rest.starts_with(b"P>") {
            return Err("recursion is not available".to_owned());
        }
        self.eat(b"P");
        let end: &[u8] = if self.rest.first() == Some(&b'\'') {
            b"'"
        } else {
            b">"
        };
        let name = self.bracketed(end).ok_or("a group's name has no end")?;
        self.groups_opened += 1;
        let _infallible = write!(self.out, "(?P<{}>", String::from_utf8_lossy(name));
        Ok(())
    }

    /// A bracket expression, written anew item by item.
    fn class(&mut self) -> Result<(), String> {
        const OPEN: &str = "the ] of a class is missing";
        self.out.push('[');
        if self.eat(b"^") {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let byte = self.next().ok_or(OPEN)?;
            if byte == b']' && !is_first {
                self.out.push(']');
                return Ok(());
            }
            is_first = false;
            if byte == b'\\' && self.eat(b"Q") {
                let quoted = self.quoted();
                quoted.iter().for_each(|&byte| self.literal(byte));
                continue;
            }
            let low = match self.item(byte)? {
                Item::Byte(low) => low,
                Item::Set(set) => {
                    self.out.push_str(&set);
                    continue;
                }
            };
            self.literal(low);
            // A dash makes a range unless it stands last.
            if !matches!(self.rest, [b'-', next, ..] if *next != b']') {
                continue;
            }
            self.next();
            let byte = self.next().ok_or(OPEN)?;
            match self.item(byte)? {
                Item::Byte(high) => {
                    self.out.push('-');
                    self.literal(high);
                }
                Item::Set(set) => {
                    self.literal(b'-');
                    self.out.push_str(&set);
                }
            }
        }
    }

    fn item(&mut self, byte: u8) -> Result<Item, String> {
        if byte == b'[' && self.eat(b":") {
            let name = self
                .until(b":]")
                .ok_or("the :] of a class name is missing")?;
            return Ok(Item::Set(format!("[:{}:]", String::from_utf8_lossy(name))));
        }
        if byte != b'\\' {
            return Ok(Item::Byte(byte));
        }
        let byte = self.next().ok_or("the pattern ends in a backslash")?;
        Ok(match byte {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' => Item::Set(format!("\\{}", char::from(byte))),
            b'h' | b'v' => Item::Set(spaces(byte).to_owned()),
            b'b' => Item::Byte(0x08),
            b'1'..=b'7' => Item::Byte(self.octal(byte - b'0', 2)),
            _ => Item::Byte(self.escaped_byte(byte)?),
        })
    }
}

/// PCRE's horizontal and vertical white space, as far as one byte goes.
fn spaces(letter: u8) -> &'static str {
    if letter.eq_ignore_ascii_case(&b'h') {
        r"\x09\x20\xa0"
    } else {
        r"\x0a-\x0d\x85"
    }
}

fn push_hex(out: &mut String, byte: u8) {
    let _infallible = write!(out, "\\x{byte:02x}");
}

/// How many capturing groups a pattern has.
fn count_groups(text: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'\\' if after.first() == Some(&b'Q') => memchr::memmem::find(after, b"\\E")
                .and_then(|end| after.get(end..))
                .unwrap_or_default(),
            b'\\' => after.get(1..).unwrap_or_default(),
            b'[' => after_class(after),
            b'(' => {
                let is_named = after.starts_with(b"?P<")
                    || after.starts_with(b"?'")
                    || matches!(after, [b'?', b'<', next, ..] if !b"=!".contains(next));
                count += usize::from(after.first() != Some(&b'?') || is_named);
                after
            }
            _ => after,
        };
    }
    count
}

/// What follows a class whose bracket was just read.
fn after_class(text: &[u8]) -> &[u8] {
    let mut at = usize::from(text.first() == Some(&b'^'));
    at += usize::from(text.get(at) == Some(&b']'));
    loop {
        match text.get(at) {
            None => return &[],
            Some(b']') => return text.get(at + 1..).unwrap_or_default(),
            Some(b'\\') => at += 2,
            Some(b'[') if text.get(at + 1) == Some(&b':') => {
                let inside = text.get(at..).unwrap_or_default();
                at += memchr::memmem::find(inside, b":]").map_or(1, |end| end + 2);
            }
            Some(_) => at += 1,
        }
    }
}
