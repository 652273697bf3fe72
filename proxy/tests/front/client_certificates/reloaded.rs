//! CAs and revocation lists that change while connections stand and sessions may
//! be resumed.

use std::sync::Arc;

use rustls::HandshakeKind;
use tidegate_config::ClientAuth;

use super::{LONG, VERSIONS, ask};
use crate::support::authority::{Authority, Made};
use crate::support::backend::Events;
use crate::support::client::Raw;
use crate::support::site::replace;
use crate::support::{Running, front};

const REQUEST: &str = "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A front that asks for certificates of `authority`, with a list of the revoked.
fn with_list(authority: &Authority) -> (Running, Events) {
    let mut setup = front();
    let (ca, crl) = (
        setup.site.path("clients.pem"),
        setup.site.path("clients.crl"),
    );
    fs_err::write(&ca, &authority.pem).unwrap();
    fs_err::write(&crl, authority.revoking(&[], LONG)).unwrap();
    setup.settings.listeners[0].client_auth = Some(ClientAuth {
        crl: Some(crl),
        ..ClientAuth::required_by(ca)
    });
    setup.start()
}

fn revoke(front: &Running, authority: &Authority, revoked: &[&Made]) {
    let list = authority.revoking(revoked, LONG);
    replace(&front.site.path("clients.crl"), &list);
    let reloaded = front.client_certificates.reload_if_changed().unwrap();
    assert!(reloaded.failures.is_empty(), "{reloaded:?}");
    assert_eq!(reloaded.replaced.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_revoked_is_out_on_connections_that_stand_as_well() {
    let authority = Authority::new("clients");
    let (front, mut events) = with_list(&authority);
    let (alice, bob) = (authority.sign("alice"), authority.sign("bob"));
    let mut of_alice = front.client().showing(Some(&alice)).raw().await;
    let mut of_bob = front.client().showing(Some(&bob)).raw().await;
    for connection in [&mut of_alice, &mut of_bob] {
        connection.send(REQUEST).await;
        assert!(connection.answer().await.0.starts_with("http/1.1 200 "));
        events.seen.recv().await.unwrap().user.unwrap();
    }
    assert!(front.client_certificates.reload_if_changed().is_none());
    revoke(&front, &authority, &[&bob]);

    of_bob.send(REQUEST).await;
    let (head, body) = of_bob.answer().await;
    assert!(head.starts_with("http/1.1 400 "), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("revoked"));
    of_alice.send(REQUEST).await;
    assert!(of_alice.answer().await.0.starts_with("http/1.1 200 "));
    assert_eq!(
        events.seen.recv().await.unwrap().user.as_deref(),
        Some("alice")
    );
    assert!(events.seen.try_recv().is_err());

    revoke(&front, &authority, &[]);
    of_bob.send(REQUEST).await;
    assert!(of_bob.answer().await.0.starts_with("http/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_session_keeps_its_user_and_a_revoked_one_does_not_come_in() {
    let authority = Authority::new("clients");
    let bob = authority.sign("bob");
    for versions in VERSIONS {
        let (front, mut events) = with_list(&authority);
        // One configuration for all connections: that is where sessions are kept.
        let client = front.client().showing(Some(&bob)).speaking(versions);
        let config = Arc::new(client.config(&[b"http/1.1"]));
        let connect = async || {
            let stream = client.tls_by(&config, "localhost").await.unwrap();
            let mut connection = Raw { stream };
            connection.send(REQUEST).await;
            let (head, _) = connection.answer().await;
            let kind = connection.stream.get_ref().1.handshake_kind().unwrap();
            (head[9..12].to_owned(), kind)
        };
        assert_eq!(connect().await, ("200".to_owned(), HandshakeKind::Full));
        assert_eq!(
            events.seen.recv().await.unwrap().user.as_deref(),
            Some("bob")
        );
        assert_eq!(connect().await, ("200".to_owned(), HandshakeKind::Resumed));
        assert_eq!(
            events.seen.recv().await.unwrap().user.as_deref(),
            Some("bob")
        );

        revoke(&front, &authority, &[&bob]);
        assert_eq!(connect().await.0, "400");
        assert_eq!(connect().await.0, "400");
        assert!(events.seen.try_recv().is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ca_takes_the_place_of_the_first() {
    let [old, new] = [Authority::new("clients"), Authority::new("clients")];
    let (front, _events) = with_list(&old);
    let (of_old, of_new) = (old.sign("alice"), new.sign("alice"));
    let mut standing = front.client().showing(Some(&of_old)).raw().await;
    assert_eq!(ask(&front, Some(&of_old)).await.status(), 200);
    assert_eq!(ask(&front, Some(&of_new)).await.status(), 400);

    replace(&front.site.path("clients.pem"), &new.pem);
    revoke(&front, &new, &[]);
    assert_eq!(ask(&front, Some(&of_old)).await.status(), 400);
    assert_eq!(ask(&front, Some(&of_new)).await.status(), 200);
    standing.send(REQUEST).await;
    assert!(standing.answer().await.0.starts_with("http/1.1 400 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_leaves_what_was_there() {
    let authority = Authority::new("clients");
    let (front, _events) = with_list(&authority);
    let (alice, bob) = (authority.sign("alice"), authority.sign("bob"));
    revoke(&front, &authority, &[&bob]);

    replace(&front.site.path("clients.crl"), "half a list");
    let reloaded = front.client_certificates.reload_if_changed().unwrap();
    assert_eq!(reloaded.failures.len(), 1);
    assert!(reloaded.replaced.is_empty());
    assert!(
        front.client_certificates.reload_if_changed().is_none(),
        "told once"
    );
    assert_eq!(front.client_certificates.reload().failures.len(), 1);
    fs_err::remove_file(front.site.path("clients.pem")).unwrap();
    assert_eq!(front.client_certificates.reload().failures.len(), 1);
    assert_eq!(ask(&front, Some(&alice)).await.status(), 200);
    assert_eq!(ask(&front, Some(&bob)).await.status(), 400);
}
