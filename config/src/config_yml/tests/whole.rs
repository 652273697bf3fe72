//! Whole files, and what each of their sections becomes.

use super::*;

#[test]
fn the_file_that_debian_installs_is_read() {
    let text = "version: 0.1\n\
        log:\n  fields:\n    service: registry\n\
        storage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    \
        rootdirectory: /var/lib/docker-registry\n  delete:\n    enabled: true\n\
        http:\n  addr: :5000\n  headers:\n    X-Content-Type-Options: [nosniff]\n\
        auth:\n  htpasswd:\n    realm: basic-realm\n    path: /etc/docker/registry\n\
        health:\n  storagedriver:\n    enabled: true\n    interval: 10s\n    threshold: 3\n";
    let (settings, findings) = read(text, &[]).unwrap();
    assert_eq!(
        lines(&findings),
        [
            "1 version: 0.1 | honoured",
            "4 log.fields.service: registry | harmless: messages have the fields that they are about",
            "7 storage.cache.blobdescriptor: inmemory | harmless: nothing is cached outside of this process",
            "9 storage.filesystem.rootdirectory: /var/lib/docker-registry | honoured",
            "11 storage.delete.enabled: true | honoured",
            "13 http.addr: :5000 | honoured",
            "15 http.headers.X-Content-Type-Options | honoured",
            "18 auth.htpasswd.realm: basic-realm | honoured",
            "19 auth.htpasswd.path: /etc/docker/registry | honoured",
            "22 health.storagedriver.enabled: true | honoured",
            "23 health.storagedriver.interval: 10s | honoured",
            "24 health.storagedriver.threshold: 3 | honoured",
        ]
    );
    assert_eq!(settings.listeners[0].address, "[::]:5000".parse().unwrap());
    assert_eq!(settings.listeners[0].protocol, Protocol::Http);
    assert_eq!(settings.log.access, AccessLog::Combined);
    let auth = settings.auth.as_ref().unwrap();
    assert_eq!(
        (auth.realm.as_str(), &*auth.htpasswd),
        ("basic-realm", Path::new("/etc/docker/registry"))
    );
    assert_eq!(settings.edge.refused_user_agents, None);
    let asks = |place: &Place| place.rules.access.auth.is_some();
    let places: Vec<_> = settings.sites[0].places.iter().map(asks).collect();
    assert_eq!(places, [false, true]);
    let registry = registry(settings);
    assert_eq!(registry.root, Path::new("/var/lib/docker-registry"));
    assert!(registry.delete);
    assert_eq!(
        registry.health,
        Some(Health {
            interval: Duration::from_secs(10),
            threshold: 3
        })
    );
    assert_eq!(registry.headers[0].value(), "nosniff");
}

#[test]
fn what_is_not_said_is_distributions_default() {
    for storage in ["filesystem", "{filesystem: }", "{filesystem: {}, delete: }"] {
        let (settings, _) = read(&format!("version: '0.1'\nstorage: {storage}\n"), &[]).unwrap();
        assert_eq!(settings.auth, None);
        assert_eq!(settings.debug, None);
        assert_eq!(settings.log.level, "info");
        assert_eq!(settings.log.format, LogFormat::Text);
        let expected = Registry {
            delete: false,
            health: None,
            collect: Collect {
                every: Some(Duration::from_secs(24 * 3600)),
                uploads_after: Some(Duration::from_secs(168 * 3600)),
                uploads_only: true,
                ..Collect::default()
            },
            ..Registry::new("/var/lib/registry")
        };
        assert_eq!(registry(settings), expected, "{storage}");
    }
}

