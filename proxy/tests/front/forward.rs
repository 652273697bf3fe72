//! Requests for another registry.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_config::{Forward, Protocol, Upstream};
use tidegate_proxy::Destination;
use tokio::net::{TcpListener, TcpSocket};

use crate::support::client::{API_VERSION, basic, get, request};
use crate::support::{front, upstream};

const MIB: usize = 1024 * 1024;

fn forward(to: Upstream) -> Destination {
    Destination::Forward(Forward {
        to,
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(30),
    })
}

fn to_tcp(address: SocketAddr) -> Destination {
    forward(Upstream::Http {
        // A name, so that it is resolved.
        host: "localhost".to_owned(),
        port: address.port(),
    })
}

fn to_unix(path: &Path) -> Destination {
    forward(Upstream::Unix(path.to_owned()))
}

fn assert_error(answer: &crate::support::client::Answer, status: u16) {
    assert_eq!(
        (answer.status(), answer.code().as_str()),
        (status, "UNAVAILABLE")
    );
    assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_hears_of_the_way_so_far() {
    let (address, connections) = upstream::tcp().await;
    let front = front().with_password().start_to(to_tcp(address));
    let right = basic("alice", "secret");
    let headers = [
        ("host", "localhost"),
        ("authorization", right.as_str()),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-real-ip", "1.1.1.1"),
        ("forwarded", "for=1.1.1.1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-mine", "2"),
    ];
    let answer = front
        .client()
        .h1(request("GET", "/v2/a/tags/list?n=1", &headers, ""))
        .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
    assert_eq!(answer.header("keep-alive"), None);
    let mut lines: Vec<_> = answer.text().lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "0 bytes",
            "GET /v2/a/tags/list?n=1",
            format!("authorization: {right}").as_str(),
            "host: localhost",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: localhost",
            "x-forwarded-proto: https",
            "x-mine: 2",
            "x-real-ip: 127.0.0.1",
        ]
    );

    let headers = &headers[1..2];
    for _ in 0..9 {
        let answer = front.client().h2(request("GET", "/v2/", headers, "")).await;
        let text = answer.text();
        assert!(text.contains("\nhost: localhost"), "{text}");
    }
    // A connection is free a moment after its answer, so not always in time.
    let connections = connections.load(Ordering::SeqCst);
    assert!(connections < 10, "none was used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxys_word_is_continued() {
    let (address, _) = upstream::tcp().await;
    let front = front()
        .with_protocol(Protocol::Http)
        .trusting_loopback()
        .start_to(to_tcp(address));
    let headers = [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "registry.example.com"),
    ];
    let answer = front
        .client()
        .plain(request("GET", "/v2/", &headers, ""))
        .await;
    for line in [
        "x-forwarded-for: 198.51.100.7, 127.0.0.1",
        "x-real-ip: 198.51.100.7",
        "x-forwarded-proto: https",
        "x-forwarded-host: registry.example.com",
        "host: localhost",
    ] {
        assert!(answer.text().lines().any(|got| got == line), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_pass_over_tcp_and_over_a_unix_socket() {
    let (address, _) = upstream::tcp().await;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("registry.sock");
    upstream::unix(&socket);
    for destination in [to_tcp(address), to_unix(&socket)] {
        let front = front().start_to(destination);
        let upload = || request("PATCH", "/v2/x", &[], vec![1; 9 * MIB]);
        let expected = format!("PATCH /v2/x\n{} bytes\n", 9 * MIB);
        let answer = front.client().h1(upload()).await;
        assert!(answer.text().starts_with(&expected), "{}", answer.text());
        let answer = front.client().h2(upload()).await;
        assert!(answer.text().starts_with(&expected), "{}", answer.text());

        let mut raw = front.client().raw().await;
        raw.send(
            "PATCH /v2/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
             4\r\nfour\r\n0\r\n\r\n",
        )
        .await;
        let (_, body) = raw.answer().await;
        assert!(body.starts_with(b"PATCH /v2/x\n4 bytes\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leave_to_continue_comes_from_the_registry() {
    let (address, _) = upstream::tcp().await;
    let front = front().start_to(to_tcp(address));
    let mut raw = front.client().raw().await;
    raw.send(
        "PUT /v2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
         Expect: 100-continue\r\n\r\n",
    )
    .await;
    let (interim, _) = raw.answer().await;
    assert!(interim.starts_with("http/1.1 100 "), "{interim}");
    raw.send("hello").await;
    let (_, body) = raw.answer().await;
    assert!(body.starts_with(b"PUT /v2/x\n5 bytes\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down_is_a_bad_gateway() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    // Bound and not listening: refused for as long as the test holds it.
    let front = front().start_to(to_tcp(socket.local_addr().unwrap()));
    assert_error(&front.client().h1(get("/v2/")).await, 502);
    assert_error(&front.client().h2(get("/v2/")).await, 502);

    let dir = tempfile::tempdir().unwrap();
    let front = crate::support::front().start_to(to_unix(&dir.path().join("none.sock")));
    assert_error(&front.client().h1(get("/v2/")).await, 502);

    let front = crate::support::front().start_to(forward(Upstream::Http {
        host: "registry.invalid".to_owned(),
        port: 5000,
    }));
    assert_error(&front.client().h1(get("/v2/")).await, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_comes_back_in_time_is_found() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let front = front().start_to(to_tcp(address));
    let client = front.client();
    let asking = tokio::spawn(async move { client.h1(get("/v2/")).await });
    // The first try is refused, or finds the listener; both must do.
    tokio::task::yield_now().await;
    let listener: TcpListener = socket.listen(16).unwrap();
    upstream::accept_tcp(listener);
    assert_eq!(asking.await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_silent_is_a_gateway_timeout() {
    let (address, _) = upstream::tcp().await;
    let front = front().start_to(Destination::Forward(Forward {
        to: Upstream::Http {
            host: "127.0.0.1".to_owned(),
            port: address.port(),
        },
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_millis(50),
    }));
    assert_error(&front.client().h1(get("/v2/hang")).await, 504);
    assert_error(&front.client().h2(get("/v2/hang")).await, 504);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_cut() {
    let (address, _) = upstream::tcp().await;
    let front = front().start_to(to_tcp(address));
    let mut raw = front.client().raw().await;
    raw.send("GET /v2/cut HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let rest = String::from_utf8(raw.rest().await).unwrap();
    let body = rest.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    assert!(body.len() <= 10, "{rest}");
    assert!(front.client().try_h2(get("/v2/cut")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_edge_refuses_does_not_reach_the_registry() {
    let (address, connections) = upstream::tcp().await;
    let front = front().with_password().start_to(to_tcp(address));
    assert_eq!(front.client().h1(get("/v2/")).await.status(), 401);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_told_a_host_where_the_client_named_none() {
    let (address, _) = upstream::tcp().await;
    let front = front().start_to(to_tcp(address));
    let mut raw = front.client().raw().await;
    raw.send("GET /v2/ HTTP/1.0\r\n\r\n").await;
    let answer = String::from_utf8(raw.rest().await).unwrap();
    let named = front.address();
    for line in [
        format!("host: {named}"),
        format!("x-forwarded-host: {named}"),
    ] {
        assert!(answer.lines().any(|told| told == line), "{answer}");
    }
}
