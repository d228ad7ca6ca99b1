//! The modules of httpd by name, and which of them this configuration sees.
//!
//! Responsible for: the table identifier – source file – do we have it, and what `LoadModule` and `<IfModule>` make of it. A path in a
//! `LoadModule` line is never opened: everything is compiled in.
//!
//! Know first: a configuration without `LoadModule` lines (MPM ones aside) sees everything we have. One with some sees what it loads, even
//! modules that we do not have: a block `<IfModule mod_ssl.c>` that httpd would apply must not vanish in silence here.

use super::model::{Modules, Mpm};

/// One module that httpd has.
#[derive(Debug)]
pub(crate) struct Module {
    /// What `LoadModule` calls it.
    pub(crate) identifier: &'static str,
    /// What `<IfModule>` may also call it.
    pub(crate) source: &'static str,
    /// How far we have it.
    pub(crate) kind: Kind,
}

/// How far we have a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Part of every server, loaded or not.
    Static,
    /// Compiled in, visible when loaded or when no module is loaded explicitly.
    Present,
    /// Process models; exactly one is visible.
    Mpm(Mpm),
    /// Known, not here: accepted in `LoadModule`.
    Absent,
}

const fn module(identifier: &'static str, source: &'static str, kind: Kind) -> Module {
    Module {
        identifier,
        source,
        kind,
    }
}

