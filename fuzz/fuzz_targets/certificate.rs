#![no_main]
use std::io::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use certs_tool::{Certificate, HostName, San};
use libfuzzer_sys::fuzz_target;

const LABEL: &str = "CERTIFICATE-----";

// DER, since mutations of base64 seldom make another certificate.
fuzz_target!(|der: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let body = BASE64_STANDARD.encode(der);
    writeln!(file, "-----BEGIN {LABEL}\n{body}\n-----END {LABEL}").unwrap();
    if let Ok(certificate) = Certificate::read_first(file.path()) {
        assert_eq!(certificate.der(), der);
        let _ = certificate.is_issued_by(&certificate);
        for name in certificate.names().iter().filter_map(host) {
            assert!(certificate.covers(&name));
        }
    }
});

fn host(san: &San) -> Option<HostName> {
    match san {
        San::Ip(address) => Some((*address).into()),
        // One that looks like an address, or ends in a dot, is for nobody.
        San::Dns(text) => HostName::parse(text).ok().filter(|name| {
            name.as_dns()
                .is_some_and(|dns| dns.eq_ignore_ascii_case(text))
        }),
        San::Email(_) | San::Other(_) => None,
    }
}
