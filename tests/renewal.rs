//! Certificates that are renewed before they end, and the CA that clients fetch.

mod harness;

use std::path::Path;

use harness::client::Client;
use harness::{Tidegate, up};
use http::StatusCode;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustix::process::Signal;
use time::{Duration, OffsetDateTime};

const CA: &str = "/.well-known/tidegate/ca.crt";

/// Puts in place of the site certificate one for the same key that has ten days
/// left of a hundred, signed by the CA in `authority`.
fn almost_over(dir: &Path, authority: &Path) {
    let read = |path: &Path| fs_err::read_to_string(path).unwrap();
    let ca_key = KeyPair::from_pem(&read(&authority.join("certs/root-ca.key"))).unwrap();
    let ca = read(&authority.join("certs/root-ca.crt"));
    let issuer = Issuer::from_ca_cert_pem(&ca, ca_key).unwrap();
    let key = KeyPair::from_pem(&read(&dir.join("certs/site.key"))).unwrap();
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).unwrap();
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(90);
    params.not_after = now + Duration::days(10);
    let made = params.signed_by(&key, &issuer).unwrap();
    let cert = dir.join("certs/site.crt");
    let staged = dir.join("certs/staged");
    fs_err::write(&staged, made.pem()).unwrap();
    fs_err::rename(&staged, &cert).unwrap();
}

/// The end of the certificate that a handshake shows, in days from now.
async fn days_left(tidegate: &Tidegate, ca: &Path) -> i64 {
    let stream = Client::new(tidegate.address, ca).connect().await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    (leaf.validity().not_after.to_datetime() - OffsetDateTime::now_utc()).whole_days()
}

fn key(dir: &Path) -> String {
    fs_err::read_to_string(dir.join("certs/site.key")).unwrap()
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_renewed_at_the_start() {
    let mut first = up().start();
    first.stop();
    almost_over(&first.dir, &first.dir);
    let old_key = key(&first.dir);
    let mut second = up().in_dir(&first.dir).start();
    second.logged("renewed the certificate");
    assert!(days_left(&second, &second.ca()).await > 60);
    assert_eq!(key(&second.dir), old_key);
    assert_eq!(second.client().get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_certificate_is_renewed_and_swapped_in_without_a_restart() {
    let mut tidegate = up().start();
    let standing = tidegate.client();
    almost_over(&tidegate.dir, &tidegate.dir);
    tidegate.logged("read the certificate again");
    assert!(days_left(&tidegate, &tidegate.ca()).await < 11);
    tidegate.signal(Signal::HUP);
    tidegate.logged("renewed the certificate");
    tidegate.logged("read the certificate again");
    assert!(days_left(&tidegate, &tidegate.ca()).await > 60);
    assert_eq!(standing.get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_from_elsewhere_is_left_alone_and_its_end_is_told() {
    let mut authority = up().start();
    authority.stop();
    let mut tidegate = up().start();
    tidegate.stop();
    almost_over(&tidegate.dir, &authority.dir);
    let bytes = fs_err::read(tidegate.dir.join("certs/site.crt")).unwrap();
    let mut tidegate = up().in_dir(&tidegate.dir).start();
    let told = tidegate.logged("the certificate ends in 9 days");
    assert!(told.contains("site.crt"), "{told}");
    assert!(days_left(&tidegate, &authority.ca()).await < 11);
    assert_eq!(
        fs_err::read(tidegate.dir.join("certs/site.crt")).unwrap(),
        bytes
    );
    // The CA that lies there signed something else: nobody is to trust it for this.
    let anonymous = Client::new(tidegate.address, &authority.ca());
    assert_eq!(anonymous.get(CA).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn renewal_can_be_turned_off() {
    let mut tidegate = up().start();
    tidegate.stop();
    almost_over(&tidegate.dir, &tidegate.dir);
    let mut tidegate = up()
        .in_dir(&tidegate.dir)
        .config("# renew = true ", "renew = false ")
        .start();
    tidegate.logged("the certificate ends in 9 days");
    assert!(days_left(&tidegate, &tidegate.ca()).await < 11);
}

#[tokio::test]
async fn the_ca_is_there_for_everybody_unless_it_is_not_to_be() {
    let tidegate = up().start();
    let anonymous = Client::new(tidegate.address, &tidegate.ca());
    let answer = anonymous.get(CA).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/x-x509-ca-cert");
    assert_eq!(
        answer.text(),
        fs_err::read_to_string(tidegate.ca()).unwrap()
    );
    assert!(tidegate.banner.contains(CA), "{}", tidegate.banner);

    let silent = up()
        .config("# publish_ca = true ", "publish_ca = false ")
        .start();
    let anonymous = Client::new(silent.address, &silent.ca());
    assert_eq!(anonymous.get(CA).await.status, StatusCode::UNAUTHORIZED);
    assert!(!silent.banner.contains(CA), "{}", silent.banner);
}