/// Every module known by name.
pub(crate) static MODULES: &[Module] = &[
    module("core_module", "core.c", Kind::Static),
    module("so_module", "mod_so.c", Kind::Static),
    module("http_module", "http_core.c", Kind::Static),
    module("log_config_module", "mod_log_config.c", Kind::Static),
    module("logio_module", "mod_logio.c", Kind::Static),
    module("version_module", "mod_version.c", Kind::Static),
    module("unixd_module", "mod_unixd.c", Kind::Static),
    module("watchdog_module", "mod_watchdog.c", Kind::Static),
    module("mpm_prefork_module", "prefork.c", Kind::Mpm(Mpm::Prefork)),
    module("mpm_worker_module", "worker.c", Kind::Mpm(Mpm::Worker)),
    module("mpm_event_module", "event.c", Kind::Mpm(Mpm::Event)),
    module("access_compat_module", "mod_access_compat.c", Kind::Present),
    module("alias_module", "mod_alias.c", Kind::Present),
    module("authz_core_module", "mod_authz_core.c", Kind::Present),
    module("authz_host_module", "mod_authz_host.c", Kind::Present),
    module("dir_module", "mod_dir.c", Kind::Present),
    module("env_module", "mod_env.c", Kind::Present),
    module("headers_module", "mod_headers.c", Kind::Present),
    module(
        "lbmethod_bybusyness_module",
        "mod_lbmethod_bybusyness.c",
        Kind::Present,
    ),
    module(
        "lbmethod_byrequests_module",
        "mod_lbmethod_byrequests.c",
        Kind::Present,
    ),
    module(
        "lbmethod_bytraffic_module",
        "mod_lbmethod_bytraffic.c",
        Kind::Present,
    ),
    module("macro_module", "mod_macro.c", Kind::Present),
    module("mime_module", "mod_mime.c", Kind::Present),
    module("proxy_module", "mod_proxy.c", Kind::Present),
    module(
        "proxy_balancer_module",
        "mod_proxy_balancer.c",
        Kind::Present,
    ),
    module("proxy_connect_module", "mod_proxy_connect.c", Kind::Present),
    module("proxy_http_module", "mod_proxy_http.c", Kind::Present),
    module(
        "proxy_wstunnel_module",
        "mod_proxy_wstunnel.c",
        Kind::Present,
    ),
    module("reqtimeout_module", "mod_reqtimeout.c", Kind::Present),
    module("setenvif_module", "mod_setenvif.c", Kind::Present),
    module("slotmem_shm_module", "mod_slotmem_shm.c", Kind::Present),
    module("status_module", "mod_status.c", Kind::Present),
    module("systemd_module", "mod_systemd.c", Kind::Present),
    module("actions_module", "mod_actions.c", Kind::Absent),
    module("allowmethods_module", "mod_allowmethods.c", Kind::Absent),
    module("auth_basic_module", "mod_auth_basic.c", Kind::Absent),
    module("auth_digest_module", "mod_auth_digest.c", Kind::Absent),
    module("auth_form_module", "mod_auth_form.c", Kind::Absent),
    module("authn_anon_module", "mod_authn_anon.c", Kind::Absent),
    module("authn_core_module", "mod_authn_core.c", Kind::Absent),
    module("authn_dbd_module", "mod_authn_dbd.c", Kind::Absent),
    module("authn_dbm_module", "mod_authn_dbm.c", Kind::Absent),
    module("authn_file_module", "mod_authn_file.c", Kind::Absent),
    module("authn_socache_module", "mod_authn_socache.c", Kind::Absent),
    module("authnz_fcgi_module", "mod_authnz_fcgi.c", Kind::Absent),
    module("authnz_ldap_module", "mod_authnz_ldap.c", Kind::Absent),
    module("authz_dbd_module", "mod_authz_dbd.c", Kind::Absent),
    module("authz_dbm_module", "mod_authz_dbm.c", Kind::Absent),
    module(
        "authz_groupfile_module",
        "mod_authz_groupfile.c",
        Kind::Absent,
    ),
    module("authz_owner_module", "mod_authz_owner.c", Kind::Absent),
    module("authz_user_module", "mod_authz_user.c", Kind::Absent),
    module("autoindex_module", "mod_autoindex.c", Kind::Absent),
    module("brotli_module", "mod_brotli.c", Kind::Absent),
    module("buffer_module", "mod_buffer.c", Kind::Absent),
    module("cache_module", "mod_cache.c", Kind::Absent),
    module("cache_disk_module", "mod_cache_disk.c", Kind::Absent),
    module("cache_socache_module", "mod_cache_socache.c", Kind::Absent),
    module("cgi_module", "mod_cgi.c", Kind::Absent),
    module("cgid_module", "mod_cgid.c", Kind::Absent),
    module("charset_lite_module", "mod_charset_lite.c", Kind::Absent),
    module("dav_module", "mod_dav.c", Kind::Absent),
    module("dav_fs_module", "mod_dav_fs.c", Kind::Absent),
    module("dbd_module", "mod_dbd.c", Kind::Absent),
    module("deflate_module", "mod_deflate.c", Kind::Absent),
    module("dumpio_module", "mod_dumpio.c", Kind::Absent),
    module("expires_module", "mod_expires.c", Kind::Absent),
    module("ext_filter_module", "mod_ext_filter.c", Kind::Absent),
    module("file_cache_module", "mod_file_cache.c", Kind::Absent),
    module("filter_module", "mod_filter.c", Kind::Absent),
    module("heartbeat_module", "mod_heartbeat.c", Kind::Absent),
    module("heartmonitor_module", "mod_heartmonitor.c", Kind::Absent),
    module("http2_module", "mod_http2.c", Kind::Absent),
    module("include_module", "mod_include.c", Kind::Absent),
    module("info_module", "mod_info.c", Kind::Absent),
    module(
        "lbmethod_heartbeat_module",
        "mod_lbmethod_heartbeat.c",
        Kind::Absent,
    ),
    module("jk_module", "mod_jk.c", Kind::Absent),
    module("ldap_module", "util_ldap.c", Kind::Absent),
    module("log_debug_module", "mod_log_debug.c", Kind::Absent),
    module("log_forensic_module", "mod_log_forensic.c", Kind::Absent),
    module("lua_module", "mod_lua.c", Kind::Absent),
    module("md_module", "mod_md.c", Kind::Absent),
    module("mime_magic_module", "mod_mime_magic.c", Kind::Absent),
    module("negotiation_module", "mod_negotiation.c", Kind::Absent),
    module("php_module", "mod_php.c", Kind::Absent),
    module("proxy_ajp_module", "mod_proxy_ajp.c", Kind::Absent),
    module("proxy_express_module", "mod_proxy_express.c", Kind::Absent),
    module("proxy_fcgi_module", "mod_proxy_fcgi.c", Kind::Absent),
    module("proxy_fdpass_module", "mod_proxy_fdpass.c", Kind::Absent),
    module("proxy_ftp_module", "mod_proxy_ftp.c", Kind::Absent),
    module("proxy_hcheck_module", "mod_proxy_hcheck.c", Kind::Absent),
    module("proxy_html_module", "mod_proxy_html.c", Kind::Absent),
    module("proxy_http2_module", "mod_proxy_http2.c", Kind::Absent),
    module("proxy_scgi_module", "mod_proxy_scgi.c", Kind::Absent),
    module("proxy_uwsgi_module", "mod_proxy_uwsgi.c", Kind::Absent),
    module("ratelimit_module", "mod_ratelimit.c", Kind::Absent),
    module("remoteip_module", "mod_remoteip.c", Kind::Absent),
    module("request_module", "mod_request.c", Kind::Absent),
    module("rewrite_module", "mod_rewrite.c", Kind::Absent),
    module("sed_module", "mod_sed.c", Kind::Absent),
    module("session_module", "mod_session.c", Kind::Absent),
    module("slotmem_plain_module", "mod_slotmem_plain.c", Kind::Absent),
    module("socache_dbm_module", "mod_socache_dbm.c", Kind::Absent),
    module(
        "socache_memcache_module",
        "mod_socache_memcache.c",
        Kind::Absent,
    ),
    module("socache_shmcb_module", "mod_socache_shmcb.c", Kind::Absent),
    module("speling_module", "mod_speling.c", Kind::Absent),
    module("ssl_module", "mod_ssl.c", Kind::Absent),
    module("substitute_module", "mod_substitute.c", Kind::Absent),
    module("suexec_module", "mod_suexec.c", Kind::Absent),
    module("unique_id_module", "mod_unique_id.c", Kind::Absent),
    module("userdir_module", "mod_userdir.c", Kind::Absent),
    module("usertrack_module", "mod_usertrack.c", Kind::Absent),
    module("vhost_alias_module", "mod_vhost_alias.c", Kind::Absent),
    module("xml2enc_module", "mod_xml2enc.c", Kind::Absent),
];

