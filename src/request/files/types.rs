//! The media type of a file, by the endings of its name.
//!
//! Know first: mod_mime looks at every ending in turn, from left to right. One that it does not know undoes what those before it
//! said, so that `page.html.orig` is no HTML.

use super::Ask;

/// The media type of a request's file, if one is known.
pub(super) fn of<'a>(ask: &Ask<'a>) -> Option<&'a str> {
    let config = &ask.dir().config;
    if let Some(Some(forced)) = config.force_type.get() {
        return Some(forced);
    }
    let file = ask.route.place.file.rsplit(|&byte| byte == b'/').next()?;
    // The dots at the beginning of a hidden file's name begin no ending.
    let dots = file.iter().take_while(|&&byte| byte == b'.').count();
    let mut endings = file.get(dots..)?.split(|&byte| byte == b'.').skip(1);
    let of_server = ask.site().server.media_types.get();
    let of_ending = |ending: &[u8]| {
        let ending = String::from_utf8_lossy(ending).to_ascii_lowercase();
        let added = config.added_types.iter().rev();
        let added = added.filter(|added| added.ending == ending);
        match (
            added.map(|added| added.media_type.as_str()).next(),
            of_server,
        ) {
            (Some(added), _) => Some(added),
            (None, Some(types)) => types.of(&ending),
            (None, None) => usual(&ending),
        }
    };
    let last = endings.by_ref().last();
    last.and_then(of_ending)
}

/// What holds without a TypesConfig: what web pages are made of.
fn usual(ending: &str) -> Option<&'static str> {
    Some(match ending {
        "html" | "htm" | "shtml" => "text/html",
        "xhtml" => "application/xhtml+xml",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "json" | "map" => "application/json",
        "xml" | "xsl" => "application/xml",
        "txt" | "text" | "log" | "conf" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "ics" => "text/calendar",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "ico" => "image/vnd.microsoft.icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "eot" => "application/vnd.ms-fontobject",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "wav" => "audio/x-wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
