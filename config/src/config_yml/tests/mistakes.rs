//! Mistakes that stop the reading, and texts that nobody would write.

use super::*;

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
