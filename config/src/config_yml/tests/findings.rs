//! What is said of the keys and variables that are there.

use super::*;

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