/// The owner of directives that every MPM has.
pub(crate) const MPM_COMMON: &str = "mpm_common";
/// The owner of directives that the MPMs with threads have.
pub(crate) const MPM_THREADED: &str = "mpm_threaded";

/// The module with this identifier or source file name.
pub(crate) fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| {
        module.identifier.eq_ignore_ascii_case(name) || module.source.eq_ignore_ascii_case(name)
    })
}

/// The source file of a directive's owner, as `-L` prints it.
pub(crate) fn source_of(owner: &str) -> &str {
    match owner {
        MPM_COMMON => "mpm_common.c",
        MPM_THREADED => "worker.c, event.c",
        _ => find(owner).map_or(owner, |module| module.source),
    }
}

/// The `LoadModule` line that would make a directive's owner visible.
pub(crate) fn load_line(owner: &str) -> String {
    let identifier = if owner == MPM_THREADED {
        "mpm_event_module"
    } else {
        owner
    };
    let stem = identifier.strip_suffix("_module").unwrap_or(identifier);
    format!("LoadModule {identifier} modules/mod_{stem}.so")
}

impl Modules {
    /// What is visible before anything is read.
    pub(crate) fn at_start(explicit: bool) -> Self {
        let loaded = MODULES
            .iter()
            .filter(|module| {
                module.kind == Kind::Static || (!explicit && module.kind == Kind::Present)
            })
            .map(|module| module.identifier.to_owned())
            .collect();
        Self { explicit, loaded }
    }

    /// The MPM that was chosen, if one was.
    pub(crate) fn chosen_mpm(&self) -> Option<Mpm> {
        [Mpm::Prefork, Mpm::Worker, Mpm::Event]
            .into_iter()
            .find(|mpm| self.has(mpm.identifier()))
    }

    /// What `<IfModule NAME>` says.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        match find(name).map(|module| (module.identifier, module.kind)) {
            // Without a choice the server has the default one.
            Some((_, Kind::Mpm(mpm))) => mpm == self.chosen_mpm().unwrap_or_default(),
            Some((identifier, _)) => self.has(identifier),
            None => self.has(name),
        }
    }

    /// True when the directives of this owner may be used.
    pub(crate) fn offers(&self, owner: &str) -> bool {
        match owner {
            MPM_COMMON => true,
            MPM_THREADED => self.chosen_mpm().is_none_or(|mpm| mpm != Mpm::Prefork),
            _ => match find(owner).map(|module| module.kind) {
                // Until an MPM is chosen, all their directives are understood: there is none that would not be.
                Some(Kind::Mpm(mpm)) => self.chosen_mpm().is_none_or(|chosen| chosen == mpm),
                Some(Kind::Static) => true,
                // What we do not have is answered by the table of policies, unless modules are listed and this one is not.
                Some(Kind::Absent) => !self.explicit || self.has(owner),
                Some(Kind::Present) | None => self.has(owner),
            },
        }
    }
}
