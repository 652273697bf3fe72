use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::check::Checked;
use crate::client_auth::{ClientAuth, UserFrom, VerifyClient};
use crate::finding::{Finding, Verdict};
use crate::links::Links;
use crate::listen_address::OVER_SOCKET;
use crate::settings::{
    AccessLog, Backend, CertificateFiles, Collect, Health, LogFormat, Protocol, Registry, Schema1,
    Settings, TlsOffer, TlsVersion,
};
use crate::site::Place;
use crate::webhook::Action;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<(Settings, Vec<Finding>), String> {
    let said = |problem: Problem| match problem {
        Problem::File(diagnostic) => {
            let place = diagnostic.location();
            format!("{}:{} {}", place.line, place.column, diagnostic.message())
        }
        Problem::Key(mistake) => mistake.to_string(),
    };
    let mut document = parse(Path::new("config.yml"), text).map_err(|d| said(Problem::File(d)))?;
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    document
        .overlay(variables)
        .map_err(|mistake| said(Problem::Key(mistake)))?;
    document.settings().map_err(said)
}

fn registry(settings: Settings) -> Registry {
    match settings.backend {
        Backend::Registry(registry) => registry,
        Backend::Forward(_) | Backend::Places => panic!("a config.yml describes a registry"),
    }
}

/// The findings as `line subject: verdict`.
fn lines(findings: &[Finding]) -> Vec<String> {
    let verdict = |finding: &Finding| match &finding.verdict {
        Verdict::Honoured => "honoured".to_owned(),
        Verdict::Replaced(by) => format!("replaced by {by}"),
        Verdict::Harmless(why) => format!("harmless: {why}"),
        Verdict::Unknown(None) => "unknown".to_owned(),
        Verdict::Unknown(Some(near)) => format!("unknown, {near}?"),
        Verdict::Refused(why) => format!("refused: {why}"),
    };
    let line = |finding: &Finding| {
        let place = finding.location.as_ref();
        place.map_or("-".to_owned(), |place| place.line.to_string())
    };
    findings
        .iter()
        .map(|finding| {
            format!(
                "{} {} | {}",
                line(finding),
                finding.subject,
                verdict(finding)
            )
        })
        .collect()
}

const LEAST: &str = "version: 0.1\nstorage: filesystem\n";

#[test]
fn certificates_are_asked_of_clients_as_go_asks() {
    let read_tls = |tls: &str| {
        let text = format!(
            "version: 0.1\nstorage: filesystem\nhttp: {{tls: {{certificate: c, key: k, {tls}}}}}"
        );
        let (settings, findings) = read(&text, &[]).unwrap();
        (settings.listeners[0].client_auth.clone(), findings)
    };
    let (client_auth, findings) = read_tls("clientcas: [/a.pem, b.pem]");
    let expected = ClientAuth {
        ca: vec!["/a.pem".into(), "b.pem".into()],
        user: UserFrom::Nowhere,
        ..ClientAuth::required_by("")
    };
    assert_eq!(client_auth, Some(expected));
    let honoured = |finding: &&Finding| finding.subject.starts_with("http.tls.client");
    let finding = findings.iter().find(honoured).unwrap();
    assert_eq!(finding.verdict, Verdict::Honoured);
    for (how, required, verify) in [
        ("request-client-cert", false, VerifyClient::Nothing),
        ("require-any-client-cert", true, VerifyClient::Nothing),
        ("verify-client-cert-if-given", false, VerifyClient::Full),
        ("require-and-verify-client-cert", true, VerifyClient::Full),
    ] {
        let (client_auth, _) = read_tls(&format!("clientcas: [a], clientauth: {how}"));
        let client_auth = client_auth.unwrap();
        assert_eq!(
            (client_auth.required, client_auth.verify),
            (required, verify)
        );
        // Without CAs it asks for nothing, there as here.
        assert_eq!(read_tls(&format!("clientauth: {how}")).0, None);
    }
}

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
fn what_cannot_be_honoured_is_refused_where_it_stands() {
    for (more, line) in [
        (
            "proxy: {remoteurl: https://x}",
            "3 proxy.remoteurl | refused: images are not pulled through from another registry",
        ),
        (
            "middleware: {storage: [{name: cloudfront}]}",
            "3 middleware.storage.name: cloudfront | refused: there is no middleware",
        ),
        (
            "log: {hooks: [{type: mail}]}",
            "3 log.hooks.type: mail | refused: messages go to standard error, and are not mailed",
        ),
        (
            "validation: {manifests: {urls: {deny: [x]}}}",
            "3 validation.manifests.urls.deny | refused: layers from elsewhere may name any http or https URL",
        ),
    ] {
        let (_, findings) = read(&format!("{LEAST}{more}\n"), &[]).unwrap();
        assert!(
            lines(&findings).iter().any(|l| l == line),
            "{:#?}",
            lines(&findings)
        );
    }
    let (_, findings) = read("version: 0.1\nstorage: {s3: {bucket: b}}\n", &[]).unwrap();
    assert_eq!(
        lines(&findings)[1],
        "2 storage.s3.bucket: b | refused: data is kept on a file system alone: \
         storage.filesystem.rootdirectory"
    );
}

