//! Several requests over one connection.

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
