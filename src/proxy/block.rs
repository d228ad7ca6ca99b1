//! Hosts to which no connection is made: ProxyBlock.
//!
//! Know first: a word means every host that has it in its name, and every host that has an address of the host that the word names.
//! Names are compared before anything is looked up; addresses when they are known. mod_proxy's `ap_proxy_checkproxyblock`.

use crate::config::model::Block;
use crate::http::Status;
use crate::log::{Level, Module, Tag};
use crate::request::{Answer, Ask};
use std::net::{IpAddr, SocketAddr};

/// What one server blocks.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    words: Vec<Word>,
}

#[derive(Debug)]
struct Word {
    /// In lower case.
    text: String,
    /// The addresses of the host with this name.
    addresses: Vec<IpAddr>,
}

impl Blocks {
    pub(crate) fn new(blocks: &[Block]) -> Self {
        let word = |block: &Block| Word {
            text: block.word.clone(),
            addresses: block.word.parse().into_iter().collect(),
        };
        Self {
            words: blocks.iter().map(word).collect(),
        }
    }

    /// The words that may name a host whose addresses are to be found.
    pub(crate) fn unresolved(&mut self) -> impl Iterator<Item = (&str, &mut Vec<IpAddr>)> {
        self.words
            .iter_mut()
            .filter(|word| word.addresses.is_empty() && is_host(&word.text))
            .map(|word| (word.text.as_str(), &mut word.addresses))
    }

    /// The answer to a request for a blocked host, by its name or by the address that stands in its place.
    pub(crate) fn check_name(&self, ask: &Ask<'_>, host: &str) -> Result<(), Box<Answer>> {
        if self.words.is_empty() {
            return Ok(());
        }
        let lower = host.to_ascii_lowercase();
        let word = self
            .words
            .iter()
            .find(|word| word.text.starts_with('*') || lower.contains(&word.text));
        if let Some(word) = word {
            ask.log_tagged(
                Module::Proxy,
                Level::Warn,
                Tag::Ah(916),
                format_args!(
                    "connect to remote machine {host} blocked: name {} matched",
                    word.text
                ),
            );
            return Err(blocked(ask));
        }
        match host.parse() {
            Ok(address) => self.check_addresses(ask, host, &[SocketAddr::new(address, 0)]),
            Err(_) => Ok(()),
        }
    }

    /// The answer to a request for a host with a blocked address.
    pub(crate) fn check_addresses(
        &self,
        ask: &Ask<'_>,
        host: &str,
        addresses: &[SocketAddr],
    ) -> Result<(), Box<Answer>> {
        let is_blocked = |ip: IpAddr| self.words.iter().any(|word| word.addresses.contains(&ip));
        let mut ips = addresses.iter().map(|address| address.ip().to_canonical());
        let Some(ip) = ips.find(|ip| is_blocked(*ip)) else {
            return Ok(());
        };
        ask.log_tagged(
            Module::Proxy,
            Level::Warn,
            Tag::Ah(917),
            format_args!("connect to remote machine {host} blocked: IP {ip} matched"),
        );
        Err(blocked(ask))
    }
}

/// Whether a word is the whole name of a host: httpd looks up those with a dot in them.
fn is_host(word: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    word.trim_matches('.').contains('.') && !word.starts_with('.') && word.bytes().all(is_name)
}

/// 403 in mod_proxy's words, also for a port that CONNECT may not reach.
pub(crate) fn blocked(ask: &Ask<'_>) -> Box<Answer> {
    const REASON: &str = "Connect to remote machine blocked";
    ask.log_tagged(
        Module::Proxy,
        Level::Error,
        Tag::Ah(898),
        format_args!("{REASON} returned by {}", crate::log::Raw(&ask.route.path)),
    );
    Answer::proxy_error(ask, Status::FORBIDDEN, REASON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_are_whole_names_are_looked_up() {
        let table = [
            ("www.example.com", true),
            ("example", false),
            (".example.com", false),
            ("*", false),
            ("*.example.com", false),
            ("a/b.c", false),
            ("127.0.0.1", true),
        ];
        for (word, expected) in table {
            assert_eq!(is_host(word), expected, "{word}");
        }
    }
}
