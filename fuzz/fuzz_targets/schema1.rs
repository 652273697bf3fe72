#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidegate_registry::oci::{Algorithm, ManifestType};
use tidegate_registry::schema1::{Jws, Schema1Manifest, SigningKey, convert, layers_of_stored};
use time::OffsetDateTime;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());

// A signed manifest, or the configuration of an image to be converted.
fuzz_target!(|bytes: &[u8]| {
    if let Ok(jws) = Jws::parse(bytes) {
        let _ = jws.verify();
        check(jws.payload());
    }
    check(bytes);
    let (repo, tag) = ("a".parse().unwrap(), "t".parse().unwrap());
    for layers in 0..3 {
        let layers = vec![Algorithm::Sha256.digest(b"layer"); layers];
        if let Ok(payload) = convert(&repo, &tag, bytes, &layers) {
            assert!(Schema1Manifest::parse(&payload).is_ok());
            check(&payload);
        }
    }
});

/// What is accepted can be stored, and then read and served.
fn check(payload: &[u8]) {
    let Ok(manifest) = Schema1Manifest::parse(payload) else {
        return;
    };
    assert_eq!(layers_of_stored(payload).unwrap(), manifest.layers());
    let kind = ManifestType::of_stored(payload).unwrap();
    assert_eq!(kind, ManifestType::DockerSchema1);
    let document = KEY.sign(payload, OffsetDateTime::UNIX_EPOCH).unwrap();
    let jws = Jws::parse(&document).unwrap();
    assert_eq!(jws.payload(), payload);
    assert_eq!(jws.verify().unwrap(), [KEY.id().clone()]);
}
