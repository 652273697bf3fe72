//! Directives of the process, and of HTTP itself.

use super::Meaning::{Block, Data, Guards, Harmless, Read, Refused, Replaced, UnlessOff};
use super::{
    EVENTS, HTTP, IFS, Known, LEVELS, LIMIT_EXCEPT, LOCATION, LOCATION_IF, MAIN, MANY, SERVER,
    UPSTREAM, known,
};

/// Outside of `http`.
pub(super) const MAIN_DIRECTIVES: &[Known] = &[
    known(
        "user pid daemon master_process lock_file working_directory \
         worker_rlimit_nofile worker_rlimit_core worker_priority worker_cpu_affinity \
         pcre_jit timer_resolution debug_points env thread_pool ssl_engine",
        MAIN,
        1,
        MANY,
        Harmless("how the process runs is said on the command line and in its unit"),
    ),
    known(
        "worker_processes",
        MAIN,
        1,
        1,
        Replaced("one process with a thread for each processor"),
    ),
    known("worker_shutdown_timeout load_module", MAIN, 1, 1, Read),
    known("events http", MAIN, 0, 0, Block),
    known("stream mail", MAIN, 0, 0, Refused("only HTTP is served")),
    known(
        "worker_connections use multi_accept accept_mutex accept_mutex_delay \
         worker_aio_requests debug_connection",
        EVENTS,
        1,
        1,
        Harmless("how the process runs is said on the command line and in its unit"),
    ),
];

