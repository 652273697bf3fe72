use std::os::unix::fs::symlink;
use tidegate_failure::Explain as _;

use super::*;
use crate::{CaOptions, make_ca};

fn pair() -> Pair {
    make_ca(&CaOptions::default()).unwrap().pair().clone()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn assert_holds(paths: &PairPaths, pair: &Pair) {
    assert_eq!(fs::read_to_string(paths.cert()).unwrap(), pair.certificate);
    assert_eq!(fs::read_to_string(paths.key()).unwrap(), *pair.key);
}

#[test]
fn writes_both_files_for_the_right_eyes() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data/certs");
    let paths = PairPaths::ca(&directory);
    assert_eq!(paths.settle().unwrap(), PairState::Missing);
    let pair = pair();
    write_pair(&paths, &pair).unwrap();
    assert_eq!(paths.settle().unwrap(), PairState::Complete);
    assert_holds(&paths, &pair);
    assert_eq!(names(&directory), ["root-ca.crt", "root-ca.key"]);
    assert_eq!(mode(&paths.key()), 0o600);
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&root.path().join("data")), 0o700);
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
    write_pair(&PairPaths::ca(root.path()), &pair()).unwrap();
    assert_eq!(mode(root.path()), 0o755);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left_beside_it() {
    let pair = pair();
    for taken in ["root-ca.crt", "root-ca.key"] {
        for link in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join(taken);
            if link {
                symlink("nowhere", &path).unwrap();
            } else {
                fs::write(&path, "mine").unwrap();
            }
            let error = write_pair(&PairPaths::ca(root.path()), &pair).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{}` exists already and is not overwritten", path.display())
            );
            assert_eq!(names(root.path()), [taken]);
        }
    }
}

#[test]
fn half_a_pair_is_an_error_that_names_both_files() {
    for (present, missing) in [("a.crt", "a.key"), ("a.key", "a.crt")] {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(present), "x").unwrap();
        let paths = PairPaths::site(root.path(), &PairName::parse("a").unwrap());
        let error = paths.settle().unwrap_err();
        let shown = root.path().display();
        assert_eq!(
            error.to_string(),
            format!("`{shown}/{present}` is there, but `{shown}/{missing}` is missing")
        );
        assert_eq!(
            error.hint().unwrap(),
            format!(
                "restore {shown}/{missing}, or move {shown}/{present} away and a new pair is made"
            )
        );
    }
}

/// The states in which a writer that is killed leaves the directory, in order.
#[test]
fn whatever_an_interrupted_writer_left_the_next_one_finishes_or_clears() {
    let (old, new) = (pair(), pair());
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let (key, cert) = ((*old.key).clone(), old.certificate.clone());
    let interrupted = [
        vec![(".root-ca.key.new", half(&key))],
        vec![
            (".root-ca.key.new", key.clone()),
            (".root-ca.crt.new", half(&cert)),
        ],
        vec![
            (".root-ca.key.new", key.clone()),
            (".root-ca.crt.new", cert.clone()),
        ],
        // The key has its name, the certificate has not.
        vec![("root-ca.key", key), (".root-ca.crt.new", cert)],
    ];
    for (step, left) in interrupted.into_iter().enumerate() {
        let leave = || {
            let root = tempfile::tempdir().unwrap();
            for (name, content) in &left {
                fs::write(root.path().join(name), content).unwrap();
            }
            let paths = PairPaths::ca(root.path());
            (root, paths)
        };
        let (root, paths) = leave();
        let state = paths.settle().unwrap();
        if step == 3 {
            assert_eq!(state, PairState::Complete);
            assert_holds(&paths, &old);
        } else {
            assert_eq!(state, PairState::Missing);
            assert_eq!(names(root.path()), [""; 0]);
        }

        let (root, paths) = leave();
        let written = write_pair(&paths, &new);
        if step == 3 {
            assert!(matches!(written, Err(CertsError::Exists { .. })));
            assert_holds(&paths, &old);
        } else {
            written.unwrap();
            assert_holds(&paths, &new);
        }
        assert_eq!(names(root.path()), ["root-ca.crt", "root-ca.key"]);
    }
}

#[test]
fn a_certificate_that_turns_up_meanwhile_leaves_no_new_key() {
    let root = tempfile::tempdir().unwrap();
    let paths = PairPaths::ca(root.path());
    let pair = pair();
    let directory = Directory::lock(root.path()).unwrap();
    let key = stage(&paths.staged_key(), &pair.key, 0o600).unwrap();
    let cert = stage(&paths.staged_cert(), &pair.certificate, 0o644).unwrap();
    fs::write(paths.cert(), "mine").unwrap();
    let error = name_both(&paths, cert, key, &directory).unwrap_err();
    assert!(matches!(error, CertsError::Exists { path } if path == paths.cert()));
    assert_eq!(names(root.path()), ["root-ca.crt"]);
    assert_eq!(fs::read_to_string(paths.cert()).unwrap(), "mine");
}

#[test]
fn a_staged_certificate_of_another_key_finishes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let paths = PairPaths::ca(root.path());
    let (mine, other) = (pair(), pair());
    fs::write(paths.key(), &*mine.key).unwrap();
    fs::write(paths.staged_cert(), &other.certificate).unwrap();
    assert!(matches!(paths.settle(), Err(CertsError::HalfPair { .. })));
    assert_eq!(names(root.path()), ["root-ca.key"]);
}

#[test]
fn of_writers_at_the_same_time_one_wins_with_both_files() {
    let root = tempfile::tempdir().unwrap();
    let paths = PairPaths::ca(root.path());
    let pairs: Vec<_> = (0..4).map(|_| pair()).collect();
    let start = std::sync::Barrier::new(pairs.len());
    let written: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = pairs
            .iter()
            .map(|pair| {
                scope.spawn(|| {
                    start.wait();
                    write_pair(&paths, pair)
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    let winners: Vec<_> = pairs
        .iter()
        .zip(&written)
        .filter(|(_, w)| w.is_ok())
        .collect();
    assert_eq!(winners.len(), 1, "{written:?}");
    assert_holds(&paths, winners[0].0);
    let lost = |w: &&Result<(), CertsError>| matches!(w, Err(CertsError::Exists { .. }));
    assert_eq!(written.iter().filter(lost).count(), 3, "{written:?}");
    assert_eq!(names(root.path()), ["root-ca.crt", "root-ca.key"]);
}

#[test]
fn names_stay_in_their_directory() {
    for name in ["site", "registry.example.com", "10.0.0.7", "::1", "a..b"] {
        assert_eq!(PairName::parse(name).unwrap().as_str(), name);
    }
    let long = "x".repeat(201);
    for (name, reason) in [
        ("", "it is empty"),
        ("a/b", "it leads to another directory"),
        ("../x", "it leads to another directory"),
        ("..", "it starts with a dot"),
        (".site", "it starts with a dot"),
        ("-x", "it starts with a hyphen"),
        (
            "a\0b",
            "it has characters other than letters, digits and . - _ : @ +",
        ),
        (
            "*.lan",
            "it has characters other than letters, digits and . - _ : @ +",
        ),
        ("root-ca", "the CA's files have this name"),
        (long.as_str(), "it is longer than 200 bytes"),
    ] {
        assert_eq!(
            PairName::parse(name).unwrap_err().to_string(),
            format!(
                "`{}` cannot name the files of a certificate: {reason}",
                name.escape_debug()
            )
        );
    }
}