#[test]
fn an_unknown_key_stops_nothing() {
    let text = format!(
        "{LEAST}threshold: 3\nhttp:\n  adr: ':5000'\n  secret: s3cret\nredis: {{password: s3cret}}\n"
    );
    let (_, findings) = read(&text, &[("REGISTRY_HTTP_PORT", "tcp://10.0.0.1:80")]).unwrap();
    assert_eq!(
        lines(&findings)[2..],
        [
            "3 threshold | unknown, health.storagedriver.threshold?",
            "5 http.adr | unknown, http.addr?",
            "6 http.secret | harmless: uploads need no secret: their state is kept with them",
            "7 redis.password | harmless: nothing is cached outside of this process",
            "- http.port (REGISTRY_HTTP_PORT) | unknown",
        ]
    );
}

#[test]
fn a_variable_is_named_with_its_key() {
    let text = format!("{LEAST}http: {{addr: ':5000'}}\n");
    let (settings, findings) = read(
        &text,
        &[
            ("REGISTRY_HTTP_ADDR", ":6000"),
            ("REGISTRY_SERVICE_HOST", "10.0.0.1"),
        ],
    )
    .unwrap();
    let address = settings.listeners[0].address.inet().unwrap();
    assert_eq!(address.port(), 6000);
    assert_eq!(
        lines(&findings)[2..],
        [
            "3 http.addr: :5000 | replaced by REGISTRY_HTTP_ADDR",
            "- http.addr: :6000 (REGISTRY_HTTP_ADDR) | honoured",
            "- REGISTRY_SERVICE_HOST | harmless: it is about no key; \
             Kubernetes sets such variables for a service",
        ]
    );
}

