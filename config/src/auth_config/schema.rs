//! The keys of an `auth_config.yml`.

use crate::yaml::schema::Schema;

/// What the reader of YAML has to know of this file.
pub(super) const SCHEMA: Schema = Schema {
    keys: &KEYS,
    secret: &SECRET,
};

/// All keys; what is below a back end that is refused as a whole is left out.
const KEYS: [&str; 48] = [
    "server.addr",
    "server.net",
    "server.path_prefix",
    "server.real_ip_header",
    "server.real_ip_pos",
    "server.certificate",
    "server.key",
    "server.hsts",
    "server.tls_min_version",
    "server.tls_curve_preferences",
    "server.tls_cipher_suites",
    "server.letsencrypt.host",
    "server.letsencrypt.email",
    "server.letsencrypt.cache_dir",
    "token.issuer",
    "token.expiration",
    "token.certificate",
    "token.key",
    "token.disable_legacy_key_id",
    "users.password",
    "users.labels",
    "acl.match.account",
    "acl.match.type",
    "acl.match.name",
    "acl.match.service",
    "acl.match.ip",
    "acl.match.labels",
    "acl.actions",
    "acl.comment",
    "google_auth.client_id",
    "github_auth.client_id",
    "oidc_auth.client_id",
    "gitlab_auth.client_id",
    "ldap_auth.addr",
    "mongo_auth.collection",
    "xorm_auth.conn_string",
    "ext_auth.command",
    "ext_auth.args",
    "plugin_authn.plugin_path",
    "acl_mongo.collection",
    "acl_xorm.conn_string",
    "ext_authz.command",
    "ext_authz.args",
    "plugin_authz.plugin_path",
    "casbin_authz.model_path",
    "casbin_authz.policy_path",
    "kubernetes_auth.username",
    "kubernetes_auth.kubeconfig",
];

/// What is not shown of the file: hashes, and what may be passwords in a back end.
const SECRET: [&str; 2] = ["password", "client_secret"];
