#![no_main]
use std::io;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use tidegate_config::{Adopted, NginxFiles, Protocol, Registry, parse_nginx};

/// The part of the input behind a NUL, which every `include` gets.
struct Included<'a>(&'a str);

impl NginxFiles for Included<'_> {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }

    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(vec![pattern.to_owned()])
    }
}

fuzz_target!(|text: &str| {
    let (main, included) = text.split_once('\0').unwrap_or((text, ""));
    // What includes itself is refused, but only after many times.
    let files = Included(if included.contains("include") {
        ""
    } else {
        included
    });
    for registry in [None, Some(Registry::new("/srv"))] {
        match parse_nginx(Path::new("/n/nginx.conf"), main, &files, registry) {
            Ok(Adopted { settings, findings }) => {
                assert!(!settings.listeners.is_empty());
                for site in &settings.sites {
                    let count = settings.listeners.len();
                    assert!(site.attachments.iter().all(|at| at.listener < count));
                }
                for index in 0..settings.listeners.len() {
                    let attachments = settings.sites.iter().flat_map(|site| &site.attachments);
                    let defaults = attachments.filter(|at| at.listener == index && at.is_default);
                    assert_eq!(defaults.count(), 1);
                }
                let is_tls =
                    |listener: &tidegate_config::Listener| listener.protocol == Protocol::Https;
                assert!(
                    !settings.certificates.is_empty() || !settings.listeners.iter().any(is_tls)
                );
                assert!(
                    findings
                        .iter()
                        .all(|finding| !finding.subject.contains(char::is_control))
                );
            }
            Err(mistake) => assert!(mistake.to_string().contains('^')),
        }
    }
});
