#![no_main]
use std::io::Write;
use std::sync::LazyLock;

use base64::prelude::{BASE64_STANDARD, Engine};
use certs_tool::{Ca, CaOptions, RevocationList, make_ca};
use libfuzzer_sys::fuzz_target;

static CA: LazyLock<Ca> = LazyLock::new(|| make_ca(&CaOptions::default()).unwrap());

// DER, since mutations of base64 seldom make another list.
fuzz_target!(|der: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let body = BASE64_STANDARD.encode(der);
    writeln!(
        file,
        "-----BEGIN X509 CRL-----\n{body}\n-----END X509 CRL-----"
    )
    .unwrap();
    // Nobody signed it.
    assert!(RevocationList::read(file.path(), CA.certificate()).is_err());
});
