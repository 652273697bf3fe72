//! Requests for a backend in the same process.

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Version};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::support::client::{API_VERSION, get, request};
use crate::support::front;

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_arrives_whole_over_both_protocols() {
    let (front, mut events) = front().start();
    let client = front.client();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let upload = request("PUT", "/v2/a?b=%2F", &[("x-mine", "1")], vec![7; 9 * MIB]);
        let answer = match version {
            Version::HTTP_2 => client.h2(upload).await,
            _ => client.h1(upload).await,
        };
        assert_eq!(answer.response.version(), version);
        assert_eq!(answer.text(), format!("{} bytes", 9 * MIB));
        assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
        assert_eq!(answer.header("content-length").unwrap(), "13");
        let seen = events.seen.recv().await.unwrap();
        assert_eq!(seen.method, "PUT");
        assert_eq!(seen.uri, "https://localhost/v2/a?b=%2F");
        assert_eq!(seen.headers["x-mine"], "1");
        assert_eq!(seen.body, Ok(9 * MIB as u64));
        assert_eq!(seen.user, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_no_known_length_arrive() {
    let (front, mut events) = front().start();
    let mut raw = front.client().raw().await;
    raw.send(
        "PATCH /v2/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         4\r\nfour\r\n3;ext=1\r\nten\r\n0\r\n\r\n",
    )
    .await;
    let (head, body) = raw.answer().await;
    assert!(head.contains("\r\nconnection: keep-alive\r\n"), "{head}");
    assert_eq!(body, b"7 bytes");
    let seen = events.seen.recv().await.unwrap();
    assert!(!seen.headers.contains_key("transfer-encoding"));

    // The connection is in order for the next request.
    raw.send("GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(raw.answer().await.1, b"0 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_is_told_to_continue_once_its_body_is_wanted() {
    let (front, mut events) = front().start();
    let mut raw = front.client().raw().await;
    let head = "PUT /v2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
                Expect: 100-continue\r\n\r\n";
    raw.send(head).await;
    let (interim, _) = raw.answer().await;
    assert!(interim.starts_with("http/1.1 100 "), "{interim}");
    raw.send("hello").await;
    assert_eq!(raw.answer().await.1, b"5 bytes");
    assert!(
        !events
            .seen
            .recv()
            .await
            .unwrap()
            .headers
            .contains_key("expect")
    );

    // A backend that answers without the body never lets it be sent.
    raw.send(head.replace("/v2/x", "/v2/early")).await;
    let (head, body) = raw.answer().await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
    assert_eq!(body, b"not here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_an_error_to_the_backend() {
    let (front, mut events) = front().start();
    for head in [
        "Content-Length: 100\r\n\r\nsome",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
    ] {
        let mut raw = front.client().raw().await;
        raw.send(format!("PATCH /v2/x HTTP/1.1\r\nHost: localhost\r\n{head}"))
            .await;
        drop(raw);
        let seen = events.seen.recv().await.unwrap();
        assert_eq!(seen.body.unwrap_err(), "the client's body broke off");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_upload_that_is_reset_is_an_error_to_the_backend() {
    let (front, mut events) = front().start();
    let mut sender = front.client().h2_sender().await;
    let frames = [
        Ok(Frame::data(Bytes::from_static(b"some"))),
        Err("the client changed its mind"),
    ];
    let upload = Request::patch("https://localhost/v2/x")
        .body(StreamBody::new(stream::iter(frames)))
        .unwrap();
    assert!(sender.send_request(upload).await.is_err());
    let seen = events.seen.recv().await.unwrap();
    assert_eq!(seen.body.unwrap_err(), "the client's body broke off");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_refused_by_the_backend_reads_why() {
    let (front, _events) = front().start();
    let mut raw = front.client().raw().await;
    let length = 64 * MIB;
    raw.send(format!(
        "PATCH /v2/early HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    ))
    .await;
    raw.send(vec![0; length]).await;
    let (head, body) = raw.answer().await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
    assert_eq!(body, b"not here");

    let upload = request("PATCH", "/v2/early", &[], vec![0; length]);
    let answer = front.client().h2(upload).await;
    assert_eq!((answer.status(), answer.text()), (404, "not here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_breaks_off_is_cut() {
    let (front, _events) = front().start();
    for path in ["/v2/cut", "/v2/short"] {
        let mut raw = front.client().raw().await;
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await;
        let rest = String::from_utf8(raw.rest().await).unwrap();
        let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((&rest, ""));
        assert!(
            head.is_empty() || head.starts_with("HTTP/1.1 200 "),
            "{head}"
        );
        assert!(body.len() <= 10, "{body}");

        let error = front.client().try_h2(get(path)).await.unwrap_err();
        assert!(
            error.to_string().contains("body") || error.is_incomplete_message(),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_panics_is_a_500_and_the_front_goes_on() {
    let (front, _events) = front().start();
    let client = front.client();
    let answer = client.h1(get("/v2/panic")).await;
    assert_eq!((answer.status(), answer.code().as_str()), (500, "UNKNOWN"));
    assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
    assert_eq!(client.h2(get("/v2/panic")).await.status(), 500);
    assert_eq!(client.h1(get("/v2/")).await.status(), 200);
    assert_eq!(client.h1(get("/v2/interim")).await.status(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_bodies_that_their_kind_allows() {
    let (front, _events) = front().start();
    let client = front.client();
    let head = client.h1(request("HEAD", "/v2/", &[], "")).await;
    assert_eq!((head.status(), head.text()), (200, ""));
    let head = client.h2(request("HEAD", "/v2/", &[], "")).await;
    assert_eq!((head.status(), head.text()), (200, ""));

    for none in [
        client.h1(get("/v2/none")).await,
        client.h2(get("/v2/none")).await,
    ] {
        assert_eq!((none.status(), none.text()), (204, ""));
        assert_eq!(none.header("content-length"), None);
    }

    let streamed = client.h1(get("/v2/stream")).await;
    assert_eq!(streamed.header("transfer-encoding").unwrap(), "chunked");
    assert_eq!(streamed.text(), "one two");
    let streamed = client.h2(get("/v2/stream")).await;
    assert_eq!(streamed.header("transfer-encoding"), None);
    assert_eq!(streamed.text(), "one two");

    let mut raw = front.client().raw().await;
    raw.send("GET /v2/stream HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await;
    let rest = String::from_utf8(raw.rest().await).unwrap();
    assert!(rest.ends_with("\r\n\r\none two"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_arrive_whole() {
    let (front, _events) = front().start();
    let client = front.client();
    for answer in [
        client.h1(get("/v2/large")).await,
        client.h2(get("/v2/large")).await,
    ] {
        assert_eq!(answer.body.len(), 64 * MIB);
        assert!(answer.body.iter().all(|&byte| byte == 0x5a));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_mid_answer_leaves_nothing_behind() {
    let (mut front, _events) = front().start();
    let mut raw = front.client().raw().await;
    raw.send("GET /v2/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    raw.answer().await;
    drop(raw);
    front.begin_shutdown();
    assert_eq!(front.drained().await.cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_host_in_http_1_0_came_to_an_address() {
    let (front, mut events) = front().start();
    let mut raw = front.client().raw().await;
    raw.send("GET /v2/ HTTP/1.0\r\n\r\n").await;
    let (head, _) = raw.answer().await;
    assert!(head.contains(" 200 "), "{head}");
    let seen = events.seen.recv().await.unwrap();
    assert_eq!(
        seen.uri.to_string(),
        format!("https://{}/v2/", front.address())
    );

    let mut raw = front.client().raw().await;
    raw.send("GET /v2/ HTTP/1.1\r\n\r\n").await;
    let (head, _) = raw.answer().await;
    assert!(head.contains(" 400 "), "{head}");
}