#[test]
fn what_says_nothing_that_can_be_meant_is_a_mistake() {
    for (text, said) in [
        (
            "version: 0.2",
            "1:10 `version`: expected 0.1, the version of the format",
        ),
        (
            "storage: {filesystem: }",
            "`version`: expected 0.1, the version of the format",
        ),
        ("version: 0.1", "`storage`: no storage driver"),
        (
            "version: 0.1\nstorage: {delete: {enabled: true}}",
            "2:1 `storage`: no storage driver",
        ),
        (
            "version: 0.1\nstorage: {filesystem: , inmemory: }",
            "2:1 `storage`: there are two storage drivers, filesystem and inmemory",
        ),
        (
            "version: 0.1\nstorage: {filesystem: {rootdirectory: [a]}}",
            "2:24 `storage.filesystem.rootdirectory`: expected text, got a list",
        ),
        (
            "version: 0.1\nstorage: {filesystem: , delete: {enabled: maybe}}",
            "2:43 `storage.delete.enabled`: expected true or false, got a text",
        ),
        (
            "version: 0.1\nstorage: {filesystem: , maintenance: {uploadpurging: {age: 3 fortnights}}}",
            "2:60 `storage.maintenance.uploadpurging.age`: `3 fortnights` is no duration",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {addr: '5000'}",
            "3:14 `http.addr`: `5000` has no port",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {net: udp}",
            "3:13 `http.net`: expected tcp or unix, got `udp`",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {host: example.org}",
            "3:14 `http.host`: this is no URL",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {prefix: a//b}",
            "3:16 `http.prefix`: a prefix is made of letters, digits, `-`, `.`, `_`, `~` and single slashes",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {tls: {key: k}}",
            "3:8 `http.tls`: certificate and key belong together, and one of them is missing",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {headers: {Content-Length: [1]}}",
            "3:8 `http.headers`: `Content-Length` says what the message is",
        ),
        (
            "version: 0.1\nstorage: filesystem\nauth: htpasswd",
            "3:7 `auth`: `htpasswd` needs parameters",
        ),
        (
            "version: 0.1\nstorage: filesystem\nauth: {htpasswd: {realm: a}}",
            "3:8 `auth.htpasswd`: it has no path",
        ),
        (
            "version: 0.1\nstorage: filesystem\nauth: {token: {realm: https://a}}",
            "3:8 `auth.token`: it has no service",
        ),
        (
            "version: 0.1\nstorage: filesystem\nauth: {silly: {realm: a}}",
            "3:8 `auth.silly`: it lets everybody in who sends any Authorization",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {tls: {clientcas: [/ca.pem]}}",
            "3:14 `http.tls.clientcas`: certificates of clients are asked for in TLS, and there is no certificate for it",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {tls: {certificate: c, key: k, clientauth: some}}",
            "3:50 `http.tls.clientauth`: `some` is no way to ask for certificates",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: {tls: {letsencrypt: {cachefile: /c}}}",
            "3:39 `http.tls.letsencrypt.cachefile`: certificates are not fetched from a CA",
        ),
        (
            "version: 0.1\nstorage: filesystem\nlog: {level: loud}",
            "3:14 `log.level`: expected error, warn, info or debug, got `loud`",
        ),
        (
            "version: 0.1\nstorage: filesystem\nnotifications: {endpoints: [{name: a}]}",
            "3:29 `notifications.endpoints`: it has no url",
        ),
        (
            "version: 0.1\nstorage: filesystem\nhttp: [1]",
            "3:1 `http`: expected a mapping, got a list",
        ),
    ] {
        assert_eq!(read(text, &[]).unwrap_err(), said, "{text}");
    }
    let variable = [("REGISTRY_STORAGE_DELETE_ENABLED", "perhaps")];
    assert_eq!(
        read(LEAST, &variable).unwrap_err(),
        "`storage.delete.enabled`, as REGISTRY_STORAGE_DELETE_ENABLED has it: \
         expected true or false, got a text"
    );
}

#[test]
fn a_mistake_is_shown_where_it_stands() {
    let text = "version: 0.1\nstorage: {filesystem\nhttp: 1\n";
    let error = parse(Path::new("config.yml"), text).unwrap_err();
    let shown = error.to_string();
    assert!(shown.starts_with("config.yml:"), "{shown}");
    assert!(shown.contains("it is not YAML"), "{shown}");
    assert!(error.location().line >= 2, "{shown}");
    // The line of a secret is not shown.
    let text = format!("{LEAST}http: {{headers: {{Content-Type: s3cret}}}}\n");
    let document = parse(Path::new("config.yml"), &text).unwrap();
    let Err(Problem::File(diagnostic)) = document.settings() else {
        panic!("it has a header that cannot be set");
    };
    assert!(!diagnostic.to_string().contains("s3cret"), "{diagnostic}");
}

#[test]
fn what_is_no_mapping_is_no_configuration() {
    for text in ["", "# nothing\n", "text", "- a\n- b\n"] {
        let error = parse(Path::new("config.yml"), text).unwrap_err();
        assert!(error.hint().unwrap().contains("version: 0.1"), "{text}");
    }
}

/// Every key that the original knows has a finding that says something of it.
#[test]
fn no_known_key_is_unknown() {
    const LISTS: [&str; 7] = [
        "health.file",
        "health.http",
        "health.tcp",
        "log.hooks",
        "middleware.registry",
        "middleware.storage",
        "notifications.endpoints",
    ];
    for key in schema::KEYS {
        // In flow style, with a list where one is expected.
        let mut text = String::new();
        let mut ends = String::new();
        let steps: Vec<_> = key.split('.').collect();
        for at in 1..=steps.len() {
            let path = steps[..at].join(".");
            text.push_str(steps[at - 1]);
            text.push_str(": ");
            if at == steps.len() {
                break;
            }
            let (open, close) = if LISTS.contains(&path.as_str()) {
                ("[{", "}]")
            } else {
                ("{", "}")
            };
            text.push_str(open);
            ends.insert_str(0, close);
        }
        let rest = match steps[0] {
            "version" => LEAST.replace("version: 0.1\n", ""),
            "storage" => "version: 0.1\n".to_owned(),
            _ => LEAST.to_owned(),
        };
        let text = format!("{rest}{text}{ends}\n");
        match read(&text, &[]) {
            Ok((_, findings)) => {
                let unknown = findings
                    .iter()
                    .find(|f| matches!(f.verdict, Verdict::Unknown(_)));
                assert!(unknown.is_none(), "{key}: {text}{unknown:?}");
                assert!(
                    findings.iter().any(|f| f.subject.starts_with(key)),
                    "{key}: {findings:?}"
                );
            }
            // Keys without which others mean nothing.
            Err(problem) => assert!(
                [
                    "version",
                    "storage.",
                    "auth.",
                    "notifications.endpoints.",
                    "health."
                ]
                .iter()
                .any(|start| key.starts_with(start)),
                "{text}: {problem}"
            ),
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-z:\\-\\n {}\\[\\]\"'&*!|>#]{0,80}") {
        let _ = read(&text, &[]);
    }

    #[test]
    fn whatever_a_key_says_is_read_or_refused(
        key in proptest::sample::select(&schema::KEYS[..]),
        value in "[a-z0-9:/.]{0,8}|\\[[a-z, ]{0,6}\\]|\\{[a-z]{1,3}: [a-z0-9]{0,3}\\}|-?[0-9]{1,20}",
    ) {
        let name = format!("REGISTRY_{}", key.to_uppercase().replace('.', "_"));
        let _ = read("version: 0.1\nstorage: {filesystem: }\n", &[(&name, &value)]);
    }
}

#[test]
fn what_is_offered_in_tls_is_as_it_says() {
    let read = |http: &str| {
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: /r}}}}\nhttp: {{addr: ':1', {http}}}\n"
        );
        let (settings, findings) = read(&text, &[]).unwrap();
        let is_honoured = |finding: &Finding| finding.verdict == Verdict::Honoured;
        assert!(findings.iter().all(is_honoured), "{:?}", lines(&findings));
        settings.listeners[0].offer
    };
    let pair = "certificate: /c, key: /k";
    let strict = read(&format!(
        "tls: {{{pair}, minimumtls: tls1.3}}, http2: {{disabled: true}}"
    ));
    assert_eq!(
        strict,
        TlsOffer {
            http2: false,
            minimum: TlsVersion::Tls13
        }
    );
    assert_eq!(read(&format!("tls: {{{pair}}}")), TlsOffer::default());
    // Without TLS there is nothing to offer, and nothing to say of it.
    assert_eq!(read("http2: {disabled: true}"), TlsOffer::default());
}

#[test]
fn a_socket_is_listened_to() {
    let read = |http: &str| {
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: /r}}}}\nhttp: {{net: unix{http}}}\n"
        );
        read(&text, &[])
    };
    let (settings, findings) = read(", addr: /run/r.sock").unwrap();
    let listener = &settings.listeners[0];
    assert_eq!(listener.address.to_string(), "unix:/run/r.sock");
    // As Go makes it: with what the mask leaves.
    assert_eq!(listener.socket_mode, None);
    let is_honoured = |finding: &Finding| finding.verdict == Verdict::Honoured;
    assert!(findings.iter().all(is_honoured), "{:?}", lines(&findings));
    let trusts = |net: &ipnet::IpNet| net.contains(&OVER_SOCKET);
    assert!(settings.edge.trusted_proxies.iter().any(trusts));
    let error = read("").unwrap_err();
    assert!(error.contains("without its path"), "{error}");
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
