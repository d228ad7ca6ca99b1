//! `Warning` fields (RFC 7234 §5.5), which proxies check though nobody sends them any more.
//!
//! Know first: a warning may repeat the date of its response. One that has another date belongs to an older copy and is
//! deleted, and so is what is no warning at all (mod_proxy_http's `ap_proxy_clean_warnings`).

use std::sync::LazyLock;

use super::date;
use regex::bytes::Regex;

/// Code, agent, text, and perhaps a date.
static WARNING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?-u)[0-9]{3}[ \t]+[^ \t]+[ \t]+"[^"]*"(?:[ \t]+"([^"]+)")?"#)
        .expect("a pattern of ours")
});

/// The warnings in a field value that fit a response of this date (seconds since 1970), as one value; empty when there
/// are none.
#[must_use]
pub fn fitting(value: &[u8], date: Option<u64>) -> Vec<u8> {
    let warnings = WARNING.captures_iter(value).filter_map(|found| {
        let dated = found.get(1).and_then(|text| date::parse(text.as_bytes()));
        let fits = dated.is_none() || dated == date;
        fits.then(|| found.get(0).map(|all| all.as_bytes()))?
    });
    warnings.collect::<Vec<_>>().join(&b", "[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_another_date_go() {
        const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let old = "110 a \"stale\" \"Sun, 06 Nov 1994 08:49:36 GMT\"";
        let same = "110 a \"stale\" \"Sunday, 06-Nov-94 08:49:37 GMT\"";
        let plain = "199 - \"a, b\"";
        let both = format!("{old}, {same}");
        let more = format!("{plain} , {same}");
        let all = format!("{plain}, {same}");
        let rows = [
            (plain, plain),
            (same, same),
            (old, ""),
            (both.as_str(), same),
            (more.as_str(), all.as_str()),
            ("110 a \"x\" \"no date\"", "110 a \"x\" \"no date\""),
            ("nonsense", ""),
            ("\"", ""),
            ("", ""),
        ];
        for (value, kept) in rows {
            let found = fitting(value.as_bytes(), date::parse(NOW.as_bytes()));
            assert_eq!(String::from_utf8_lossy(&found), kept, "{value}");
        }
        assert!(fitting(same.as_bytes(), None).is_empty());
        assert_eq!(fitting(plain.as_bytes(), None), plain.as_bytes());
    }
}
