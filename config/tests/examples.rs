//! The examples are read as they stand.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_config::{Backend, Finding, Protocol, TlsVersion, Verdict};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

#[test]
fn every_configuration_is_read() {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let settings = tidegate_config::load(&path).unwrap_or_else(|e| panic!("{e}"));
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(!settings.auths().is_empty(), "{name} lets everybody in");
            let forwards = matches!(settings.backend, Backend::Forward(_));
            assert_eq!(forwards, name == "forward");
            let is_plain = settings.listeners[0].protocol == Protocol::Http;
            assert_eq!(is_plain, name == "behind-proxy");
            found.push(name);
        }
    }
    found.sort_unstable();
    let expected = [
        "behind-proxy",
        "forward",
        "minimal",
        "public-443",
        "self-signed-5043",
        "sites",
        "token-auth",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_sites_show_what_can_be_said_of_tls_sockets_and_paths() {
    let path = directory().join("sites.toml");
    let settings = tidegate_config::load(&path).unwrap_or_else(|e| panic!("{e}"));
    let [over_tls, over_socket] = &settings.listeners[..] else {
        panic!("{:?}", settings.listeners);
    };
    assert_eq!(over_tls.offer.minimum, TlsVersion::Tls13);
    assert_eq!(over_socket.socket_mode, Some(0o660));
    let [registry, portal] = &settings.sites[..] else {
        panic!("{:?}", settings.sites);
    };
    assert_eq!((registry.http2, portal.http2), (None, Some(false)));
    assert_eq!(registry.rewrites.len(), 3);
    assert!(settings.sites.iter().all(|site| {
        let mut places = site.places.iter();
        places.any(|place| !place.rules.rewrites.is_empty())
    }));
}

#[test]
fn the_users_of_docker_auth_are_read() {
    let path = directory().join("auth_config.yml");
    let adopted = tidegate_config::auth_config::load(&path).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(adopted.settings.users.len(), 3);
    let refused = |finding: &&Finding| matches!(finding.verdict, Verdict::Refused(_));
    assert_eq!(adopted.findings.iter().filter(refused).count(), 0);
}

#[test]
fn the_table_names_every_file() {
    let table = fs_err::read_to_string(directory().join("README.md")).unwrap();
    for entry in fs_err::read_dir(directory()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "README.md" || table.contains(&format!("`{name}`")),
            "{name} is not in the table"
        );
    }
}

#[test]
fn the_compose_file_has_one_service() {
    let text = fs_err::read_to_string(directory().join("compose.yaml")).unwrap();
    let file: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let services = file["services"].as_object().unwrap();
    assert_eq!(services.len(), 1);
    let service = &services["registry"];
    assert_eq!(service["image"], "tidegate");
    assert_eq!(service["ports"], serde_json::json!(["443:5043"]));
    assert_eq!(service["restart"], "always");
    let volumes = service["volumes"].as_array().unwrap();
    let data = volumes.iter().filter_map(serde_json::Value::as_str);
    assert!(data.into_iter().any(|v| v == "./data:/var/lib/registry"));
}

#[test]
fn systemd_understands_the_unit() {
    let text = fs_err::read_to_string(directory().join("tidegate.service")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let unit = scratch.path().join("tidegate.service");
    // What it starts has to be there.
    fs_err::write(&unit, text.replace("/usr/bin/tidegate", "/bin/true")).unwrap();
    let verified = match Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output()
    {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: systemd-analyze not found");
            return;
        }
        result => result.unwrap(),
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
    assert!(!said.contains("tidegate.service"), "{said}");
}
