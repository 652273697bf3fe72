use std::task::{Context, Poll, Waker};

use super::*;
use crate::hash::{Cost, hash_password};

const MINUTE: Duration = Duration::from_secs(60);

/// A file with alice and bob, and a verifier of it.
struct Fixture {
    verifier: Verifier,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new(adapt: impl FnOnce(&mut Auth)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("htpasswd");
        fs_err::write(
            &path,
            [line("alice", "sesame"), line("bob", "xyzzy")].concat(),
        )
        .unwrap();
        let mut settings = Auth {
            htpasswd: path.clone(),
            allow_weak_hashes: false,
            realm: "Registry".to_owned(),
            cache_ttl: 10 * MINUTE,
            max_failures: 3,
            failure_window: MINUTE,
        };
        adapt(&mut settings);
        Self {
            verifier: Verifier::open(&settings).unwrap(),
            path,
            _directory: directory,
        }
    }

    async fn from(&self, last: u8, user: &str, password: &str) -> Outcome {
        self.verifier.verify(attempt(last, user, password)).await
    }
}

fn line(user: &str, password: &str) -> String {
    let hash = hash_password(password, Cost::MIN).unwrap();
    format!("{user}:{}\n", hash.as_str())
}

fn attempt<'a>(last: u8, user: &'a str, password: &'a str) -> Attempt<'a> {
    Attempt {
        user,
        password,
        client: [192, 0, 2, last].into(),
    }
}

fn poll<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Poll<T> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

fn accepted(user: &str) -> Outcome {
    Outcome::Accepted(Identity::new(user))
}

fn throttled_for(retry_after: Duration) -> Outcome {
    Outcome::Throttled { retry_after }
}

#[tokio::test]
async fn right_passwords_are_hashed_once_and_wrong_ones_each_time() {
    let fixture = Fixture::new(|auth| auth.max_failures = 100);
    for _ in 0..3 {
        assert_eq!(fixture.from(1, "alice", "sesame").await, accepted("alice"));
    }
    assert_eq!(fixture.verifier.hashed(), 1);
    for (user, password) in [
        ("alice", "xyzzy"),
        ("alice", "xyzzy"),
        ("Alice", "sesame"),
        ("", ""),
    ] {
        assert_eq!(fixture.from(1, user, password).await, Outcome::Refused);
    }
    // Unknown users take the same work.
    assert_eq!(fixture.verifier.hashed(), 5);
    assert_eq!(fixture.verifier.realm(), "Registry");
}

#[tokio::test]
async fn a_ttl_of_zero_hashes_each_time() {
    let fixture = Fixture::new(|auth| auth.cache_ttl = Duration::ZERO);
    for hashed in 1..=3 {
        assert_eq!(fixture.from(1, "alice", "sesame").await, accepted("alice"));
        assert_eq!(fixture.verifier.hashed(), hashed);
    }
}

