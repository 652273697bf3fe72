//! Directives of TLS.

use super::Meaning::{Harmless, Read, Refused, Replaced};
use super::{HTTP, Known, MANY, SERVER, known};

/// What belongs to TLS with clients.
pub(super) const DIRECTIVES: &[Known] = &[
    known(
        "ssl ssl_certificate ssl_certificate_key",
        HTTP | SERVER,
        1,
        1,
        Read,
    ),
    known("ssl_protocols", HTTP | SERVER, 1, MANY, Read),
    known(
        "ssl_ciphers ssl_conf_command",
        HTTP | SERVER,
        1,
        MANY,
        Replaced("the suites of rustls, all of them with forward secrecy"),
    ),
    known(
        "ssl_prefer_server_ciphers",
        HTTP | SERVER,
        1,
        1,
        Replaced("the order of rustls"),
    ),
    known(
        "ssl_ecdh_curve",
        HTTP | SERVER,
        1,
        1,
        Replaced("the groups of rustls: X25519, P-256 and P-384"),
    ),
    known(
        "ssl_dhparam",
        HTTP | SERVER,
        1,
        1,
        Harmless("no suite of rustls uses it"),
    ),
    known(
        "ssl_session_cache ssl_session_timeout ssl_session_tickets \
         ssl_session_ticket_key",
        HTTP | SERVER,
        1,
        2,
        Replaced("sessions as rustls resumes them"),
    ),
    known(
        "ssl_buffer_size ssl_early_data",
        HTTP | SERVER,
        1,
        1,
        Harmless("rustls has its own"),
    ),
    known(
        "ssl_stapling ssl_stapling_verify ssl_stapling_file ssl_stapling_responder",
        HTTP | SERVER,
        1,
        1,
        Replaced("no stapled answer: clients of a registry ask for none"),
    ),
    known(
        "ssl_trusted_certificate",
        HTTP | SERVER,
        1,
        1,
        Harmless("it is for stapling and for certificates of clients"),
    ),
    known(
        "ssl_client_certificate ssl_crl ssl_verify_depth",
        HTTP | SERVER,
        1,
        1,
        Harmless("only `ssl_verify_client` uses it"),
    ),
    known("ssl_verify_client", HTTP | SERVER, 1, 1, Read),
    known(
        "ssl_ocsp ssl_ocsp_cache ssl_ocsp_responder",
        HTTP | SERVER,
        1,
        1,
        Harmless("only `ssl_verify_client` uses it"),
    ),
    known(
        "ssl_password_file",
        HTTP | SERVER,
        1,
        1,
        Refused("a key that is read must not be encrypted"),
    ),
    known(
        "ssl_reject_handshake",
        HTTP | SERVER,
        1,
        1,
        Replaced(
            "the first certificate for a client with an unknown name, and then the answer of the default server",
        ),
    ),
];
