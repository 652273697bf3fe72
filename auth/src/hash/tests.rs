use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// Made by Apache's `htpasswd -nbB -C 4`.
const OPEN_SESAME: &str = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";
const CYRILLIC: &str = "$2y$04$yHF8SNdlOrJLGvEXED/mMuWFSAxl7v1o6HGF1NZWP.uO2ro3zWZMq";
/// Made by libxcrypt from 80 times `x`, and the same from 72 times.
const X80: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
/// Made by libxcrypt from 71 times `x`.
const X71: &str = "$2a$04$abcdefghijklmnopqrstuu.gc7UY/21CSNJGJg21jJzx9QiOpJ9bO";

/// The program that made a hash, the password and the hash, a line each:
/// passwords up to 100 bytes and beyond ASCII, salts of every length.
const VECTORS: &str = include_str!("vectors.tsv");

fn vectors() -> impl Iterator<Item = (&'static str, &'static str)> {
    VECTORS.lines().map(|line| {
        let (password, hash) = line.split_once('\t').unwrap().1.split_once('\t').unwrap();
        (hash, password)
    })
}

fn stored(text: &str) -> StoredHash {
    StoredHash::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn checks_what_other_programs_have_hashed() {
    let mut schemes = Vec::new();
    for (hash, password) in vectors() {
        let stored = stored(hash);
        assert!(stored.matches(password.as_bytes()), "{hash} {password}");
        // DES crypt reads eight bytes, of which this changes the first.
        let other = format!(
            "{}{password}",
            if password.starts_with('~') { '}' } else { '~' }
        );
        assert!(!stored.matches(other.as_bytes()), "{hash} {other}");
        schemes.push(stored.scheme());
    }
    for scheme in [
        Scheme::Apr1,
        Scheme::Sha1,
        Scheme::SaltedSha1,
        Scheme::Md5Crypt,
        Scheme::Sha256Crypt,
        Scheme::Sha512Crypt,
        Scheme::DesCrypt,
    ] {
        let vectors = schemes.iter().filter(|&&s| s == scheme).count();
        assert!(vectors >= 16, "{scheme}: {vectors}");
    }
}

#[test]
fn checks_bcrypt() {
    assert!(stored(OPEN_SESAME).matches(b"open sesame"));
    assert!(!stored(OPEN_SESAME).matches(b"open sesam"));
    assert!(!stored(OPEN_SESAME).matches(b""));
    assert!(stored(CYRILLIC).matches("пароль".as_bytes()));
}

#[test]
fn long_passwords_count_by_their_first_72_bytes_as_elsewhere() {
    assert!(stored(X80).matches(&[b'x'; 80]));
    assert!(stored(X80).matches(&[b'x'; 72]));
    assert!(!stored(X80).matches(&[b'x'; 71]));
    assert!(stored(X71).matches(&[b'x'; 71]));
    assert!(!stored(X71).matches(&[b'x'; 72]));
}

#[test]
fn passwords_that_would_take_minutes_match_nothing_at_once() {
    let long = [b'x'; MOST_PASSWORD_BYTES + 1];
    for method in [
        Method::Apr1,
        Method::Sha256Crypt(Rounds::MIN),
        Method::Sha512Crypt(Rounds::MIN),
    ] {
        let form = hash_password("x", method).unwrap().form;
        assert!(form.text_of(&long[1..]).is_some());
        assert!(form.text_of(&long).is_none());
    }
}

#[test]
fn a_plain_password_is_all_that_follows_the_mark() {
    assert!(stored("{PLAIN}{PLAIN}x").matches(b"{PLAIN}x"));
    assert!(!stored("{PLAIN}x").matches(b"{PLAIN}x"));
    assert!(!stored("{PLAIN}x").matches(b""));
    assert!(stored("{PLAIN}").matches(b""));
}

#[test]
fn refuses_hashes_that_it_cannot_check() {
    let damaged = |scheme| Err(HashError::Damaged(scheme));
    let bcrypt = |from: &str, to: &str| StoredHash::parse(&OPEN_SESAME.replace(from, to));
    assert_eq!(StoredHash::parse(""), Err(HashError::Missing));
    assert_eq!(bcrypt("3QQC", "3QQ"), damaged(Scheme::Bcrypt));
    assert_eq!(bcrypt("$04$", "$03$"), damaged(Scheme::Bcrypt));
    assert_eq!(bcrypt("$04$", "$32$"), damaged(Scheme::Bcrypt));
    assert_eq!(bcrypt("QQC", "Q*C"), damaged(Scheme::Bcrypt));
    for (from, to, scheme) in [
        ("$2y$", "$2x$", Scheme::BcryptX),
        ("$2y$", "$y$", Scheme::Yescrypt),
        ("$2y$", "$8$", Scheme::Unknown),
    ] {
        assert_eq!(bcrypt(from, to), Err(HashError::Unsupported(scheme)));
    }
    let md5 = "YEhTBnAVYgbhYqpYXHPBg.";
    let sha256 = "bw4PhTdETPYycBP1S/MfHGVqzf4cldTXkxqJJ2X8w.3";
    for (hash, scheme) in [
        (format!("$apr1$salt{md5}"), Scheme::Apr1),
        (format!("$apr1$ninechars${md5}"), Scheme::Apr1),
        (format!("$apr1$salt${}", &md5[1..]), Scheme::Apr1),
        (format!("$apr1$salt${}2", &md5[..21]), Scheme::Apr1),
        (format!("$1$salt${md5}$"), Scheme::Md5Crypt),
        (
            format!("$5$seventeencharsssx${sha256}"),
            Scheme::Sha256Crypt,
        ),
        (format!("$5$rounds=999$s${sha256}"), Scheme::Sha256Crypt),
        (format!("$5$rounds=05000$s${sha256}"), Scheme::Sha256Crypt),
        (format!("$5$rounds=+5000$s${sha256}"), Scheme::Sha256Crypt),
        (format!("$5$rounds=$s${sha256}"), Scheme::Sha256Crypt),
        (
            format!("$5$rounds=1000000000$s${sha256}"),
            Scheme::Sha256Crypt,
        ),
        (format!("$6$s${sha256}"), Scheme::Sha512Crypt),
        ("{SHA}oPFJCiDQIRyZe0S8NX4Zct6riuM".to_owned(), Scheme::Sha1),
        ("{SHA}oPFJCiDQIRyZe0S8NX4Zct6rigAA".to_owned(), Scheme::Sha1),
        ("{SSHA}AAAA".to_owned(), Scheme::SaltedSha1),
        ("0rvHFUBFDyoE7".to_owned(), Scheme::DesCrypt),
    ] {
        assert_eq!(StoredHash::parse(&hash), damaged(scheme), "{hash}");
    }
}

#[test]
fn refuses_hashes_with_which_one_login_would_stop_the_server() {
    let message = |hash: &str| StoredHash::parse(hash).unwrap_err().to_string();
    assert_eq!(
        message(&OPEN_SESAME.replace("$04$", "$18$")),
        "the bcrypt hash asks for a cost of 18; expected at most 17"
    );
    let sha = |rounds: u32| format!("$6$rounds={rounds}$s${}", "a".repeat(85) + ".");
    assert_eq!(
        message(&sha(5_000_001)),
        "the sha512-crypt hash asks for 5000001 rounds; expected at most 5000000"
    );
    assert!(StoredHash::parse(&sha(5_000_000)).is_ok());
}

#[test]
fn debug_shows_no_hash() {
    assert_eq!(
        format!("{:?}", stored(OPEN_SESAME)),
        "StoredHash { work: Work { scheme: Bcrypt, amount: 4 }, .. }"
    );
}

#[test]
fn a_decoy_takes_the_work_of_what_it_stands_for_and_matches_nothing() {
    let mut hashes: Vec<_> = vectors().map(|(hash, _)| hash).step_by(40).collect();
    hashes.extend([OPEN_SESAME, "{PLAIN}secret"]);
    for hash in hashes {
        let (hash, decoy) = (stored(hash), stored(hash).decoy());
        assert_eq!(decoy.work(), hash.work());
        assert_ne!(decoy, hash.decoy());
        assert!(!decoy.matches(b"") && !decoy.matches(b"secret"));
    }
}

/// What `program` prints on a line, given the password; `None` where it is not
/// installed.
#[expect(clippy::print_stderr, reason = "says what was not tried")]
fn hashed_by(program: &str, arguments: &[&str], password: &str) -> Option<String> {
    let mut child = match Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            eprintln!("skipped: {program}: {error}");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{password}").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    let line = String::from_utf8(output.stdout).unwrap();
    Some(line.trim().to_owned())
}

#[test]
fn agrees_with_the_programs_that_are_installed() {
    let passwords = ["x", "open sesame", "пароль: ключ", &"long ".repeat(40)];
    for password in passwords {
        for flag in ["-1", "-5", "-6", "-apr1"] {
            let Some(hash) = hashed_by("openssl", &["passwd", "-stdin", flag], password) else {
                break;
            };
            assert!(
                stored(&hash).matches(password.as_bytes()),
                "{flag} {password}"
            );
        }
        for flag in ["-m", "-s", "-d", "-2", "-5", "-B"] {
            let Some(line) = hashed_by("htpasswd", &["-ni", flag, "user"], password) else {
                break;
            };
            let hash = line.strip_prefix("user:").unwrap();
            assert!(
                stored(hash).matches(password.as_bytes()),
                "{flag} {password}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(mark in "(\\$(2y|apr1|1|5|6)\\$|\\{S?SHA\\}|\\{PLAIN\\})?", rest in "[./0-9a-zA-Z$=+:\\PC]{0,90}") {
        if let Ok(hash) = StoredHash::parse(&format!("{mark}{rest}")) {
            prop_assert_eq!(StoredHash::parse(hash.as_str()), Ok(hash.clone()));
            prop_assert_eq!(hash.decoy().work(), hash.work());
        }
    }

    #[test]
    fn a_changed_hash_is_refused_or_matches_nothing(at in any::<prop::sample::Index>(), to in "[./0-9A-Za-z$]", vector in any::<prop::sample::Index>()) {
        let vectors: Vec<_> = vectors().collect();
        let (hash, password) = *vector.get(&vectors);
        let mut changed: Vec<char> = hash.chars().collect();
        *at.get_mut(&mut changed) = to.chars().next().unwrap();
        let changed: String = changed.into_iter().collect();
        if changed != hash && let Ok(stored) = StoredHash::parse(&changed) {
            prop_assert!(!stored.matches(password.as_bytes()), "{} {}", changed, password);
        }
    }
}
