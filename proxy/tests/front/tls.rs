//! Listeners and their certificates.

use http::header::LOCATION;
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
use tidegate_config::{Listener, Protocol, TlsOffer, TlsVersion};
use tidegate_failure::Explain as _;
use tidegate_proxy::{BindError, CertificateError, Destination, Front};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::backend::TestBackend;
use crate::support::client::{Client, Raw, get, request};
use crate::support::site::certificate;
use crate::support::{front, listener};

fn presented(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].to_vec()
}

fn backend() -> Destination {
    Destination::InProcess(std::sync::Arc::new(TestBackend::new().0))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_is_asked_for_chooses_the_certificate() {
    let mut setup = front();
    let other = setup
        .site
        .make("other", &["other.example.com", "*.wild.example.com"]);
    setup.settings.certificates.push(other.clone());
    let (front, _events) = setup.start();
    let first = certificate(&front.site.files().cert).to_vec();
    let other = certificate(&other.cert).to_vec();
    for (name, expected) in [
        ("localhost", &first),
        ("other.example.com", &other),
        ("a.wild.example.com", &other),
    ] {
        let stream = front.client().tls(name, &[]).await.unwrap();
        assert_eq!(presented(&stream), *expected, "{name}");
    }
    // No certificate has this name; the first is shown, and does not fit.
    let error = front
        .client()
        .tls("unknown.example.com", &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken() {
    const V12: &[&SupportedProtocolVersion] = &[&TLS12];
    const V13: &[&SupportedProtocolVersion] = &[&TLS13];
    let (front, _events) = front().start();
    for (versions, expected) in [
        (V12, ProtocolVersion::TLSv1_2),
        (V13, ProtocolVersion::TLSv1_3),
    ] {
        let client = front.client().speaking(versions);
        let stream = client.tls("localhost", &[b"h2"]).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(client.h1(get("/v2/")).await.status(), 200);
        assert_eq!(client.h2(get("/v2/")).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_offers_what_it_is_told_to() {
    const V12: &[&SupportedProtocolVersion] = &[&TLS12];
    let offers = [
        (false, TlsVersion::Tls12),
        (true, TlsVersion::Tls13),
        (true, TlsVersion::Tls12),
    ];
    let mut setup = front();
    setup.settings.listeners = offers
        .iter()
        .map(|&(http2, minimum)| Listener {
            offer: TlsOffer { http2, minimum },
            ..listener(Protocol::Https)
        })
        .collect();
    let (front, _events) = setup.start();
    for (index, (http2, minimum)) in offers.into_iter().enumerate() {
        let client = Client::new(front.at(index), front.site.roots());
        let stream = client
            .tls("localhost", &[b"h2", b"http/1.1"])
            .await
            .unwrap();
        let expected: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(expected));
        let old = client.speaking(V12).tls("localhost", &[]).await;
        assert_eq!(old.is_ok(), minimum == TlsVersion::Tls12, "{old:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_to_new_connections_and_old_ones_stand() {
    let (front, _events) = front().start();
    let mut standing = front.client().raw().await;
    let old = presented(&standing.stream);

    front.site.make("site", &["localhost"]);
    let reloaded = front.certificates.reload_if_changed().unwrap();
    assert!(reloaded.failures.is_empty());
    let new = certificate(&front.site.files().cert).to_vec();
    assert_ne!(new, old);

    standing
        .send("GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(standing.answer().await.1, b"0 bytes");
    let stream = front.client().tls("localhost", &[]).await.unwrap();
    assert_eq!(presented(&stream), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_does_not_fit_its_key_leaves_the_old_one() {
    let (front, _events) = front().start();
    // Trusts the old certificate only.
    let client = front.client();
    let other = front.site.make("other", &["localhost"]);
    fs_err::rename(other.cert, front.site.files().cert).unwrap();
    let reloaded = front.certificates.reload_if_changed().unwrap();
    assert!(matches!(
        reloaded.failures[..],
        [CertificateError::Mismatch { .. }]
    ));
    assert_eq!(client.h1(get("/v2/")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_beside_tls_and_a_listener_that_redirects() {
    let mut setup = front();
    let redirect = |port| listener(Protocol::RedirectToHttps { port });
    setup.settings.listeners = vec![
        listener(Protocol::Https),
        listener(Protocol::Http),
        redirect(443),
        redirect(5043),
    ];
    let (front, mut events) = setup.start();
    let at = |index: usize| Client::new(front.at(index), front.site.roots());

    assert_eq!(at(1).plain(get("/v2/")).await.status(), 200);
    let seen = events.seen.recv().await.unwrap();
    assert_eq!(seen.uri, "http://localhost/v2/");

    let headers = [
        ("host", "r.example.com:80"),
        ("x-forwarded-host", "evil.example"),
    ];
    let moved = at(2).plain(request("GET", "/v2/?a=b", &headers, "")).await;
    assert_eq!(moved.status(), 301);
    let location = moved.header(LOCATION.as_str()).unwrap();
    assert_eq!(location, "https://r.example.com/v2/?a=b");

    let moved = at(3).plain(request("PUT", "/v2/x", &headers, "body")).await;
    assert_eq!(moved.status(), 308);
    let location = moved.header(LOCATION.as_str()).unwrap();
    assert_eq!(location, "https://r.example.com:5043/v2/x");

    let stream = TcpStream::connect(front.at(2)).await.unwrap();
    let mut raw = Raw { stream };
    raw.send("GET /v2/ HTTP/1.0\r\n\r\n").await;
    let (head, _) = raw.answer().await;
    // HTTP/1.0 need not name a host: the address is as good.
    assert!(head.contains(" 301 "), "{head}");
    assert!(
        head.contains("location: https://127.0.0.1/v2/\r\n"),
        "{head}"
    );
    let stream = TcpStream::connect(front.at(2)).await.unwrap();
    let mut raw = Raw { stream };
    raw.send("GET / HTTP/1.1\r\n\r\n").await;
    let (head, _) = raw.answer().await;
    assert!(head.contains(" 400 "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_speak_tls_harms_nobody() {
    let (front, _events) = front().start();
    let mut stream = Raw {
        stream: TcpStream::connect(front.address()).await.unwrap(),
    };
    stream
        .send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let alert = stream.rest().await;
    assert!(!alert.starts_with(b"HTTP/"), "{alert:?}");
    assert_eq!(front.client().h1(get("/v2/")).await.status(), 200);
}

#[test]
fn what_cannot_be_served_is_told_before_anything_is() {
    let setup = front();
    let missing = setup.site.pair("missing");
    let mut settings = setup.settings.clone();
    settings.certificates = vec![missing.clone()];
    let error = Front::bind(settings, None, backend()).unwrap_err();
    assert!(matches!(
        error,
        BindError::Certificate(CertificateError::Read(_))
    ));
    let message = error.to_string();
    assert!(
        message.contains(missing.cert.to_str().unwrap()),
        "{message}"
    );

    let mut settings = setup.settings.clone();
    settings.certificates.clear();
    let error = Front::bind(settings, None, backend()).unwrap_err();
    assert!(matches!(error, BindError::NoCertificate { .. }));

    let mut settings = setup.settings.clone();
    settings.edge.refused_user_agents = Some("(".to_owned());
    let error = Front::bind(settings, None, backend()).unwrap_err();
    assert!(matches!(error, BindError::RefusedUserAgents(_)));

    let mut settings = setup.settings.clone();
    settings.listeners.clear();
    let error = Front::bind(settings, None, backend()).unwrap_err();
    assert!(matches!(error, BindError::NoListener));

    let first = Front::bind(setup.settings.clone(), None, backend()).unwrap();
    let taken = first.addresses()[0].address.clone();
    let port = taken.inet().unwrap().port();
    assert_ne!(port, 0);
    let mut settings = setup.settings;
    settings.listeners[0].address = taken.clone();
    let error = Front::bind(settings, None, backend()).unwrap_err();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    assert!(error.hint().unwrap().contains(&port.to_string()));
}
