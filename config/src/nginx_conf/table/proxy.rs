//! Directives of `proxy_pass` and `upstream`.

use super::Meaning::{Harmless, Read, Refused, Replaced, UnlessOff};
use super::{HTTP, Known, LEVELS, LIMIT_EXCEPT, LOCATION, LOCATION_IF, MANY, UPSTREAM, known};

/// What belongs to other servers.
pub(super) const DIRECTIVES: &[Known] = &[
    known(
        "proxy_pass",
        LOCATION | LOCATION_IF | LIMIT_EXCEPT,
        1,
        1,
        Read,
    ),
    known("proxy_set_header", LEVELS, 2, 2, Read),
    known(
        "proxy_connect_timeout proxy_read_timeout proxy_send_timeout proxy_ssl_verify \
         proxy_ssl_name proxy_ssl_trusted_certificate",
        LEVELS,
        1,
        1,
        Read,
    ),
    known(
        "proxy_ssl_server_name proxy_ssl_session_reuse proxy_ssl_verify_depth",
        LEVELS,
        1,
        1,
        Harmless("the server is told the name that is asked for"),
    ),
    known(
        "proxy_ssl_protocols proxy_ssl_ciphers proxy_ssl_conf_command",
        LEVELS,
        1,
        MANY,
        Replaced("TLS 1.2 and 1.3 with the suites of rustls"),
    ),
    known(
        "proxy_ssl_certificate proxy_ssl_certificate_key proxy_ssl_password_file \
         proxy_ssl_crl",
        LEVELS,
        1,
        1,
        Refused("no certificate is shown to an upstream"),
    ),
    known(
        "proxy_http_version",
        LEVELS,
        1,
        1,
        Harmless("the upstream is spoken to in HTTP/1.1"),
    ),
    known(
        "proxy_buffering proxy_request_buffering proxy_buffer_size proxy_buffers \
         proxy_busy_buffers_size proxy_max_temp_file_size proxy_temp_file_write_size \
         proxy_temp_path",
        LEVELS,
        1,
        4,
        Harmless("bodies are passed on as they come"),
    ),
    known("proxy_redirect", LEVELS, 1, 2, Read),
    known(
        "proxy_next_upstream proxy_next_upstream_timeout proxy_next_upstream_tries",
        LEVELS,
        1,
        MANY,
        Replaced("the next server, where one cannot be reached"),
    ),
    known("proxy_cache", LEVELS, 1, 1, Read),
    known(
        "proxy_cache_path",
        HTTP,
        2,
        MANY,
        Harmless("nothing is cached here"),
    ),
    known(
        "proxy_cache_valid proxy_cache_key proxy_cache_bypass proxy_no_cache \
         proxy_cache_use_stale proxy_cache_lock proxy_cache_lock_timeout \
         proxy_cache_lock_age proxy_cache_methods proxy_cache_min_uses \
         proxy_cache_revalidate proxy_cache_background_update proxy_cache_convert_head \
         proxy_cache_max_range_offset proxy_cache_purge proxy_store_access",
        LEVELS,
        1,
        MANY,
        Harmless("nothing is cached here"),
    ),
    known(
        "proxy_store proxy_bind proxy_intercept_errors proxy_limit_rate \
         proxy_force_ranges proxy_cookie_domain proxy_cookie_path proxy_cookie_flags",
        LEVELS,
        1,
        MANY,
        UnlessOff("requests and answers are passed on as they are"),
    ),
    known(
        "proxy_hide_header proxy_method proxy_set_body",
        LEVELS,
        1,
        1,
        Refused("requests and answers are passed on as they are"),
    ),
    known(
        "proxy_pass_request_headers proxy_pass_request_body",
        LEVELS | LOCATION_IF,
        1,
        1,
        Read,
    ),
    known(
        "proxy_pass_header proxy_ignore_headers proxy_ignore_client_abort \
         proxy_socket_keepalive proxy_headers_hash_max_size \
         proxy_headers_hash_bucket_size proxy_send_lowat proxy_allow_upstream",
        LEVELS,
        1,
        MANY,
        Harmless("answers are passed on whole"),
    ),
    known(
        "keepalive keepalive_pool_size",
        UPSTREAM,
        1,
        1,
        Harmless("connections to an upstream are kept"),
    ),
    known(
        "zone",
        UPSTREAM,
        1,
        2,
        Harmless("one process has all the state"),
    ),
    known(
        "least_conn ip_hash",
        UPSTREAM,
        0,
        0,
        Replaced("servers that take turns"),
    ),
    known(
        "hash random",
        UPSTREAM,
        0,
        3,
        Replaced("servers that take turns"),
    ),
    known(
        "sticky queue ntlm state",
        UPSTREAM,
        0,
        MANY,
        Refused("the servers take turns"),
    ),
];
