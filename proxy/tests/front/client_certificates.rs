//! Certificates of clients: who comes in with which, and as whom.

mod reloaded;
mod sites;

use std::sync::Arc;
use std::time::Duration;

use rcgen::{DnType, ExtendedKeyUsagePurpose, SanType};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tidegate_config::{ClientAuth, UserFrom, VerifyClient};
use tidegate_failure::Explain as _;
use tidegate_proxy::{BindError, ClientCaError, Destination, Front};

use crate::support::authority::{Authority, Made};
use crate::support::backend::{Events, TestBackend};
use crate::support::client::{Answer, get};
use crate::support::{Running, Setup, front};

pub(crate) const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];
pub(crate) const LONG: Duration = Duration::from_secs(86_400);

/// A front that asks for certificates of `authority`, with something changed.
fn asking(
    authority: &Authority,
    change: impl FnOnce(&Setup, &mut ClientAuth),
) -> (Running, Events) {
    let mut setup = front();
    let path = setup.site.path("clients.pem");
    fs_err::write(&path, &authority.pem).unwrap();
    let mut client_auth = ClientAuth::required_by(path);
    change(&setup, &mut client_auth);
    setup.settings.listeners[0].client_auth = Some(client_auth);
    setup.start()
}

async fn ask(front: &Running, with: Option<&Made>) -> Answer {
    front.client().showing(with).h1(get("/v2/")).await
}

