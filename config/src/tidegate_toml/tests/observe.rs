use super::*;
use crate::header::HeaderField;
use crate::webhook::{Action, *};

#[test]
fn who_watches_is_said_in_sections() {
    let lines = r#"
        headers = { X-Content-Type-Options = ["nosniff"], X-Served-By = "tidegate" }
        [registry.health]
        interval = "1m"
        threshold = 1
        [[registry.webhook]]
        name = "ci"
        url = "https://user:s3cret@ci.example/hook?token=s3cret"
        [[registry.webhook]]
        name = "audit"
        url = "http://127.0.0.1:8080/"
        headers = { Authorization = "Bearer s3cret", X-Two = ["a", "b"] }
        ca = "certs/ca.crt"
        timeout = "1s"
        threshold = 3
        backoff = "250ms"
        ignore_actions = ["pull", "mount"]
        ignore_media_types = ["application/octet-stream"]
        references = true
        queue = "queues"
        queue_events = 10
        queue_bytes = "1MiB"
        [debug]
        address = "127.0.0.1:5001"
        metrics = false
    "#;
    let text = format!("{SMALL}{lines}");
    let settings = parse(Path::new("/srv/tidegate.toml"), &text).unwrap();
    assert_eq!(
        settings.debug,
        Some(DebugListener {
            address: "127.0.0.1:5001".parse().unwrap(),
            metrics: None,
        })
    );
    let shown = format!("{settings:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    let registry = registry(lines);
    let pairs = |fields: &[HeaderField]| -> Vec<(String, String)> {
        let pair = |field: &HeaderField| (field.name().to_owned(), field.value().to_owned());
        fields.iter().map(pair).collect()
    };
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        pairs(&registry.headers),
        [
            field("x-content-type-options", "nosniff"),
            field("x-served-by", "tidegate")
        ]
    );
    assert_eq!(
        registry.health,
        Some(Health {
            interval: Duration::from_secs(60),
            threshold: 1,
        })
    );
    let [ci, audit] = registry.webhooks.try_into().unwrap();
    assert_eq!(
        ci.url.reveal().as_str(),
        "https://user:s3cret@ci.example/hook?token=s3cret"
    );
    assert_eq!(
        Webhook {
            name: "ci".parse().unwrap(),
            headers: vec![],
            ca: None,
            timeout: Duration::from_secs(5),
            threshold: 10,
            backoff: Duration::from_secs(1),
            ignore: Ignored::default(),
            references: false,
            queue: Queue {
                directory: None,
                events: 100_000,
                bytes: 64 << 20,
            },
            url: ci.url.clone(),
        },
        ci
    );
    assert_eq!(
        pairs(&audit.headers),
        [
            field("authorization", "Bearer s3cret"),
            field("x-two", "a"),
            field("x-two", "b")
        ]
    );
    assert_eq!(audit.ca, Some("/srv/certs/ca.crt".into()));
    assert_eq!(audit.backoff, Duration::from_millis(250));
    assert_eq!(audit.ignore.actions, [Action::Pull, Action::Mount]);
    assert_eq!(
        audit.queue,
        Queue {
            directory: Some("/srv/queues".into()),
            events: 10,
            bytes: 1 << 20,
        }
    );
}

#[test]
fn a_health_check_can_be_turned_off() {
    assert_eq!(registry("[registry.health]\nenabled = false").health, None);
}

#[test]
fn a_webhook_that_cannot_be_is_refused_and_its_secrets_are_not_shown() {
    let webhook = "[[registry.webhook]]\nname = \"ci\"\nurl = \"https://ci.example/\"\n";
    for (lines, said) in [
        (
            webhook.replace("https://", "ftp://s3cret@"),
            "a receiver is reached by http:// or https://",
        ),
        (webhook.replace("https://", "s3cret@"), "no URL"),
        (
            webhook.replace("\"ci\"", "\"../ci\""),
            "`../ci` cannot name a webhook",
        ),
        (
            webhook.repeat(2),
            "there are two webhooks with the name `ci`",
        ),
        (
            format!("{webhook}headers = {{ A = \"s3cret\\n\" }}"),
            "the value of `a` has other characters than printable ASCII, or spaces around it",
        ),
        (
            format!("{webhook}headers = {{ Host = \"s3cret\" }}"),
            "`Host` says what the message is",
        ),
        (
            format!("{webhook}headers = {{ A = 7, B = \"s3cret\" }}"),
            "a header has a text or a list of texts",
        ),
        (
            format!("{webhook}ignore_actions = [\"pulls\"]"),
            "`pulls` is not what happens here",
        ),
        (format!("{webhook}backoff = \"0s\""), "no time at all"),
        (format!("{webhook}queue_events = 0"), "must be at least 1"),
        (
            format!("{webhook}queue_bytes = \"some\""),
            "`some` is no number of bytes",
        ),
        (
            "headers = { Content-Length = \"0\" }".to_owned(),
            "`Content-Length` says what the message is",
        ),
    ] {
        let text = format!("{SMALL}{lines}");
        let error = parse(Path::new("t.toml"), &text).unwrap_err();
        assert_eq!(error.message(), said);
        assert!(!error.hint().unwrap_or_default().contains('\0'), "{error}");
        let shown = format!("{error}{:?}", error.hint());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
