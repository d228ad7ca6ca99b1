//! The modules of httpd under whose names messages are printed and levels are set.
//!
//! tine has rooms, not modules; its messages carry the name of the module an operator would look for. The modules
//! that tine does not have are listed too, because a `LogLevel rewrite:trace3` written for httpd must load.

use std::fmt;

macro_rules! modules {
    ($($variant:ident $name:literal;)*) => {
        /// A module of httpd.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is the module of that name")]
        pub enum Module { $($variant,)* }

        /// How many modules there are.
        pub const MODULES: usize = [$($name,)*].len();

        impl Module {
            /// Every module, in the order of the values.
            pub const ALL: [Self; MODULES] = [$(Self::$variant,)*];

            /// The name as it stands in a log line, without `mod_` and `_module`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

modules! {
    Core "core";
    Http "http";
    So "so";
    MpmPrefork "mpm_prefork";
    MpmWorker "mpm_worker";
    MpmEvent "mpm_event";
    Unixd "unixd";
    Watchdog "watchdog";
    Systemd "systemd";
    LogConfig "log_config";
    Logio "logio";
    LogDebug "log_debug";
    LogForensic "log_forensic";
    Proxy "proxy";
    ProxyHttp "proxy_http";
    ProxyHttp2 "proxy_http2";
    ProxyConnect "proxy_connect";
    ProxyWstunnel "proxy_wstunnel";
    ProxyAjp "proxy_ajp";
    ProxyFcgi "proxy_fcgi";
    ProxyScgi "proxy_scgi";
    ProxyUwsgi "proxy_uwsgi";
    ProxyFtp "proxy_ftp";
    ProxyBalancer "proxy_balancer";
    ProxyHcheck "proxy_hcheck";
    ProxyExpress "proxy_express";
    ProxyFdpass "proxy_fdpass";
    ProxyHtml "proxy_html";
    LbmethodByrequests "lbmethod_byrequests";
    LbmethodBytraffic "lbmethod_bytraffic";
    LbmethodBybusyness "lbmethod_bybusyness";
    LbmethodHeartbeat "lbmethod_heartbeat";
    Heartbeat "heartbeat";
    Heartmonitor "heartmonitor";
    SlotmemShm "slotmem_shm";
    SlotmemPlain "slotmem_plain";
    Status "status";
    Info "info";
    Ssl "ssl";
    Http2 "http2";
    SocacheShmcb "socache_shmcb";
    SocacheDbm "socache_dbm";
    SocacheMemcache "socache_memcache";
    AuthzCore "authz_core";
    AuthzHost "authz_host";
    AuthzUser "authz_user";
    AuthzGroupfile "authz_groupfile";
    AuthnCore "authn_core";
    AuthnFile "authn_file";
    AuthnSocache "authn_socache";
    AuthBasic "auth_basic";
    AuthDigest "auth_digest";
    AuthForm "auth_form";
    AccessCompat "access_compat";
    Allowmethods "allowmethods";
    Reqtimeout "reqtimeout";
    Remoteip "remoteip";
    Headers "headers";
    Env "env";
    Setenvif "setenvif";
    Rewrite "rewrite";
    Alias "alias";
    Filter "filter";
    Substitute "substitute";
    Sed "sed";
    Deflate "deflate";
    Brotli "brotli";
    Expires "expires";
    Ratelimit "ratelimit";
    Request "request";
    Buffer "buffer";
    Cache "cache";
    CacheDisk "cache_disk";
    CacheSocache "cache_socache";
    Session "session";
    SessionCookie "session_cookie";
    SessionCrypto "session_crypto";
    Mime "mime";
    Dir "dir";
    Autoindex "autoindex";
    Negotiation "negotiation";
    Actions "actions";
    Cgi "cgi";
    Cgid "cgid";
    Include "include";
    Macro "macro";
    Version "version";
    VhostAlias "vhost_alias";
    UniqueId "unique_id";
    Userdir "userdir";
    Usertrack "usertrack";
    Unknown "unknown";
}

impl Module {
    /// Reads `proxy`, `mod_proxy.c`, `mod_proxy` or `proxy_module`. Case counts, as in httpd. The few source files
    /// whose name is not `mod_` and the module's are known by it.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "core.c" => return Some(Self::Core),
            "http_core.c" | "http_core" => return Some(Self::Http),
            "prefork.c" => return Some(Self::MpmPrefork),
            "worker.c" => return Some(Self::MpmWorker),
            "event.c" => return Some(Self::MpmEvent),
            "unknown" => return None,
            _ => {}
        }
        let bare = word.strip_suffix("_module").unwrap_or(word);
        let file = bare.strip_prefix("mod_");
        let file = file.map(|name| name.strip_suffix(".c").unwrap_or(name));
        let name = file.unwrap_or(bare);
        Self::ALL.into_iter().find(|module| module.name() == name)
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_by_identifier_file_and_short_name() {
        for word in ["proxy", "mod_proxy.c", "mod_proxy", "proxy_module"] {
            assert_eq!(Module::parse(word), Some(Module::Proxy), "{word}");
        }
        assert_eq!(Module::parse("core.c"), Some(Module::Core));
        assert_eq!(Module::parse("mpm_event_module"), Some(Module::MpmEvent));
        assert_eq!(Module::parse("event.c"), Some(Module::MpmEvent));
    }

    #[test]
    fn what_is_no_module_is_not_found() {
        for word in [
            "",
            "PROXY",
            "MOD_PROXY.C",
            "proxy.c",
            "mod_",
            "unknown",
            "proxyx",
        ] {
            assert_eq!(Module::parse(word), None, "{word}");
        }
    }

    #[test]
    fn every_name_is_its_own_and_finds_its_module() {
        for module in Module::ALL {
            if module != Module::Unknown {
                assert_eq!(Module::parse(module.name()), Some(module));
            }
        }
    }
}
