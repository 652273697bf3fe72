use fs_err as fs;
use std::os::unix::fs::PermissionsExt;

use time::Duration;

use super::*;
use crate::files::{PairName, PairState, write_pair};
use crate::testing::openssl;
use crate::{CaOptions, SiteOptions, make_ca};

struct Files {
    root: tempfile::TempDir,
    ca: Ca,
    paths: PairPaths,
}

/// A CA and a site of 90 days, both on the disk.
fn files() -> Files {
    let root = tempfile::tempdir().unwrap();
    let ca = make_ca(&CaOptions::default()).unwrap();
    write_pair(&PairPaths::ca(root.path()), ca.pair()).unwrap();
    let names = ["reg.lan", "*.reg.lan", "10.0.0.1", "::1"];
    let mut options = SiteOptions::new(names.map(|n| HostName::parse(n).unwrap()).to_vec());
    options.days = 90;
    options.subject = Some("/C=DE/O=Ünit/CN=reg".parse().unwrap());
    let issued = ca.issue(&options).unwrap();
    let paths = PairPaths::site(root.path(), &PairName::parse("site").unwrap());
    write_pair(&paths, &issued.pair).unwrap();
    Files { root, ca, paths }
}

impl Files {
    fn cert(&self) -> Certificate {
        Certificate::read_first(&self.paths.cert()).unwrap()
    }

    fn key(&self) -> String {
        fs::read_to_string(self.paths.key()).unwrap()
    }

    fn staged(&self, kind: &str) -> std::path::PathBuf {
        self.root.path().join(format!(".site.{kind}.new"))
    }

    fn assert_whole(&self) {
        assert_eq!(self.paths.settle().unwrap(), PairState::Complete);
        let key = Key::read(&self.paths.key()).unwrap();
        assert!(self.cert().matches_key(&key));
        assert_eq!(fs::read_dir(self.root.path()).unwrap().count(), 4);
    }
}

#[test]
fn a_renewed_certificate_is_like_the_old_one_and_ends_later() {
    let files = files();
    fs::set_permissions(files.paths.cert(), PermissionsExt::from_mode(0o640)).unwrap();
    let (old, old_key) = (files.cert(), files.key());
    let later = OffsetDateTime::now_utc() + Duration::days(61);
    let renewed = renew_at(&files.paths, &files.ca, &RenewOptions::default(), later).unwrap();
    let new = files.cert();
    assert_eq!(new, renewed.certificate);
    assert_eq!(new.names(), old.names());
    assert_eq!(new.subject_der(), old.subject_der());
    assert!(new.is_for_servers() && !new.is_for_clients());
    assert_eq!((new.not_after() - old.not_after()).whole_days(), 61);
    assert_eq!(files.key(), old_key);
    let mode = fs::metadata(files.paths.cert())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    files.assert_whole();
    let verify = [
        "verify",
        "-no_check_time",
        "-x509_strict",
        "-CAfile",
        "root-ca.crt",
        "site.crt",
    ];
    openssl(files.root.path(), &verify);
}

#[test]
fn the_key_may_be_new_and_the_names_others() {
    let files = files();
    let old_key = files.key();
    let options = RenewOptions {
        key: RenewKey::New(KeyKind::EcdsaP384),
        days: Some(5),
        names: Some(vec![HostName::parse("other.lan").unwrap()]),
        ..RenewOptions::default()
    };
    renew(&files.paths, &files.ca, &options).unwrap();
    let new = files.cert();
    assert_ne!(files.key(), old_key);
    assert_eq!(new.names(), [San::Dns("other.lan".to_owned())]);
    assert_eq!(new.days_left(OffsetDateTime::now_utc()), 4);
    files.assert_whole();
}

#[test]
fn wherever_a_change_of_keys_stops_a_whole_pair_comes_out() {
    let new_pair = |files: &Files| {
        let issued = files
            .ca
            .issue(&SiteOptions::new(vec![HostName::parse("a.lan").unwrap()]));
        issued.unwrap().pair
    };
    let torn = |text: &str| text[..text.len() / 2].to_owned();
    // Only the key is staged, and not whole.
    let files_1 = files();
    fs::write(files_1.staged("key"), torn(&new_pair(&files_1).key)).unwrap();
    // Both are staged, the certificate not whole, and then whole.
    let files_2 = files();
    let pair = new_pair(&files_2);
    fs::write(files_2.staged("key"), pair.key.as_str()).unwrap();
    fs::write(files_2.staged("crt"), torn(&pair.certificate)).unwrap();
    let files_3 = files();
    let pair = new_pair(&files_3);
    fs::write(files_3.staged("key"), pair.key.as_str()).unwrap();
    fs::write(files_3.staged("crt"), &pair.certificate).unwrap();
    for files in [files_1, files_2, files_3] {
        let old = (files.cert(), files.key());
        files.assert_whole();
        assert_eq!((files.cert(), files.key()), old);
    }
    // The key has its name, the certificate has not.
    let files = files();
    let pair = new_pair(&files);
    fs::write(files.paths.key(), pair.key.as_str()).unwrap();
    fs::write(files.staged("crt"), &pair.certificate).unwrap();
    files.assert_whole();
    assert_eq!(files.key(), pair.key.as_str());
}

#[test]
fn what_is_not_this_cas_or_not_there_is_refused_and_stays() {
    let files = files();
    let before = fs::read(files.paths.cert()).unwrap();
    let stranger = make_ca(&CaOptions::default()).unwrap();
    let error = renew(&files.paths, &stranger, &RenewOptions::default()).unwrap_err();
    assert!(
        error.to_string().contains("was not signed by the CA"),
        "{error}"
    );
    assert_eq!(fs::read(files.paths.cert()).unwrap(), before);

    let missing = PairPaths::site(files.root.path(), &PairName::parse("none").unwrap());
    let error = renew(&missing, &files.ca, &RenewOptions::default()).unwrap_err();
    assert!(error.to_string().contains("none.crt"), "{error}");

    let over = OffsetDateTime::now_utc() + Duration::days(4000);
    let error = renew_at(&files.paths, &files.ca, &RenewOptions::default(), over).unwrap_err();
    assert!(matches!(error, CertsError::NotValidNow { .. }), "{error}");
    assert_eq!(fs::read(files.paths.cert()).unwrap(), before);
}

#[test]
fn renewal_is_due_with_a_third_left() {
    let files = files();
    let cert = files.cert();
    let at = |days| cert.not_after() - Duration::days(days);
    assert!(!cert.renewal_due(at(31)));
    assert!(cert.renewal_due(at(30)));
    assert!(cert.renewal_due(at(-1)));
}

#[test]
fn the_ca_beside_is_found_where_it_signed() {
    let files = files();
    let found = signing_ca_beside(&files.paths.cert()).unwrap().unwrap();
    assert_eq!(found.certificate(), files.ca.certificate());
    fs::remove_file(files.root.path().join("root-ca.key")).unwrap();
    assert!(signing_ca_beside(&files.paths.cert()).unwrap().is_none());

    let (other, mine) = (self::files(), self::files());
    fs::copy(other.paths.cert(), mine.paths.cert()).unwrap();
    assert!(signing_ca_beside(&mine.paths.cert()).unwrap().is_none());
}
