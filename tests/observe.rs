//! What those see who operate a registry: the debug listener, and what becomes
//! of requests while the storage does not work.

mod harness;

use std::net::SocketAddr;

use bytes::Bytes;
use harness::image::{Image, noise};
use harness::{Tidegate, run, up};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const DEBUG: &str = "[debug]\naddress = \"127.0.0.1:0\"\n\n[log]";

/// One request in plain HTTP: its status, content type and body.
async fn ask(address: SocketAddr, method: Method, path: &str) -> (StatusCode, String, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let content_type = response.headers().get("content-type").unwrap();
    let content_type = content_type.to_str().unwrap().to_owned();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (status, content_type, body)
}

/// Where the debug listener of a registry is.
fn debug_address(tidegate: &mut Tidegate) -> SocketAddr {
    let line = tidegate.logged("debug listener on http://");
    let (_, address) = line.rsplit_once("http://").unwrap();
    address.trim().parse().unwrap()
}

#[tokio::test]
async fn the_debug_listener_shows_health_and_metrics() {
    let mut tidegate = up().config("[log]", DEBUG).start();
    let address = debug_address(&mut tidegate);
    let image = Image::of(vec![noise(1, 1000)]);
    image.push(&tidegate.client(), "counted/image", "v1").await;
    image
        .assert_pulls(&tidegate.client(), "counted/image", "v1")
        .await;

    let (status, content_type, body) = ask(address, Method::GET, "/debug/health").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "{}"));
    assert_eq!(content_type, "application/json; charset=utf-8");

    let (status, content_type, body) = ask(address, Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(content_type.starts_with("application/openmetrics-text"));
    let line = "registry_http_requests_total{code=\"201\",handler=\"manifest\",method=\"put\"} 1";
    assert!(body.lines().any(|l| l == line), "{body}");
    assert!(body.ends_with("# EOF\n"));

    let (status, _, body) = ask(address, Method::HEAD, "/metrics").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    for (method, path, expected) in [
        (Method::GET, "/", StatusCode::NOT_FOUND),
        (Method::GET, "/v2/", StatusCode::NOT_FOUND),
        (Method::POST, "/metrics", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(ask(address, method, path).await.0, expected, "{path}");
    }
    // And nothing of it is where everybody is.
    let answer = tidegate.client().get("/metrics").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(tidegate.stop().success());
}

#[test]
fn metrics_can_be_left_out_and_a_busy_port_is_an_error_at_once() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let mut made = up().start();
    made.stop();
    let file = made.dir.join("tidegate.toml");
    let debug = format!("[debug]\naddress = \"{address}\"\nmetrics = false\n\n[log]");
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.replace("[log]", &debug)).unwrap();

    let shown = file.to_string_lossy().into_owned();
    let checked = run(["check", "-c", &shown], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let line = format!("debug        http://{address} with /debug/health\n");
    assert!(checked.stdout.contains(&line), "{}", checked.stdout);
    assert!(
        checked
            .stdout
            .contains("health       looked at every 10s; 503 after 3 failures")
    );

    let served = run(["serve", "-c", &shown], "");
    assert_eq!(served.code, Some(1), "{}", served.stdout);
    let said = format!("`debug.address`: cannot listen on {address}");
    assert!(served.stderr.contains(&said), "{}", served.stderr);
    assert!(
        served.stderr.contains("hint: `ss -ltnp"),
        "{}",
        served.stderr
    );
    assert!(!served.stdout.contains("listening"), "{}", served.stdout);
}

#[tokio::test]
async fn a_storage_that_is_gone_is_said_and_requests_wait_for_its_return() {
    let mut tidegate = up()
        .config("[log]", DEBUG)
        .config(
            "[edge]",
            // A look that takes longer counts as failed, and a busy disk takes long.
            "[registry.health]\ninterval = \"1s\"\nthreshold = 2\n[edge]",
        )
        .start();
    let address = debug_address(&mut tidegate);
    let image = Image::of(vec![noise(1, 1000)]);
    image.push(&tidegate.client(), "kept/image", "v1").await;

    let root = tidegate.dir.join("registry");
    let aside = tidegate.dir.join("aside");
    fs_err::rename(&root, &aside).unwrap();
    let line = tidegate.logged("the storage does not work");
    assert!(line.contains("ERROR"), "{line}");
    let answer = tidegate.client().get("/v2/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.error_code(), "UNAVAILABLE");
    let (status, _, body) = ask(address, Method::GET, "/debug/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let said = body["storagedriver_filesystem"].as_str().unwrap();
    assert!(said.contains("No such file"), "{said}");

    fs_err::rename(&aside, &root).unwrap();
    tidegate.logged("the storage works again");
    image
        .assert_pulls(&tidegate.client(), "kept/image", "v1")
        .await;
}
