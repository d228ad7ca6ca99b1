//! Directives that httpd has and we do not, with what becomes of each.
//!
//! Know first: *ignore* is for what cannot change what a proxy answers (directory listings, file caches); *warn* for what changes a detail;
//! *refuse* for what would make the server do something else than the file says. Nothing else is passed over in silence.

use crate::config::args::{Word, on_off};
use crate::config::directive::{Arity, Contexts, Directive, Policy};
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::tree::Node;

/// One entry per name: module, policy, hint, names.
macro_rules! policies {
    ($($module:literal $policy:ident $hint:literal: $($name:literal)+;)*) => {
        &[
            Directive::new("RewriteEngine", "rewrite_module", Arity::Flag, Contexts::ANYWHERE, "rewriting URLs; only Off is available", "RewriteEngine Off", off_only),
            Directive::new("SSLEngine", "ssl_module", Arity::One, Contexts::SERVERS, "TLS towards clients; only off is available", "SSLEngine off", off_only),
            Directive::new("SSLProxyEngine", "ssl_module", Arity::Flag, SSL_PROXY, "TLS towards backends; only off is available", "SSLProxyEngine off", off_only),
            $( $( Directive::policy($name, $module, Policy::$policy, $hint), )+ )*
        ]
    };
}

const SSL_PROXY: Contexts = Contexts::SERVERS.or(Contexts::PROXY);

