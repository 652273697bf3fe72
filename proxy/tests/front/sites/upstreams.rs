//! Places that lead to other servers.

use tidegate_config::HeaderFieldName;
use tidegate_config::site::{Action, Rules, UpstreamServer, UpstreamTls};

use super::{http, place, plain, proxy, server, site, start, template};
use crate::support::client::{get, request};
use crate::support::{front, upstream};

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_sees_what_the_file_sets() {
    let (to, _) = upstream::tcp().await;
    let set = |name: &str, value: &str| (HeaderFieldName::new(name).unwrap(), template(value));
    let mut named = proxy(vec![server(to)]);
    named.headers = vec![
        set("Host", "$http_host"),
        set("X-Real-IP", "$remote_addr"),
        set("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
        set("X-Forwarded-Proto", ""),
        set("X-Mine", "$server_name"),
        set("X-Theirs", ""),
        set("Connection", "upgrade"),
    ];
    let mut moved = proxy(vec![server(to)]);
    moved.path = Some("/v2/inner/".to_owned());
    let places = vec![
        place("/v2/", Rules::default(), Action::Proxy(Box::new(named))),
        place("/moved/", Rules::default(), Action::Proxy(Box::new(moved))),
    ];
    let (front, _events) = start(http(), vec![site(&["first.example.org"], places)]);
    let headers = [
        ("host", "r.example.org:5043"),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-theirs", "1"),
    ];
    let answer = plain(&front, "GET", "/v2//a?n=1", &headers).await;
    let mut lines: Vec<_> = answer.text().lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "0 bytes",
            "GET /v2//a?n=1",
            "host: r.example.org:5043",
            "x-forwarded-for: 1.1.1.1, 127.0.0.1",
            "x-forwarded-host: r.example.org:5043",
            "x-mine: first.example.org",
            "x-real-ip: 127.0.0.1",
        ]
    );
    let answer = plain(&front, "GET", "/moved/a%20b/..//c?n=1", &headers).await;
    let lines: Vec<_> = answer.text().lines().collect();
    assert!(lines.contains(&"GET /v2/inner/c?n=1"), "{lines:?}");
    assert!(lines.contains(&"host: registry:5000"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_gone_are_passed_over() {
    let (to, connections) = upstream::tcp().await;
    let gone = {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        closed.local_addr().unwrap()
    };
    let backup = UpstreamServer {
        is_backup: true,
        ..server(to)
    };
    let both = proxy(vec![server(gone), backup]);
    let dead = proxy(vec![server(gone)]);
    let places = vec![
        place("/", Rules::default(), Action::Proxy(Box::new(both))),
        place("/dead/", Rules::default(), Action::Proxy(Box::new(dead))),
    ];
    let (front, _events) = start(http(), vec![site(&[], places)]);
    for _ in 0..3 {
        let answer = front
            .client()
            .plain(request("POST", "/v2/", &[], "body"))
            .await;
        assert_eq!(answer.status(), 200);
        assert!(answer.text().contains("4 bytes"));
    }
    assert!(connections.load(std::sync::atomic::Ordering::SeqCst) >= 1);
    let answer = front.client().plain(get("/dead/")).await;
    assert_eq!(answer.status(), 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_may_speak_tls() {
    let (behind, _events) = front().start();
    let tls = |name: Option<&str>, trusted: Option<std::path::PathBuf>| {
        let mut secure = proxy(vec![server(behind.address())]);
        secure.tls = Some(UpstreamTls {
            name: name.map(str::to_owned),
            verify: trusted.is_some(),
            trusted,
        });
        secure.headers = vec![(HeaderFieldName::new("host").unwrap(), template("localhost"))];
        Action::Proxy(Box::new(secure))
    };
    // Signed by itself.
    let ca = behind.site.files().cert;
    let places = vec![
        place("/blind/", Rules::default(), tls(None, None)),
        place(
            "/right/",
            Rules::default(),
            tls(Some("localhost"), Some(ca.clone())),
        ),
        place("/wrong/", Rules::default(), tls(Some("other"), Some(ca))),
    ];
    let (front, _events) = start(http(), vec![site(&[], places)]);
    for (path, expected) in [("/blind/", 200), ("/right/", 200), ("/wrong/", 502)] {
        let answer = plain(&front, "GET", path, &[]).await;
        assert_eq!(answer.status(), expected, "{path}");
    }
}