#[tokio::test]
async fn requests_at_the_same_time_share_one_hash() {
    let fixture = Fixture::new(|_| ());
    for (password, expected) in [("sesame", accepted("alice")), ("no", Outcome::Refused)] {
        let before = fixture.verifier.hashed();
        let occupied = fixture.verifier.pool.occupy();
        let mut requests: Vec<_> = (1..=3)
            .map(|last| Box::pin(fixture.from(last, "alice", password)))
            .collect();
        for request in &mut requests {
            assert_eq!(poll(request), Poll::Pending);
        }
        drop(occupied);
        for request in requests {
            assert_eq!(request.await, expected);
        }
        assert_eq!(fixture.verifier.hashed(), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_are_throttled_without_a_hash_until_the_window_ends() {
    let fixture = Fixture::new(|_| ());
    for password in ["1", "2", "3"] {
        assert_eq!(fixture.from(1, "alice", password).await, Outcome::Refused);
    }
    assert_eq!(
        fixture.from(1, "alice", "sesame").await,
        throttled_for(MINUTE)
    );
    assert_eq!(
        fixture.from(1, "nobody", "sesame").await,
        throttled_for(MINUTE)
    );
    assert_eq!(fixture.verifier.hashed(), 3);
    // Nor does such a request take a place in the queue.
    let occupied = fixture.verifier.pool.occupy();
    let mut request = Box::pin(fixture.from(1, "alice", "sesame"));
    assert_eq!(poll(&mut request), Poll::Ready(throttled_for(MINUTE)));
    drop(occupied);

    tokio::time::advance(MINUTE / 4).await;
    assert_eq!(
        fixture.from(1, "alice", "sesame").await,
        throttled_for(MINUTE / 4 * 3)
    );
    assert_eq!(fixture.from(2, "alice", "sesame").await, accepted("alice"));
    // What is verified passes, from the throttled address too.
    assert_eq!(fixture.from(1, "alice", "sesame").await, accepted("alice"));
    assert_eq!(
        fixture.from(1, "bob", "xyzzy").await,
        throttled_for(MINUTE / 4 * 3)
    );

    tokio::time::advance(MINUTE / 4 * 3).await;
    assert_eq!(fixture.from(1, "bob", "xyzzy").await, accepted("bob"));
}

#[tokio::test(start_paused = true)]
async fn guesses_sent_at_once_do_not_pass_the_limit_by_more_than_run_at_once() {
    let fixture = Fixture::new(|_| ());
    let passwords: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    let occupied = fixture.verifier.pool.occupy();
    let mut guesses: Vec<_> = passwords
        .iter()
        .map(|password| Box::pin(fixture.from(1, "alice", password)))
        .collect();
    for guess in &mut guesses {
        assert_eq!(poll(guess), Poll::Pending);
    }
    drop(occupied);
    let mut refused = 0;
    for guess in guesses {
        match guess.await {
            Outcome::Refused => refused += 1,
            outcome => assert_eq!(outcome, throttled_for(MINUTE)),
        }
    }
    let at_once = std::thread::available_parallelism().unwrap().get() as u64 / 2;
    assert!((3..=3 + at_once).contains(&refused), "{refused}");
    assert_eq!(fixture.verifier.hashed(), refused);
}

#[tokio::test]
async fn one_address_cannot_fill_the_queue() {
    let fixture = Fixture::new(|auth| auth.max_failures = 10_000);
    let passwords: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
    let occupied = fixture.verifier.pool.occupy();
    let mut flood: Vec<_> = passwords
        .iter()
        .map(|password| Box::pin(fixture.from(1, "alice", password)))
        .collect();
    let turned_away: Vec<_> = flood
        .iter_mut()
        .filter_map(|guess| match poll(guess) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        })
        .collect();
    assert!(turned_away.len() > 500, "{}", turned_away.len());
    let soon = throttled_for(Duration::from_secs(1));
    assert!(turned_away.iter().all(|outcome| *outcome == soon));
    // The places of the flood are taken; there is one for somebody else.
    let mut other = Box::pin(fixture.from(2, "bob", "xyzzy"));
    assert_eq!(poll(&mut other), Poll::Pending);
    drop(flood);
    drop(occupied);
    assert_eq!(other.await, accepted("bob"));
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_before_the_answer_has_still_tried() {
    let fixture = Fixture::new(|_| ());
    for (n, password) in ["1", "2", "3"].into_iter().enumerate() {
        let mut guess = Box::pin(fixture.from(1, "alice", password));
        while poll(&mut guess).is_pending() && fixture.verifier.hashed() == n as u64 {
            tokio::task::yield_now().await;
        }
    }
    let outcome = fixture.from(1, "bob", "xyzzy").await;
    assert_eq!(outcome, throttled_for(MINUTE));
}

#[tokio::test]
async fn a_changed_file_takes_effect_for_whom_it_concerns() {
    let fixture = Fixture::new(|_| ());
    assert_eq!(fixture.from(1, "alice", "sesame").await, accepted("alice"));
    assert_eq!(fixture.from(1, "bob", "xyzzy").await, accepted("bob"));
    assert!(fixture.verifier.reload_if_changed().is_none());

    let old = fs_err::read_to_string(&fixture.path).unwrap();
    let bob = old.lines().nth(1).unwrap();
    fs_err::write(
        &fixture.path,
        line("alice", "changed") + bob + "\n" + &line("carol", "new"),
    )
    .unwrap();
    let reloaded = fixture.verifier.reload_if_changed().unwrap().unwrap();
    assert_eq!(
        reloaded,
        Reloaded {
            users: 3,
            problems: vec![]
        }
    );
    assert!(fixture.verifier.reload_if_changed().is_none());

    let hashed = fixture.verifier.hashed();
    assert_eq!(fixture.from(1, "bob", "xyzzy").await, accepted("bob"));
    assert_eq!(fixture.verifier.hashed(), hashed, "bob's line is the same");
    assert_eq!(fixture.from(1, "alice", "sesame").await, Outcome::Refused);
    assert_eq!(fixture.from(1, "alice", "changed").await, accepted("alice"));
    assert_eq!(fixture.from(1, "carol", "new").await, accepted("carol"));

    fs_err::write(&fixture.path, line("carol", "new")).unwrap();
    assert_eq!(fixture.verifier.reload().unwrap().users, 1);
    assert_eq!(fixture.from(1, "bob", "xyzzy").await, Outcome::Refused);
}

#[tokio::test]
async fn a_bad_file_leaves_the_users_as_they_were() {
    let fixture = Fixture::new(|_| ());
    for bad in [&b"no colon\n"[..], b"", b"\xff\xff", b"alice:$1$x$y\n"] {
        fs_err::write(&fixture.path, bad).unwrap();
        assert!(matches!(fixture.verifier.reload_if_changed(), Some(Err(_))));
        // Told once, not each second.
        assert!(fixture.verifier.reload_if_changed().is_none());
        assert!(fixture.verifier.reload().is_err());
    }
    fs_err::remove_file(&fixture.path).unwrap();
    assert!(matches!(
        fixture.verifier.reload_if_changed(),
        Some(Err(HtpasswdError::Read { .. }))
    ));
    assert_eq!(fixture.from(1, "alice", "sesame").await, accepted("alice"));

    fs_err::write(&fixture.path, line("alice", "back")).unwrap();
    assert!(matches!(fixture.verifier.reload_if_changed(), Some(Ok(_))));
    assert_eq!(fixture.from(1, "alice", "back").await, accepted("alice"));
}

#[tokio::test]
async fn a_user_whose_hash_cannot_be_checked_is_refused_and_the_others_are_not() {
    let fixture = Fixture::new(|_| ());
    fs_err::write(
        &fixture.path,
        "dave:$apr1$a$b\n".to_owned() + &line("alice", "sesame"),
    )
    .unwrap();
    let reloaded = fixture.verifier.reload().unwrap();
    assert_eq!(reloaded.users, 1);
    assert_eq!(
        reloaded.problems[0].to_string(),
        "line 1: user dave: the apr1 hash is damaged"
    );
    assert_eq!(fixture.from(1, "dave", "x").await, Outcome::Refused);
    assert_eq!(fixture.from(1, "alice", "sesame").await, accepted("alice"));
}

#[tokio::test]
async fn a_file_that_mixes_every_notation_lets_all_in_and_weak_ones_where_allowed() {
    /// Of the password `secret`, by other programs.
    const FILE: &str = "\
        sha1:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n\
        ssha:{SSHA}+RFhsab2AfzZ0VfEdyknXtUT06RhYmNk\n\
        apr1:$apr1$$g/UEjvgvl9nWOQl6rNKvZ.\n\
        md5:$1$$ysVNzQc4CTMkp5daOdZ.3/\n\
        sha256:$5$rounds=1000$ab$bw4PhTdETPYycBP1S/MfHGVqzf4cldTXkxqJJ2X8w.3\n\
        bcrypt:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n\
        plain:{PLAIN}secret\n\
        des:abNANd1rDfiNc\n";
    for allowed in [false, true] {
        let fixture = Fixture::new(|auth| {
            auth.allow_weak_hashes = allowed;
            auth.max_failures = 100;
        });
        fs_err::write(&fixture.path, FILE).unwrap();
        let reloaded = fixture.verifier.reload().unwrap();
        assert_eq!(reloaded.users, if allowed { 8 } else { 6 });
        assert_eq!(reloaded.problems.len(), if allowed { 0 } else { 2 });
        for line in FILE.lines() {
            let (user, _) = line.split_once(':').unwrap();
            let expected = if allowed || !["plain", "des"].contains(&user) {
                accepted(user)
            } else {
                Outcome::Refused
            };
            let before = fixture.verifier.hashed();
            assert_eq!(fixture.from(1, user, "secret").await, expected, "{user}");
            assert_eq!(fixture.from(1, user, "Secret").await, Outcome::Refused);
            // Nobody is refused, and nobody let in, without a hash.
            assert_eq!(fixture.verifier.hashed(), before + 2, "{user}");
        }
    }
}