/// The status, and what a refusal says.
async fn said(front: &Running, with: Option<&Made>) -> (u16, String) {
    let answer = ask(front, with).await;
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = body["errors"][0]["message"].as_str().unwrap_or_default();
    (answer.status(), message.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_the_ca_come_in_and_each_as_its_user() {
    let authority = Authority::new("clients");
    let (front, mut events) = asking(&authority, |_, _| {});
    let alice = authority.sign("alice");
    for versions in VERSIONS {
        let client = front.client().showing(Some(&alice)).speaking(versions);
        assert_eq!(client.h1(get("/v2/")).await.status(), 200);
        assert_eq!(
            events.seen.recv().await.unwrap().user.as_deref(),
            Some("alice")
        );
        assert_eq!(client.h2(get("/v2/")).await.status(), 200);
        assert_eq!(
            events.seen.recv().await.unwrap().user.as_deref(),
            Some("alice")
        );

        let client = front.client().speaking(versions);
        for answer in [client.h1(get("/v2/")).await, client.h2(get("/v2/")).await] {
            assert_eq!(answer.status(), 400);
            assert_eq!(answer.code(), "UNAUTHORIZED");
            assert!(answer.text().contains("none was sent"), "{}", answer.text());
        }
    }
    let other = Authority::new("clients").sign("alice");
    let (status, message) = said(&front, Some(&other)).await;
    assert_eq!(
        (status, &*message),
        (
            400,
            "the client certificate is refused: no CA that is trusted here signed it"
        )
    );
    assert!(
        events.seen.try_recv().is_err(),
        "no other request came through"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_certificate_is_told() {
    let authority = Authority::new("clients");
    let (front, _events) = asking(&authority, |_, _| {});
    let ended = authority.sign_with("old", |params| {
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2002, 3, 4);
    });
    let early = authority.sign_with("new", |params| {
        params.not_before = rcgen::date_time_ymd(3001, 2, 3);
        params.not_after = rcgen::date_time_ymd(3002, 3, 4);
    });
    let server = authority.sign_with("server", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    for (made, expected) in [
        (ended, "ended on 2002-03-04"),
        (early, "valid from 3001-02-03 on"),
        (server, "not for clients"),
    ] {
        let (status, message) = said(&front, Some(&made)).await;
        assert_eq!(status, 400);
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_certificate_is_looked_at_if_there_is_one() {
    let authority = Authority::new("clients");
    let (front, mut events) = asking(&authority, |_, client_auth| client_auth.required = false);
    assert_eq!(ask(&front, None).await.status(), 200);
    assert_eq!(events.seen.recv().await.unwrap().user, None);
    assert_eq!(
        ask(&front, Some(&authority.sign("bob"))).await.status(),
        200
    );
    assert_eq!(
        events.seen.recv().await.unwrap().user.as_deref(),
        Some("bob")
    );
    let other = Authority::new("clients").sign("bob");
    assert_eq!(ask(&front, Some(&other)).await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_verified_names_nobody() {
    let authority = Authority::new("clients");
    let other = Authority::new("clients").sign("mallory");
    let ended = authority.sign_with("old", |params| {
        params.not_after = rcgen::date_time_ymd(2002, 3, 4);
    });
    for (verify, of_ended) in [(VerifyClient::AnyIssuer, 400), (VerifyClient::Nothing, 200)] {
        let (front, mut events) = asking(&authority, |_, client_auth| client_auth.verify = verify);
        assert_eq!(ask(&front, None).await.status(), 400, "it is required");
        assert_eq!(ask(&front, Some(&other)).await.status(), 200);
        assert_eq!(events.seen.recv().await.unwrap().user, None);
        assert_eq!(ask(&front, Some(&ended)).await.status(), of_ended);
        if of_ended == 200 {
            assert_eq!(events.seen.recv().await.unwrap().user, None);
        }
        assert_eq!(
            ask(&front, Some(&authority.sign("bob"))).await.status(),
            200
        );
        assert_eq!(
            events.seen.recv().await.unwrap().user.as_deref(),
            Some("bob")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_is_found_where_the_settings_say() {
    let authority = Authority::new("clients");
    let made = authority.sign_with("the-name", |params| {
        params
            .distinguished_name
            .push(DnType::OrganizationName, "o");
        params.subject_alt_names = vec![
            SanType::DnsName("ci.example.org".try_into().unwrap()),
            SanType::DnsName("second.example.org".try_into().unwrap()),
            SanType::Rfc822Name("ci@example.org".try_into().unwrap()),
            SanType::URI("spiffe://example.org/ci".try_into().unwrap()),
        ];
    });
    let bare = authority.sign_with(" blank", |_| {});
    for (user, expected) in [
        (UserFrom::CommonName, Some("the-name")),
        (UserFrom::SanDns, Some("ci.example.org")),
        (UserFrom::SanEmail, Some("ci@example.org")),
        (UserFrom::SanUri, Some("spiffe://example.org/ci")),
        (UserFrom::Nowhere, None),
    ] {
        let (front, mut events) = asking(&authority, |_, client_auth| client_auth.user = user);
        assert_eq!(ask(&front, Some(&made)).await.status(), 200);
        assert_eq!(events.seen.recv().await.unwrap().user.as_deref(), expected);
        assert_eq!(ask(&front, Some(&bare)).await.status(), 200);
        assert_eq!(events.seen.recv().await.unwrap().user, None, "{user:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_are_as_long_as_they_may_be() {
    let root = Authority::new("root");
    let middle = root.below("middle");
    let made = middle.along(middle.sign("deep"));
    let alone = middle.sign("deep");
    for (depth, expected) in [(None, 200), (Some(1), 200), (Some(0), 400)] {
        let (front, _events) = asking(&root, |_, client_auth| client_auth.depth = depth);
        assert_eq!(
            ask(&front, Some(&made)).await.status(),
            expected,
            "{depth:?}"
        );
    }
    // The client does not send the CA in the middle: it has to be trusted itself.
    let (front, _events) = asking(&root, |_, _| {});
    assert_eq!(ask(&front, Some(&alone)).await.status(), 400);
    let (front, _events) = asking(&root, |setup, client_auth| {
        let path = setup.site.path("middle.pem");
        fs_err::write(&path, &middle.pem).unwrap();
        client_auth.trusted = vec![path];
    });
    assert_eq!(ask(&front, Some(&alone)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_has_ended_signs_nothing_more() {
    let authority = Authority::ended("clients");
    let (front, _events) = asking(&authority, |_, _| {});
    let (status, message) = said(&front, Some(&authority.sign("alice"))).await;
    assert_eq!(status, 400);
    assert!(message.contains("ended on 2002-03-04"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_lists_are_followed() {
    let authority = Authority::new("clients");
    let (alice, bob) = (authority.sign("alice"), authority.sign("bob"));
    let with_list = |list: String| {
        asking(&authority, |setup, client_auth| {
            let path = setup.site.path("clients.crl");
            fs_err::write(&path, list).unwrap();
            client_auth.crl = Some(path);
        })
    };
    let (front, _events) = with_list(authority.revoking(&[&bob], LONG));
    assert_eq!(ask(&front, Some(&alice)).await.status(), 200);
    let (status, message) = said(&front, Some(&bob)).await;
    assert_eq!(status, 400);
    assert!(message.contains("it was revoked"), "{message}");

    let (front, _events) = with_list(authority.ended_list());
    let (status, message) = said(&front, Some(&alice)).await;
    assert_eq!(status, 400);
    assert!(
        message.contains("the revocation list of its CA ended on"),
        "{message}"
    );

    // A list of another CA says nothing of this one's certificates.
    let (front, _events) = with_list(Authority::new("others").revoking(&[], LONG));
    let (status, message) = said(&front, Some(&alice)).await;
    assert_eq!(status, 400);
    assert!(message.contains("there is no revocation list"), "{message}");

    // Nor does one that says it is of this CA, and is not signed by it.
    let (front, _events) = with_list(Authority::new("clients").revoking(&[], LONG));
    assert_eq!(ask(&front, Some(&alice)).await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_are_told_before_anything_is_served() {
    let authority = Authority::new("clients");
    let bind = |ca: &str, crl: Option<&str>| {
        let mut setup = front();
        let path = setup.site.path("clients.pem");
        fs_err::write(&path, ca).unwrap();
        let mut client_auth = ClientAuth::required_by(path);
        if let Some(crl) = crl {
            let path = setup.site.path("clients.crl");
            fs_err::write(&path, crl).unwrap();
            client_auth.crl = Some(path);
        }
        setup.settings.listeners[0].client_auth = Some(client_auth);
        let backend = Destination::InProcess(Arc::new(TestBackend::new().0));
        Front::bind(setup.settings, None, backend).unwrap_err()
    };
    let empty = bind("", None);
    assert!(matches!(
        empty,
        BindError::ClientCa(ClientCaError::Empty { .. })
    ));
    assert!(empty.to_string().contains("clients.pem"), "{empty}");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let unusable = bind(&format!("{}{broken}", authority.pem), None);
    assert!(
        unusable.to_string().contains("certificate number 2"),
        "{unusable}"
    );
    let no_list = bind(&authority.pem, Some(&authority.pem));
    assert!(
        no_list.to_string().contains("holds no revocation list"),
        "{no_list}"
    );
    // What `openssl ca -gencrl` makes unless it is told otherwise.
    let old = bind(
        &authority.pem,
        Some(include_str!("client_certificates/version1.crl")),
    );
    assert!(old.to_string().contains("version 1"), "{old}");
    assert!(old.hint().unwrap().contains("certs crl"));
}