#[test]
fn every_section_reaches_the_settings() {
    let text = "\
version: 0.1
log: {level: warning, formatter: logstash, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /srv, maxthreads: 100}
  maintenance:
    uploadpurging: {enabled: true, age: 1h30m, interval: 30m, dryrun: false}
    readonly: {enabled: true}
http:
  addr: 127.0.0.1:443
  prefix: /reg/
  host: https://reg.example.org/sub/
  draintimeout: 5s
  tls: {certificate: /c.pem, key: k.pem, minimumtls: tls1.0}
  debug: {addr: 'localhost:5001', prometheus: {enabled: true, path: /m}}
compatibility: {schema1: {enabled: true, signingkeyfile: /key.json}}
notifications:
  events: {includereferences: true}
  endpoints:
    - {name: 'a b', url: 'https://u:s3cret@h.example/x', headers: {Authorization: [Bearer s3cret]}, timeout: 500ms, threshold: 5, backoff: 2s, ignore: {mediatypes: [a/b], actions: [pull]}, ignoredmediatypes: [c/d]}
    - {name: off, disabled: true, url: 'http://h.example'}
catalog: {maxentries: 5000}
tags: {maxtags: 50}
";
    let (settings, findings) = read(text, &[]).unwrap();
    assert!(
        findings.iter().all(|f| !f.subject.contains("s3cret")),
        "{findings:?}"
    );
    assert_eq!(settings.log.level, "warn");
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.log.access, AccessLog::Off);
    assert_eq!(settings.server.drain_timeout, Duration::from_secs(5));
    assert_eq!(settings.listeners[0].protocol, Protocol::Https);
    let pair = CertificateFiles {
        cert: "/c.pem".into(),
        key: "k.pem".into(),
        renew: false,
    };
    assert_eq!(settings.certificates, [pair]);
    let debug = settings.debug.as_ref().unwrap();
    assert_eq!(
        (debug.address, debug.metrics.as_deref()),
        ("127.0.0.1:5001".parse().unwrap(), Some("/m"))
    );
    let registry = registry(settings);
    assert!(registry.read_only);
    assert_eq!(registry.collect.every, Some(Duration::from_secs(1800)));
    assert_eq!(
        registry.collect.uploads_after,
        Some(Duration::from_secs(5400))
    );
    assert_eq!(registry.prefix.as_str(), "/reg");
    assert_eq!(
        registry.links,
        Links::Below("https://reg.example.org/sub".parse().unwrap())
    );
    assert_eq!(
        registry.schema1,
        Some(Schema1 {
            signing_key: Some("/key.json".into())
        })
    );
    assert_eq!((registry.catalog_most, registry.tags_most), (5000, 50));
    let [hook] = &registry.webhooks[..] else {
        panic!("one of them is disabled: {:?}", registry.webhooks);
    };
    assert_eq!(hook.name.as_str(), "a-b");
    assert_eq!(hook.timeout, Duration::from_millis(500));
    assert_eq!((hook.threshold, hook.backoff), (5, Duration::from_secs(2)));
    assert_eq!(hook.ignore.actions, [Action::Pull]);
    assert_eq!(hook.ignore.media_types, ["c/d", "a/b"]);
    assert!(hook.references);
    assert_eq!(hook.headers[0].value(), "Bearer s3cret");
}

#[test]
fn what_has_to_be_well_is_looked_at() {
    let text = "health:
  file: [{file: /run/down, interval: 5s}]
  http: [{uri: 'https://u:s3cret@auth.example/health', headers: {X-A: [b]}, statuscode: 204, timeout: 1s, threshold: 3}]
  tcp: [{addr: 'redis:6379'}]
";
    let (settings, findings) = read(&format!("{LEAST}{text}"), &[]).unwrap();
    let lines = lines(&findings);
    assert!(
        lines.iter().all(|line| line.ends_with("honoured")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("s3cret")),
        "{lines:?}"
    );
    let checks = registry(settings).checks;
    let shown: Vec<_> = checks
        .iter()
        .map(|check| {
            (
                check.of.to_string(),
                check.interval.as_secs(),
                check.threshold,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("/run/down".to_owned(), 5, 1),
            ("https://auth.example".to_owned(), 10, 3),
            ("redis:6379".to_owned(), 10, 1),
        ]
    );
    assert!(
        matches!(&checks[1].of, Checked::Http { status: 204, headers, .. } if headers.len() == 1)
    );
    for (health, said) in [
        ("file: [{interval: 1s}]", "names no file"),
        ("http: [{statuscode: 200}]", "no uri"),
        ("http: [{uri: 'http://a', statuscode: 99}]", "no status"),
        ("tcp: [{addr: redis}]", "no host with a port"),
    ] {
        let error = read(&format!("{LEAST}health: {{{health}}}\n"), &[]).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}