/// The entries.
pub(super) static TABLE: &[Directive] = policies! {
    "core_module" Refuse "expressions are not available; use VirtualHost and Location sections":
        "<If" "<ElseIf" "<Else";
    "core_module" Warn "handlers are set with SetHandler":
        "RemoveHandler";
    "filter_module" Warn "content is passed on as the backend sends it":
        "AddOutputFilterByType";
    "core_module" Refuse "content is passed on as the backend sends it":
        "SetInputFilter" "SetOutputFilter" "AddInputFilter" "AddOutputFilter"
        "RemoveInputFilter" "RemoveOutputFilter";
    "core_module" Ignore "":
        "AllowOverrideList" "AccessFileName"
        "ContentDigest" "DefaultType" "EnableMMAP" "EnableSendfile" "FileETag"
        "AcceptPathInfo" "CGIMapExtension" "CGIPassAuth" "CGIVar" "NWSSLTrustedCerts" "MaxRanges"
        "MaxRangeOverlaps" "MaxRangeReversals" "RLimitCPU" "RLimitMEM" "RLimitNPROC" "ServerPath"
        "QualifyRedirectURL" "LimitXMLRequestBody" "FlushMaxThreshold" "FlushMaxPipelined"
        "ReadBufferSize" "RegexDefaultOptions" "EnableExceptionHook" "AcceptFilter" "AcceptMutex"
        "LockFile" "KeptBodySize" "ListenTCPDeferAccept" "ThreadStackMax";
    "core_module" Warn "HTTP/1.1 is what is spoken":
        "Protocols" "ProtocolsHonorOrder";
    "core_module" Warn "confine the server from outside, as a service":
        "ChrootDir";
    "core_module" Ignore "":
        "LoadFile" "Suexec" "SuexecUserGroup";
    "core_module" Refuse "use the user and group of a service of its own":
        "AssignUserID";
    "jk_module" Refuse "write a ProxyPass to a balancer, with a BalancerMember for the HTTP connector of each worker":
        "JkWorkersFile" "JkWorkerProperty" "JkMount" "JkMountCopy" "JkUnMount" "JkMountFile" "JkAutoAlias"
        "JkStripSession" "JkExtractSSL" "JkEnvVar" "JkOptions";
    "jk_module" Warn "the members of a balancer are what is logged about":
        "JkLogFile" "JkLogLevel" "JkLogStampFormat" "JkRequestLogFormat" "JkShmFile" "JkShmSize"
        "JkWatchdogInterval";
    "php_module" Warn "PHP does not run inside the server; set it where PHP runs":
        "php_value" "php_flag" "php_admin_value" "php_admin_flag" "PHPIniDir";
    "proxy_fcgi_module" Refuse "FastCGI backends are not available yet":
        "ProxyFCGIBackendType" "ProxyFCGISetEnvIf";
    "proxy_scgi_module" Refuse "SCGI backends are not available yet":
        "ProxySCGISendfile" "ProxySCGIInternalRedirect";
    "proxy_ftp_module" Warn "FTP backends are not available yet":
        "ProxyFtpDirCharset" "ProxyFtpListOnWildcard" "ProxyFtpEscapeWildcards";
    "proxy_wstunnel_module" Warn "a tunnel holds no thread here, and ends when nothing moves for Timeout and the backend's timeout":
        "ProxyWebsocketAsync" "ProxyWebsocketAsyncDelay" "ProxyWebsocketIdleTimeout";
    "proxy_hcheck_module" Refuse "active health checks are not available yet; failed members are retried after `retry` seconds":
        "ProxyHCExpr" "ProxyHCTemplate";
    "proxy_hcheck_module" Warn "active health checks are not available yet":
        "ProxyHCTPsize";
    "proxy_express_module" Refuse "write a ProxyPass for each backend":
        "ProxyExpressEnable" "ProxyExpressDBMFile" "ProxyExpressDBMType";
    "proxy_html_module" Refuse "content is passed on as the backend sends it":
        "ProxyHTMLEnable" "ProxyHTMLURLMap" "ProxyHTMLExtended" "ProxyHTMLLinks" "ProxyHTMLEvents"
        "ProxyHTMLInterp" "ProxyHTMLDocType" "ProxyHTMLFixups" "ProxyHTMLMeta" "ProxyHTMLBufSize"
        "ProxyHTMLCharsetOut" "ProxyHTMLStripComments";
    "heartmonitor_module" Warn "the heartbeat method is not available":
        "HeartbeatStorage" "HeartbeatListen" "HeartbeatMaxServers";
    "heartbeat_module" Warn "the heartbeat method is not available":
        "HeartbeatAddress";
    "watchdog_module" Ignore "":
        "WatchdogInterval";
    "setenvif_module" Refuse "expressions are not available; SetEnvIf sets variables by fields, addresses, methods and paths":
        "SetEnvIfExpr";
    "rewrite_module" Refuse "URLs are mapped with ProxyPass and ProxyPassMatch":
        "RewriteRule" "RewriteCond" "RewriteMap" "RewriteBase" "RewriteOptions";
    "alias_module" Refuse "no redirects are sent: map the path to a backend that sends them":
        "Redirect" "RedirectMatch" "RedirectPermanent" "RedirectTemp" "RedirectRelative";
    "alias_module" Refuse "there are no scripts: map the path to a backend that runs them":
        "ScriptAlias" "ScriptAliasMatch";
    "alias_module" Ignore "":
        "AliasPreservePath";
    "remoteip_module" Refuse "the client is who connected; put access rules on that address":
        "RemoteIPHeader" "RemoteIPInternalProxy" "RemoteIPInternalProxyList"
        "RemoteIPTrustedProxy" "RemoteIPTrustedProxyList" "RemoteIPProxiesHeader"
        "RemoteIPProxyProtocol" "RemoteIPProxyProtocolExceptions";
    "ssl_module" Refuse "TLS is not available yet: let it end in front of tine, and listen for plain HTTP":
        "SSLCertificateFile" "SSLCertificateKeyFile" "SSLCertificateChainFile"
        "SSLCACertificateFile" "SSLCACertificatePath" "SSLVerifyClient" "SSLRequireSSL"
        "SSLRequire" "SSLProxyVerify" "SSLProxyCACertificateFile" "SSLProxyCACertificatePath"
        "SSLProxyMachineCertificateFile" "SSLProxyMachineCertificatePath"
        "SSLProxyMachineCertificateChainFile" "SSLPolicy";
    "ssl_module" Warn "TLS is not available yet":
        "SSLProtocol" "SSLCipherSuite" "SSLHonorCipherOrder" "SSLCompression" "SSLSessionTickets"
        "SSLSessionCache" "SSLSessionCacheTimeout" "SSLUseStapling" "SSLStaplingCache"
        "SSLStaplingResponderTimeout" "SSLStaplingReturnResponderErrors" "SSLOptions"
        "SSLVerifyDepth" "SSLProxyProtocol" "SSLProxyCipherSuite" "SSLProxyVerifyDepth"
        "SSLProxyCheckPeerName" "SSLProxyCheckPeerCN" "SSLProxyCheckPeerExpire"
        "SSLProxyCARevocationCheck" "SSLProxyCARevocationFile" "SSLProxyCARevocationPath"
        "SSLRandomSeed" "SSLPassPhraseDialog" "SSLCryptoDevice" "SSLUserName"
        "SSLStrictSNIVHostCheck" "SSLInsecureRenegotiation" "SSLRenegBufferSize"
        "SSLOpenSSLConfCmd" "SSLFIPS" "SSLCARevocationCheck" "SSLCARevocationFile"
        "SSLCARevocationPath" "SSLCADNRequestFile" "SSLCADNRequestPath";
    "http2_module" Warn "HTTP/1.1 is what is spoken":
        "H2Direct" "H2MaxSessionStreams" "H2Push" "H2Upgrade" "H2WindowSize" "H2MinWorkers"
        "H2MaxWorkers" "H2ModernTLSOnly";
    "authn_core_module" Refuse "clients are known by address only: write `Require ip` with their addresses, or let the backend ask for passwords":
        "AuthType" "AuthName";
    "auth_basic_module" Refuse "clients are known by address only: write `Require ip` with their addresses, or let the backend ask for passwords":
        "AuthBasicProvider" "AuthBasicAuthoritative" "AuthBasicFake" "AuthUserFile";
    "authz_groupfile_module" Refuse "clients are known by address only: write `Require ip` with their addresses, or let the backend ask for passwords":
        "AuthGroupFile";
    "authz_core_module" Ignore "":
        "AuthzSendForbiddenOnFailure" "AuthzProviderAlias";
    "allowmethods_module" Refuse "use `Require method` in the section":
        "AllowMethods";
    "actions_module" Refuse "there are no scripts: map the path to a backend that runs them":
        "Action" "Script";
    "cache_module" Warn "nothing is cached":
        "CacheEnable" "CacheDisable" "CacheRoot" "CacheQuickHandler" "CacheLock"
        "CacheDefaultExpire" "CacheMaxExpire" "CacheIgnoreHeaders" "CacheIgnoreNoLastMod"
        "CacheIgnoreCacheControl" "CacheStoreNoStore" "CacheStorePrivate" "CacheDirLevels"
        "CacheDirLength" "CacheMaxFileSize" "CacheMinFileSize";
    "deflate_module" Warn "content is passed on as the backend sends it":
        "DeflateCompressionLevel" "DeflateBufferSize" "DeflateMemLevel" "DeflateWindowSize"
        "DeflateFilterNote";
    "expires_module" Warn "fields are passed on as the backend sends them":
        "ExpiresActive" "ExpiresByType" "ExpiresDefault";
    "substitute_module" Refuse "content is passed on as the backend sends it":
        "Substitute" "SubstituteMaxLineLength" "SubstituteInheritBefore";
    "filter_module" Refuse "content is passed on as the backend sends it":
        "FilterDeclare" "FilterProvider" "FilterChain" "FilterProtocol" "FilterTrace";
    "ratelimit_module" Warn "nothing is slowed down":
        "RateLimit";
    "request_module" Ignore "":
        "KeptBody";
    "mime_module" Ignore "":
        "AddCharset" "AddEncoding" "AddLanguage" "DefaultLanguage"
        "ModMimeUsePathInfo" "MultiviewsMatch" "RemoveCharset" "RemoveEncoding" "RemoveLanguage"
        "RemoveType";
    "mime_magic_module" Ignore "":
        "MimeMagicFile";
    "negotiation_module" Ignore "":
        "CacheNegotiatedDocs" "ForceLanguagePriority" "LanguagePriority";
    "dir_module" Ignore "":
        "DirectoryIndexRedirect" "DirectoryCheckHandler";
    "dir_module" Refuse "write a ProxyPass for what the resource stands for":
        "FallbackResource";
    "autoindex_module" Ignore "":
        "IndexOptions" "IndexIgnore" "IndexOrderDefault" "IndexStyleSheet" "IndexHeadInsert"
        "IndexIgnoreReset" "AddIcon" "AddIconByType" "AddIconByEncoding" "AddAlt" "AddAltByType"
        "AddAltByEncoding" "AddDescription" "DefaultIcon" "HeaderName" "ReadmeName";
    "userdir_module" Ignore "":
        "UserDir";
    "cgid_module" Ignore "":
        "ScriptSock" "ScriptLog" "ScriptLogBuffer" "ScriptLogLength" "CGIDScriptTimeout";
    "include_module" Ignore "":
        "SSIEndTag" "SSIErrorMsg" "SSIStartTag" "SSITimeFormat" "SSIUndefinedEcho" "XBitHack";
    "info_module" Ignore "":
        "AddModuleInfo";
    "logio_module" Ignore "":
        "LogIOTrackTTFB";
    "log_config_module" Warn "use CustomLog with %{NAME}C":
        "CookieLog";
    "log_forensic_module" Warn "there is no forensic log":
        "ForensicLog";
    "dumpio_module" Warn "raise the level with `LogLevel transport:trace2`":
        "DumpIOInput" "DumpIOOutput";
    "systemd_module" Ignore "":
        "IdleShutdown";
    "unique_id_module" Ignore "":
        "UniqueId";
    "usertrack_module" Warn "no cookies are set":
        "CookieTracking" "CookieName" "CookieDomain" "CookieExpires" "CookieStyle";
    "socache_shmcb_module" Ignore "":
        "SocacheShmcb";
    "md_module" Refuse "certificates are not managed":
        "MDomain" "<MDomainSet" "MDCertificateAgreement" "MDContactEmail";
    "dav_module" Refuse "files are only read":
        "Dav" "DavLockDB" "DavMinTimeout" "DavDepthInfinity";
    "speling_module" Ignore "":
        "CheckSpelling" "CheckCaseOnly";
    "vhost_alias_module" Refuse "write a VirtualHost for each name":
        "VirtualDocumentRoot" "VirtualDocumentRootIP" "VirtualScriptAlias" "VirtualScriptAliasIP";
    "lua_module" Refuse "there is no scripting":
        "LuaHookTranslateName" "LuaHookFixups" "LuaHookAccessChecker" "LuaMapHandler" "LuaRoot";
};

