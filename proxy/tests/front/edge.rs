//! Who may come in, and how the others are told.

use crate::support::client::{API_VERSION, Answer, basic, get, request};
use crate::support::front;
use tidegate_config::Protocol;
use tidegate_proxy::PublicCa;

/// Larger than every buffer between the client and the front.
const UPLOAD: usize = 64 * 1024 * 1024;

fn assert_unauthorized(answer: &Answer) {
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.header("www-authenticate").unwrap(),
        r#"Basic realm="The \"registry\"""#
    );
    assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
    assert_eq!(
        answer.header("content-type").unwrap(),
        "application/json; charset=utf-8"
    );
    assert_eq!(
        answer.text(),
        "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\",\
         \"detail\":null}]}\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_password_nobody_comes_in() {
    let (front, mut events) = front().with_password().start();
    let client = front.client();
    assert_unauthorized(&client.h1(get("/v2/")).await);
    assert_unauthorized(&client.h2(get("/v2/")).await);
    let wrong = basic("alice", "wrong");
    for authorization in [wrong.as_str(), "Basic !!", "Bearer x", "Basic"] {
        let headers = [("authorization", authorization)];
        assert_unauthorized(&client.h1(request("GET", "/v2/", &headers, "")).await);
    }
    let outside = client.h1(get("/")).await;
    assert_eq!(outside.status(), 401);
    assert_eq!(outside.header(API_VERSION), None);
    let head = client.h1(request("HEAD", "/v2/", &[], "")).await;
    assert_eq!((head.status(), head.text()), (401, ""));
    let head = client.h2(request("HEAD", "/v2/", &[], "")).await;
    assert_eq!((head.status(), head.text()), (401, ""));
    assert!(events.seen.try_recv().is_err(), "the backend saw nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_right_password_the_backend_knows_who_asks() {
    let (front, mut events) = front().with_password().start();
    let client = front.client();
    let right = basic("alice", "secret");
    for over_h2 in [false, true] {
        let request = request("GET", "/v2/", &[("authorization", &right)], "");
        let answer = match over_h2 {
            false => client.h1(request).await,
            true => client.h2(request).await,
        };
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
        let seen = events.seen.recv().await.unwrap();
        assert_eq!(seen.user.as_deref(), Some("alice"));
        assert!(!seen.headers.contains_key("authorization"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_told_to_wait() {
    let (front, _events) = front().with_password().start();
    let client = front.client();
    let wrong = basic("alice", "guess");
    let mut last = None;
    // One more than the settings allow.
    for _ in 0..4 {
        let headers = [("authorization", wrong.as_str())];
        last = Some(client.h1(request("GET", "/v2/", &headers, "")).await);
    }
    let answer = last.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.code(), "TOOMANYREQUESTS");
    assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_are_turned_away_before_they_are_asked_for_a_password() {
    let (front, _events) = front().with_password().start();
    let client = front.client();
    let as_agent = async |agent: &str, target: &str| {
        let answer = client
            .h1(request("GET", target, &[("user-agent", agent)], ""))
            .await;
        assert_eq!(
            answer.header(API_VERSION).is_some(),
            target.starts_with("/v2"),
            "{target}"
        );
        answer.status()
    };
    assert_eq!(as_agent("docker/1.4.1", "/v2/").await, 404);
    assert_eq!(as_agent("docker/1.5.0", "/v2").await, 404);
    assert_eq!(as_agent("Go 1.1 package http", "/v2/").await, 404);
    assert_eq!(as_agent("docker/1.5.0-dev", "/v2/").await, 401);
    assert_eq!(as_agent("docker/27.1.0 go/go1.21", "/v2/").await, 401);
    assert_eq!(as_agent("docker/1.4.1", "/").await, 401);
}

/// Sends an upload whole before it reads, as simple clients do.
async fn refused_upload(head: &str, piece: &[u8], last: &[u8]) -> (String, Vec<u8>) {
    let (front, _events) = front().with_password().start();
    let mut raw = front.client().raw().await;
    let wrong = basic("alice", "wrong");
    raw.send(format!(
        "PATCH /v2/a/blobs/uploads/1 HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: {wrong}\r\n{head}\r\n\r\n"
    ))
    .await;
    for _ in 0..UPLOAD / (1024 * 1024) {
        raw.send(piece).await;
    }
    raw.send(last).await;
    let answer = raw.answer().await;
    assert!(raw.rest().await.is_empty());
    answer
}

fn assert_read_refusal((head, body): (String, Vec<u8>)) {
    assert!(head.starts_with("http/1.1 401 "), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert!(body.starts_with(b"{\"errors\":"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_refused_in_mid_upload_reads_why() {
    let piece = vec![0; 1024 * 1024];
    let head = format!("Content-Length: {UPLOAD}");
    assert_read_refusal(refused_upload(&head, &piece, b"").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_refused_in_mid_chunks_reads_why() {
    let mut piece = b"100000\r\n".to_vec();
    piece.resize(piece.len() + 1024 * 1024, 0);
    piece.extend_from_slice(b"\r\n");
    let head = "Transfer-Encoding: chunked";
    assert_read_refusal(refused_upload(head, &piece, b"0\r\n\r\n").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_upload_is_refused_without_harm_to_the_answer() {
    let (front, _events) = front().with_password().start();
    let upload = request("PATCH", "/v2/a/blobs/uploads/1", &[], vec![0; UPLOAD]);
    assert_unauthorized(&front.client().h2(upload).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_comes_in_place_of_100_continue() {
    let (front, _events) = front().with_password().start();
    let mut raw = front.client().raw().await;
    raw.send(
        "PUT /v2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
         Expect: 100-continue\r\n\r\n",
    )
    .await;
    let (head, _) = raw.answer().await;
    assert!(head.starts_with("http/1.1 401 "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_outlives_a_refusal() {
    let (front, _events) = front().with_password().start();
    let mut raw = front.client().raw().await;
    raw.send("GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let (head, _) = raw.answer().await;
    assert!(head.starts_with("http/1.1 401 "), "{head}");
    let right = basic("alice", "secret");
    raw.send(format!(
        "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: {right}\r\n\r\n"
    ))
    .await;
    let (head, _) = raw.answer().await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_usable_host_is_a_bad_one() {
    let (front, _events) = front().start();
    for head in [
        "GET /v2/ HTTP/1.1\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: \r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
    ] {
        let mut raw = front.client().raw().await;
        raw.send(head).await;
        let (answer, body) = raw.answer().await;
        assert!(answer.starts_with("http/1.1 400 "), "{head}{answer}");
        assert!(answer.contains("\r\ndocker-distribution-api-version: registry/2.0\r\n"));
        assert!(body.starts_with(b"{\"errors\":"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_is_not_a_method_here() {
    let (front, _events) = front().start();
    let answer = front.client().h1(request("TRACE", "/v2/", &[], "")).await;
    assert_eq!(answer.status(), 405);
    assert!(answer.header("allow").unwrap().contains("PATCH"));
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_fields_count_from_trusted_proxies_alone() {
    let fields = [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "registry.example.com"),
    ];
    let plain = || front().with_protocol(Protocol::Http);

    let (front, mut events) = plain().trusting_loopback().start();
    front
        .client()
        .plain(request("GET", "/v2/?n=1", &fields, ""))
        .await;
    let seen = events.seen.recv().await.unwrap();
    assert_eq!(seen.uri, "https://registry.example.com/v2/?n=1");
    assert_eq!(seen.client.as_deref(), Some("198.51.100.7"));
    assert!(!seen.headers.contains_key("x-forwarded-host"));

    let (front, mut events) = plain().start();
    front
        .client()
        .plain(request("GET", "/v2/?n=1", &fields, ""))
        .await;
    let seen = events.seen.recv().await.unwrap();
    assert_eq!(seen.uri, "http://localhost/v2/?n=1");
    assert_eq!(seen.client.as_deref(), Some("127.0.0.1"));
    assert!(!seen.headers.contains_key("x-forwarded-host"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ca_can_be_fetched_without_a_password() {
    let (front, mut events) = front().with_password().start();
    let client = front.client();
    assert_eq!(client.h1(get(PublicCa::PATH)).await.status(), 401);
    front.public_ca.set(Some("the certificate".to_owned()));
    for answer in [
        client.h1(get(PublicCa::PATH)).await,
        client.h2(get(PublicCa::PATH)).await,
    ] {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text(), "the certificate");
        assert_eq!(
            answer.header("content-type").unwrap(),
            "application/x-x509-ca-cert"
        );
        assert_eq!(answer.header(API_VERSION), None);
    }
    let head = client.h1(request("HEAD", PublicCa::PATH, &[], "")).await;
    assert_eq!((head.status(), head.text()), (200, ""));
    assert_eq!(head.header("content-length").unwrap(), "15");
    let put = client.h1(request("PUT", PublicCa::PATH, &[], "mine")).await;
    assert_eq!(put.status(), 405);
    assert_eq!(client.h1(get("/v2/")).await.status(), 401);
    assert!(events.seen.try_recv().is_err(), "the backend saw nothing");
}
