//! The media type of a file, by the endings of its name.
//!
//! Know first: mod_mime looks at every ending in turn, from left to right. One that it does not know undoes what those before it
//! said, so that `page.html.orig` is no HTML.

use super::Ask;
use crate::config::model::Handler;
use crate::request::dir::FILE_HANDLER;

/// The media type of a request's file, if one is known.
pub(super) fn of<'a>(ask: &Ask<'a>) -> Option<&'a str> {
    let config = &ask.dir().config;
    if let Some(Some(forced)) = config.force_type.get() {
        return Some(forced);
    }
    let ending = endings(&ask.route.place.file).last()?;
    let added = config.added_types.iter().rev();
    let mut added = added.filter(|added| added.ending == ending);
    match (added.next(), ask.site().server.media_types.get()) {
        (Some(added), _) => Some(&added.media_type),
        (None, Some(types)) => types.of(&ending),
        (None, None) => usual(&ending),
    }
}

/// Whether the file is for a handler that is not here: its source must not be shown instead. An ending anywhere in the
/// name counts, as for mod_mime, and so does the way in which PHP was set up by AddType.
pub(super) fn is_for_a_handler(ask: &Ask<'_>) -> bool {
    let config = &ask.dir().config;
    let is_named = match config.set_handler.get() {
        Some(Handler::Named(name)) => name != FILE_HANDLER,
        Some(Handler::None | Handler::Proxy(_)) | None => false,
    };
    let is_handled = |ending: String| {
        let mut types = config.added_types.iter();
        config.handled_endings.contains(&ending)
            || types.any(|added| {
                added.ending == ending && added.media_type.starts_with("application/x-httpd-")
            })
    };
    is_named || endings(&ask.route.place.file).any(is_handled)
}

/// The endings of a file's name, in lower case and order. The dots at the beginning of a hidden file's name begin none.
fn endings(file: &[u8]) -> impl Iterator<Item = String> {
    let name = file.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let dots = name.iter().take_while(|&&byte| byte == b'.').count();
    let name = name.get(dots..).unwrap_or_default();
    let endings = name.split(|&byte| byte == b'.').skip(1);
    endings.map(|ending| String::from_utf8_lossy(ending).to_ascii_lowercase())
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