/// A switch whose Off is what we do anyway.
fn off_only(_: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let name = args.directive.name;
    if on_off(args.text(0)) == Some(false) {
        return Ok(());
    }
    let hint = if name == "RewriteEngine" {
        "map URLs with ProxyPass and ProxyPassMatch, and remove what rewrites them"
    } else {
        "TLS is not available yet: let it end in front of tine, and listen for plain HTTP"
    };
    Err(args
        .complaint(0, format!("{name} {} is not available here", args.text(0)))
        .hint(hint))
}

/// A better hint than the table's, where the line itself shows what it is for.
pub(in crate::config) fn advice(name: &str, node: &Node) -> Option<String> {
    match name {
        "RewriteRule" => rewrite_advice(&node.words()),
        _ => None,
    }
}

/// What a rule with `[P]` is as a mapping.
fn rewrite_advice(words: &[Word]) -> Option<String> {
    let [pattern, url, flags] = words else {
        return None;
    };
    let flags = flags.text.strip_prefix('[')?.strip_suffix(']')?;
    let is_proxy = flags
        .split(',')
        .any(|flag| ["P", "proxy"].contains(&flag.trim()));
    let is_available = ["http://", "balancer://"]
        .iter()
        .any(|scheme| url.text.starts_with(scheme));
    let fills_in_groups_only = !url.text.contains('%');
    let is_anchored = pattern.text.starts_with("^/");
    (is_proxy && is_available && fills_in_groups_only && is_anchored).then(|| {
        format!(
            "write `ProxyPassMatch {} {}`, unless conditions matter",
            pattern.text, url.text
        )
    })
}
