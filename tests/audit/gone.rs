//! Clients that go before they are answered.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Sends the head of a request and a part of its body, and goes.
async fn goes_in_the_middle(client: &Client, request: &str) {
    let mut stream = client.connect().await.unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {}\r\n\
         Content-Type: application/vnd.oci.image.manifest.v1+json\r\n\
         Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
        base64::Engine::encode(
            &base64::prelude::BASE64_STANDARD,
            format!("{USER}:{PASSWORD}")
        ),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Then the registry has begun to read.
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"schemaVersion\":2,").await.unwrap();
    stream.shutdown().await.unwrap();
}

#[tokio::test]
async fn whoever_goes_in_the_middle_of_a_push_is_written_as_gone() {
    let mut tidegate = audited("audit = \"audit.log\"");
    let client = tidegate.client();
    let upload = client.post("/v2/team/app/blobs/uploads/").await;
    let (_, path) = upload.header("location").split_once("/v2/").unwrap();
    let mark = if path.contains('?') { '&' } else { '?' };
    let digest = sha256(b"never sent");
    for request in [
        "PUT /v2/team/app/manifests/v1".to_owned(),
        format!("PUT /v2/{path}{mark}digest={digest}"),
    ] {
        goes_in_the_middle(&client, &request).await;
        tidegate.access_logged(&request);
    }
    let events = all_events(&mut tidegate);
    assert_eq!(
        told(&events),
        [
            "push manifest team/app v1 admin password aborted".to_owned(),
            format!("push blob team/app {digest} admin password aborted"),
        ]
    );
    for event in &events {
        assert_eq!(event["status"], Value::Null);
        assert_eq!(event["client"], "127.0.0.1");
    }
}
