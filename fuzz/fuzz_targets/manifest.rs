#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_registry::oci::{Manifest, ManifestType};

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes, None) else {
        return;
    };
    let _ = Manifest::check_embedded(bytes);
    let kind = manifest.media_type();
    assert_eq!(kind.is_index(), manifest.blobs().next().is_none());
    assert!(kind.is_index() || manifest.children().next().is_none());
    // The type is not stored: it has to be found in the bytes again.
    assert_eq!(ManifestType::of_stored(bytes).unwrap(), kind);
    assert_eq!(Manifest::parse(bytes, Some(kind)).unwrap(), manifest);
});
