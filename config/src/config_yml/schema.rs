//! The keys of a `config.yml`, of versions 2 and 3 of distribution.

use crate::yaml::schema::{Schema, first, is_below, most_alike};

/// All of them by their paths; what is below a list's items follows the list.
/// What is below keys of [`FREE`] has names of its user's choice, but for those
/// that stand here.
pub(super) const KEYS: [&str; 132] = [
    "version",
    "log.accesslog.disabled",
    "log.level",
    "log.formatter",
    "log.fields",
    "log.hooks",
    "log.reportcaller",
    "loglevel",
    "storage.filesystem.rootdirectory",
    "storage.filesystem.maxthreads",
    "storage.inmemory",
    "storage.s3",
    "storage.s3aws",
    "storage.gcs",
    "storage.azure",
    "storage.swift",
    "storage.oss",
    "storage.cache.blobdescriptor",
    "storage.cache.blobdescriptorsize",
    "storage.cache.layerinfo",
    "storage.delete.enabled",
    "storage.maintenance.uploadpurging.enabled",
    "storage.maintenance.uploadpurging.age",
    "storage.maintenance.uploadpurging.interval",
    "storage.maintenance.uploadpurging.dryrun",
    "storage.maintenance.readonly.enabled",
    "storage.redirect.disable",
    "storage.tag.concurrencylimit",
    "auth.htpasswd.realm",
    "auth.htpasswd.path",
    "auth.token.realm",
    "auth.token.service",
    "auth.token.issuer",
    "auth.token.rootcertbundle",
    "auth.token.jwks",
    "auth.token.autoredirect",
    "auth.token.autoredirectpath",
    "auth.token.signingalgorithms",
    "auth.silly.realm",
    "auth.silly.service",
    "auth.none",
    "middleware.registry",
    "middleware.repository",
    "middleware.storage",
    "reporting.bugsnag",
    "reporting.newrelic",
    "http.addr",
    "http.net",
    "http.host",
    "http.prefix",
    "http.secret",
    "http.relativeurls",
    "http.draintimeout",
    "http.headers",
    "http.tls.certificate",
    "http.tls.key",
    "http.tls.clientcas",
    "http.tls.clientauth",
    "http.tls.minimumtls",
    "http.tls.ciphersuites",
    "http.tls.letsencrypt.cachefile",
    "http.tls.letsencrypt.email",
    "http.tls.letsencrypt.hosts",
    "http.tls.letsencrypt.directoryurl",
    "http.http2.disabled",
    "http.h2c.enabled",
    "http.debug.addr",
    "http.debug.prometheus.enabled",
    "http.debug.prometheus.path",
    "health.storagedriver.enabled",
    "health.storagedriver.interval",
    "health.storagedriver.threshold",
    "health.file.file",
    "health.file.interval",
    "health.http.uri",
    "health.http.headers",
    "health.http.statuscode",
    "health.http.timeout",
    "health.http.interval",
    "health.http.threshold",
    "health.tcp.addr",
    "health.tcp.timeout",
    "health.tcp.interval",
    "health.tcp.threshold",
    "notifications.events.includereferences",
    "notifications.endpoints.name",
    "notifications.endpoints.disabled",
    "notifications.endpoints.url",
    "notifications.endpoints.headers",
    "notifications.endpoints.timeout",
    "notifications.endpoints.threshold",
    "notifications.endpoints.backoff",
    "notifications.endpoints.ignoredmediatypes",
    "notifications.endpoints.ignore.mediatypes",
    "notifications.endpoints.ignore.actions",
    "redis.addr",
    "redis.addrs",
    "redis.username",
    "redis.password",
    "redis.db",
    "redis.dialtimeout",
    "redis.readtimeout",
    "redis.writetimeout",
    "redis.tls",
    "redis.pool.maxidle",
    "redis.pool.maxactive",
    "redis.pool.idletimeout",
    "redis.maxidleconns",
    "redis.poolsize",
    "redis.connmaxidletime",
    "redis.mastername",
    "redis.sentinelusername",
    "redis.sentinelpassword",
    "proxy.remoteurl",
    "proxy.username",
    "proxy.password",
    "proxy.ttl",
    "proxy.cachewritetimeout",
    "proxy.exec.command",
    "proxy.exec.lifetime",
    "compatibility.schema1.enabled",
    "compatibility.schema1.signingkeyfile",
    "compatibility.schema1.trustkey",
    "validation.enabled",
    "validation.disabled",
    "validation.manifests.urls.allow",
    "validation.manifests.urls.deny",
    "validation.manifests.indexes.platforms",
    "validation.manifests.indexes.platformlist",
    "policy.repository.classes",
    "catalog.maxentries",
    "tags.maxtags",
];

/// Where keys are compared without case, since distribution has maps there.
const FREE: [&str; 8] = [
    "auth",
    "http.headers",
    "log.fields",
    "log.hooks",
    "middleware",
    "redis",
    "reporting",
    "storage",
];

/// What is not shown of a file: values of these keys may be secrets, or hold
/// them.
const SECRET: [&str; 14] = [
    "secret",
    "password",
    "sentinelpassword",
    "username",
    "headers",
    "url",
    "uri",
    "remoteurl",
    "accesskey",
    "secretkey",
    "accountkey",
    "license",
    "licensekey",
    "apikey",
];

/// What the shared reader of YAML has to know of this file.
pub(super) const SCHEMA: Schema = Schema {
    keys: &KEYS,
    secret: &SECRET,
};

/// Whether some key begins with this one.
pub(super) fn is_top(key: &str) -> bool {
    KEYS.iter().any(|known| first(known) == key)
}

/// The first step of a key that this one may have been meant as.
pub(super) fn nearest_top(key: &str) -> Option<&'static str> {
    let tops = KEYS.iter().map(|known| first(known));
    most_alike(key, tops)
}

/// Whether what is below this path is a map, whose keys have no case.
pub(super) fn is_free(path: &str) -> bool {
    FREE.iter().any(|free| is_below(path, free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_what_was_meant() {
        for (section, key, meant) in [
            ("", "threshold", Some("health.storagedriver.threshold")),
            ("", "storgae", Some("storage")),
            ("http", "adr", Some("http.addr")),
            ("http", "Addr", Some("http.addr")),
            ("http", "htpasswd", None),
            ("storage", "deleted", Some("storage.delete")),
            ("storage.delete", "enable", Some("storage.delete.enabled")),
            ("http.tls", "minimumtls1", Some("http.tls.minimumtls")),
            (
                "",
                "rootdirectory",
                Some("storage.filesystem.rootdirectory"),
            ),
            ("", "rotdirectory", Some("storage.filesystem.rootdirectory")),
            ("", "zzz", None),
        ] {
            assert_eq!(
                SCHEMA.nearest(section, key).as_deref(),
                meant,
                "{section} {key}"
            );
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for key in [
            "http.secret",
            "http.headers.Authorization",
            "proxy.password",
            "redis.Password",
        ] {
            assert!(SCHEMA.is_secret(key), "{key}");
        }
        assert!(!SCHEMA.is_secret("http.addr"));
    }
}