/// Within `http`.
pub(super) const HTTP_DIRECTIVES: &[Known] = &[
    known("server", HTTP | UPSTREAM, 0, MANY, Read),
    known("location", SERVER | LOCATION, 1, 2, Block),
    known("if", SERVER | LOCATION, 1, MANY, Block),
    known("limit_except", LOCATION, 1, MANY, Block),
    known("upstream", HTTP, 1, 1, Block),
    known("map", HTTP, 2, 2, Data),
    known(
        "geo",
        HTTP,
        1,
        2,
        Harmless("nothing that is served uses it"),
    ),
    known(
        "split_clients",
        HTTP,
        2,
        2,
        Harmless("nothing that is served uses it"),
    ),
    known(
        "types",
        LEVELS,
        0,
        0,
        Harmless("no files are served, so nothing depends on it"),
    ),
    known(
        "charset_map",
        HTTP,
        2,
        2,
        Harmless("no files are served, so nothing depends on it"),
    ),
    known(
        "include",
        LEVELS | MAIN | EVENTS | IFS | LIMIT_EXCEPT | UPSTREAM,
        1,
        1,
        Read,
    ),
    known("listen server_name", SERVER, 1, MANY, Read),
    known("return", SERVER | LOCATION | IFS, 1, 2, Read),
    known("rewrite", SERVER | LOCATION | IFS, 2, 3, Read),
    known("set", SERVER | LOCATION | IFS, 2, 2, Read),
    known("break", SERVER | LOCATION | IFS, 0, 0, Read),
    known("client_max_body_size", LEVELS, 1, 1, Read),
    known("add_header", LEVELS | LOCATION_IF, 2, 3, Read),
    known("allow deny", LEVELS | LIMIT_EXCEPT, 1, 1, Read),
    known("satisfy", LEVELS, 1, 1, Read),
    known(
        "auth_basic auth_basic_user_file",
        LEVELS | LIMIT_EXCEPT,
        1,
        1,
        Read,
    ),
    known(
        "auth_request",
        LEVELS,
        1,
        1,
        Guards("no other server is asked whether a request may pass"),
    ),
    known(
        "auth_request_set",
        LEVELS,
        2,
        2,
        Refused("no other server is asked whether a request may pass"),
    ),
    known(
        "auth_delay",
        LOCATION,
        1,
        1,
        Replaced("429 for whoever sends too many wrong passwords"),
    ),
    known("internal", LOCATION, 0, 0, Read),
    known(
        "set_real_ip_from real_ip_header real_ip_recursive",
        LEVELS,
        1,
        1,
        Read,
    ),
    known(
        "access_log",
        LEVELS | LOCATION_IF | LIMIT_EXCEPT,
        1,
        MANY,
        Read,
    ),
    known(
        "error_log",
        LEVELS | MAIN,
        1,
        2,
        Replaced("messages on standard error"),
    ),
    known(
        "log_format",
        HTTP,
        2,
        MANY,
        Replaced("a log of requests on standard output, in one format"),
    ),
    known(
        "log_not_found log_subrequest rewrite_log open_log_file_cache",
        LEVELS | IFS,
        1,
        MANY,
        Replaced("a log of requests on standard output, in one format"),
    ),
    known(
        "error_page",
        LEVELS | LOCATION_IF,
        2,
        MANY,
        Replaced("bodies that clients of a registry read"),
    ),
    known("root alias", LEVELS | LOCATION_IF, 1, 1, Read),
    known("index try_files autoindex", LEVELS, 1, MANY, Read),
    known(
        "stub_status",
        SERVER | LOCATION,
        0,
        1,
        Replaced("404; `[debug]` of tidegate.toml has numbers of more kinds"),
    ),
    known(
        "charset charset_types override_charset source_charset \
         autoindex_exact_size autoindex_localtime autoindex_format etag \
         if_modified_since max_ranges open_file_cache open_file_cache_valid \
         open_file_cache_min_uses open_file_cache_errors sendfile sendfile_max_chunk \
         aio aio_write directio directio_alignment output_buffers read_ahead \
         disable_symlinks types_hash_max_size types_hash_bucket_size gzip_static gunzip \
         gunzip_buffers postpone_output random_index",
        LEVELS | LOCATION_IF,
        1,
        MANY,
        Harmless("no files are served, so nothing depends on it"),
    ),
    known(
        "expires",
        LEVELS | LOCATION_IF,
        1,
        2,
        UnlessOff("the registry says itself how long its answers keep"),
    ),
    known("gzip", LEVELS | LOCATION_IF, 1, 1, Read),
    known(
        "gzip_types gzip_comp_level gzip_min_length gzip_proxied gzip_vary gzip_disable \
         gzip_buffers gzip_http_version gzip_window gzip_hash gzip_no_buffer",
        LEVELS,
        1,
        MANY,
        Harmless("answers are not compressed: layers are already"),
    ),
    known(
        "ssi sub_filter addition_types add_before_body add_after_body sub_filter_once \
         sub_filter_types image_filter xslt_stylesheet",
        LEVELS,
        1,
        MANY,
        UnlessOff("answers are passed on as they are"),
    ),
    known(
        "add_trailer",
        LEVELS | LOCATION_IF,
        2,
        3,
        Refused("no trailers are sent"),
    ),
    known(
        "default_type",
        LEVELS,
        1,
        1,
        Replaced("text/plain for the text of a `return`; no files are served"),
    ),
    known(
        "server_tokens",
        LEVELS,
        1,
        1,
        Harmless("no version is shown"),
    ),
    known(
        "chunked_transfer_encoding",
        LEVELS,
        1,
        1,
        Harmless("bodies of unknown length are chunked, as HTTP/1.1 has it"),
    ),
    known(
        "tcp_nodelay tcp_nopush reset_timedout_connection keepalive_disable send_lowat \
         connection_pool_size request_pool_size",
        LEVELS,
        1,
        2,
        Harmless("the sockets of this server are set up by itself"),
    ),
    known(
        "keepalive_timeout keepalive_requests keepalive_time keepalive_min_timeout \
         lingering_close lingering_time lingering_timeout send_timeout \
         client_header_timeout client_body_timeout client_header_buffer_size \
         large_client_header_buffers",
        LEVELS,
        1,
        2,
        Replaced("limits of this server for headers and idle connections"),
    ),
    known(
        "client_body_buffer_size client_body_temp_path client_body_in_file_only \
         client_body_in_single_buffer",
        LEVELS,
        1,
        4,
        Harmless("bodies are passed on as they come"),
    ),
    known(
        "ignore_invalid_headers underscores_in_headers merge_slashes \
         server_names_hash_max_size server_names_hash_bucket_size \
         variables_hash_max_size variables_hash_bucket_size map_hash_max_size \
         map_hash_bucket_size recursive_error_pages uninitialized_variable_warn \
         msie_padding msie_refresh subrequest_output_buffer_size",
        LEVELS,
        1,
        1,
        Harmless("there is nothing to set"),
    ),
    known(
        "server_name_in_redirect port_in_redirect absolute_redirect",
        LEVELS,
        1,
        1,
        Replaced("the host and the port that the client asked for"),
    ),
    known(
        "resolver",
        LEVELS | UPSTREAM,
        1,
        MANY,
        Replaced("the system's resolver"),
    ),
    known(
        "resolver_timeout",
        LEVELS | UPSTREAM,
        1,
        1,
        Replaced("the system's resolver"),
    ),
    known(
        "limit_req_zone limit_conn_zone limit_zone",
        HTTP,
        2,
        MANY,
        Harmless("it does nothing by itself"),
    ),
    known(
        "limit_req limit_conn",
        LEVELS,
        1,
        3,
        Refused("requests are not counted here; wrong passwords are"),
    ),
    known(
        "limit_req_status limit_req_log_level limit_req_dry_run limit_conn_status \
         limit_conn_log_level limit_conn_dry_run",
        LEVELS,
        1,
        1,
        Harmless("it does nothing by itself"),
    ),
    known(
        "limit_rate limit_rate_after",
        LEVELS | LOCATION_IF,
        1,
        1,
        UnlessOff("nobody is slowed down here"),
    ),
    known("http2", HTTP | SERVER, 1, 1, Read),
    known(
        "http2_max_concurrent_streams http2_max_field_size http2_max_header_size \
         http2_idle_timeout http2_recv_timeout http2_max_requests http2_chunk_size \
         http2_body_preread_size http2_recv_buffer_size http2_max_concurrent_pushes",
        LEVELS,
        1,
        1,
        Replaced("limits of this server for HTTP/2"),
    ),
    known(
        "http2_push http2_push_preload",
        LEVELS,
        1,
        1,
        Harmless("clients of a registry are pushed nothing"),
    ),
    known(
        "http3 http3_hq http3_max_concurrent_streams http3_stream_buffer_size \
         quic_retry quic_gso quic_host_key quic_active_connection_id_limit",
        HTTP | SERVER,
        1,
        1,
        UnlessOff("HTTP/3 is not served; clients use HTTP/2"),
    ),
    known(
        "userid mp4 flv dav_methods dav_access create_full_put_path empty_gif perl \
         secure_link secure_link_secret",
        LEVELS,
        0,
        MANY,
        UnlessOff("there is nothing of the kind here"),
    ),
    known(
        "valid_referers",
        SERVER | LOCATION,
        1,
        MANY,
        Refused("nobody is asked where a link stood"),
    ),
    known(
        "referer_hash_max_size referer_hash_bucket_size",
        SERVER | LOCATION,
        1,
        1,
        Harmless("it does nothing by itself"),
    ),
    known(
        "fastcgi_pass uwsgi_pass scgi_pass grpc_pass memcached_pass",
        LOCATION | LOCATION_IF,
        1,
        1,
        Refused("requests are passed on in HTTP alone"),
    ),
    known(
        "fastcgi_param uwsgi_param fastcgi_index fastcgi_split_path_info \
         fastcgi_read_timeout fastcgi_buffers fastcgi_buffer_size",
        LEVELS | LOCATION_IF,
        1,
        3,
        Harmless("it does nothing by itself"),
    ),
    known(
        "more_set_headers more_clear_headers more_set_input_headers \
         more_clear_input_headers",
        LEVELS | LOCATION_IF,
        1,
        MANY,
        Refused("`add_header` and `proxy_set_header` are read in its place"),
    ),
    known(
        "modsecurity modsecurity_rules modsecurity_rules_file",
        LEVELS,
        1,
        1,
        UnlessOff("requests are not inspected here"),
    ),
    known(
        "brotli brotli_static brotli_comp_level brotli_types brotli_min_length",
        LEVELS,
        1,
        MANY,
        Harmless("answers are not compressed: layers are already"),
    ),
    known(
        "geoip_country geoip_city geoip_org geoip_proxy",
        HTTP,
        1,
        2,
        Harmless("nothing that is served uses it"),
    ),
];
