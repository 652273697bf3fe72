#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate_config::Protocol;

fuzz_target!(
    |text: &str| match tidegate_config::parse(Path::new("/t/tidegate.toml"), text) {
        Ok(settings) => {
            let tls = |listener: &tidegate_config::Listener| listener.protocol == Protocol::Https;
            assert!(!settings.listeners.is_empty());
            assert!(!settings.certificates.is_empty() || !settings.listeners.iter().any(tls));
        }
        Err(mistake) => assert!(mistake.to_string().contains('^') && mistake.location().line > 0),
    }
);
