//! Several requests over one connection.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use tidegate_config::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{front, listener};

const REQUEST: &str = "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn requests_may_come_in_pieces() {
    let (front, _events) = front().start();
    let mut raw = front.client().raw().await;
    for cut in [1, 3, 16, REQUEST.len() - 1] {
        let (beginning, rest) = REQUEST.split_at(cut);
        raw.send(beginning).await;
        // So that it arrives by itself, as often as not.
        tokio::task::yield_now().await;
        raw.send(rest).await;
        let (head, body) = raw.answer().await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert_eq!(body, b"0 bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_tls_go_on_too() {
    let mut setup = front();
    setup.settings.listeners = vec![listener(Protocol::Http)];
    let (front, _events) = setup.start();
    let mut stream = TcpStream::connect(front.address()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n0 bytes") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_between_requests_is_one() {
    let (mut front, _events) = front().start();
    let mut raw = front.client().raw().await;
    raw.send(REQUEST).await;
    raw.answer().await;
    raw.stream.shutdown().await.unwrap();
    assert!(raw.rest().await.is_empty());
    front.begin_shutdown();
    assert_eq!(front.drained().await.cut, 0);
}

/// The status and the length of the answer to one of several requests.
async fn ask(
    mut connection: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> hyper::Result<(u16, usize)> {
    let answer = connection.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.collect().await?.to_bytes().len()))
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(format!("https://localhost{path}"));
    request.body(Full::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_over_http2_waits_for_another() {
    const LARGE: usize = 64 * 1024 * 1024;
    let (front, events) = front().start();
    let connection = front.client().h2_sender().await;
    let slow = tokio::spawn(ask(connection.clone(), get("/v2/slow")));
    events.started(1).await;
    let (one, other) = tokio::join!(
        ask(connection.clone(), get("/v2/large")),
        ask(connection.clone(), get("/v2/large")),
    );
    assert_eq!((one.unwrap(), other.unwrap()), ((200, LARGE), (200, LARGE)));
    assert_eq!(
        ask(connection.clone(), get("/v2/panic")).await.unwrap().0,
        500
    );
    events.release();
    assert_eq!(slow.await.unwrap().unwrap(), (200, "slow".len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_nothing_that_is_a_request_is_left() {
    let (front, _events) = front().start();
    let connection = front.client().h2_sender().await;
    let mut refused = 0;
    loop {
        let mut request = get("/v2/");
        // RFC 9113, section 8.3.1: not two names.
        let other = http::HeaderValue::from_static("elsewhere");
        request.headers_mut().insert(http::header::HOST, other);
        match ask(connection.clone(), request).await {
            Ok((status, _)) => assert_eq!(status, 400),
            Err(_) => break,
        }
        refused += 1;
        assert!(refused < 1000);
    }
    assert!(refused > 10, "{refused}");
}
