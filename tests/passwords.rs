//! Who comes in: the password file while the registry runs, and the command
//! that edits it.

mod harness;

use harness::client::{Client, full};
use harness::image::noise;
use harness::{PASSWORD, USER, run, up};
use http::{Method, StatusCode};

#[tokio::test]
async fn without_the_right_password_nothing_is_served() {
    let tidegate = up().start();
    let stranger = Client::new(tidegate.address, &tidegate.ca());
    for client in [
        stranger.clone(),
        stranger.clone().basic(USER, "wrong"),
        stranger.clone().basic("nobody", PASSWORD),
        stranger.clone().header("authorization", "Basic !!!"),
        stranger.clone().header("authorization", "Bearer token"),
    ] {
        for (method, path) in [
            (Method::GET, "/v2/"),
            (Method::GET, "/v2/_catalog"),
            (Method::GET, "/v2/a/manifests/latest"),
            (Method::POST, "/v2/a/blobs/uploads/"),
        ] {
            let answer = client.send(method, path, full("")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(
                answer.header("www-authenticate"),
                "Basic realm=\"Registry\""
            );
            assert_eq!(
                answer.header("docker-distribution-api-version"),
                "registry/2.0"
            );
            assert_eq!(answer.error_code(), "UNAUTHORIZED");
        }
    }
    // Nor what is not there.
    for path in ["/v2/UPPER/manifests/latest", "/v2/nothing/there"] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let right = stranger.basic(USER, PASSWORD);
    assert_eq!(right.get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn guessing_is_throttled_and_those_inside_are_not_locked_out() {
    let tidegate = up().start();
    let right = tidegate.client();
    assert_eq!(right.get("/v2/").await.status, StatusCode::OK);

    let guesser = Client::new(tidegate.address, &tidegate.ca());
    let mut throttled = None;
    for guess in 0..50 {
        let answer = guesser
            .clone()
            .basic(USER, &format!("guess {guess}"))
            .get("/v2/")
            .await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            throttled = Some(answer);
            break;
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = throttled.expect("fifty guesses are too many");
    assert_eq!(answer.error_code(), "TOOMANYREQUESTS");
    assert_eq!(
        answer.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");

    // The same user from the same address, known already.
    assert_eq!(right.get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_password_file_is_read_again_when_it_changes() {
    let mut tidegate = up().start();
    let file = tidegate.dir.join("auth/htpasswd");
    let shown = file.to_string_lossy().into_owned();

    let added = run(["htpasswd", "-B", "-b", &shown, "bob", "bobs password"], "");
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    tidegate.logged("password file");
    let bob = tidegate.client().basic("bob", "bobs password");
    assert_eq!(bob.get("/v2/").await.status, StatusCode::OK);

    // A broken file keeps the users that were there, and says so.
    let good = fs_err::read(&file).unwrap();
    fs_err::write(&file, "this is no password file\n").unwrap();
    let line = tidegate.logged("ERROR");
    assert!(line.contains("htpasswd"), "{line}");
    assert_eq!(bob.get("/v2/").await.status, StatusCode::OK);

    fs_err::write(&file, good).unwrap();
    tidegate.logged("password file");
    let removed = run(["htpasswd", "-D", &shown, "bob"], "");
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    tidegate.logged("password file");
    assert_eq!(bob.get("/v2/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(tidegate.client().get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_file_as_powershell_writes_it_is_read() {
    let mut tidegate = up().start();
    let file = tidegate.dir.join("auth/htpasswd");
    let text = fs_err::read_to_string(&file).unwrap().replace('\n', "\r\n");
    let utf16: Vec<u8> = std::iter::once(0xfeffu16)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    fs_err::write(&file, utf16).unwrap();
    tidegate.logged("password file");
    assert_eq!(tidegate.client().get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_is_refused_in_the_middle_of_sending_still_reads_why() {
    let tidegate = up().start();
    let wrong = tidegate.client().basic(USER, "wrong");
    let answer = wrong
        .send(
            Method::PATCH,
            "/v2/a/blobs/uploads/x",
            full(noise(1, 16 << 20)),
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.error_code(), "UNAUTHORIZED");
}

#[test]
fn the_command_takes_apaches_flags() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users");
    let shown = file.to_string_lossy().into_owned();
    let run = |args: &[&str], stdin: &str| {
        let finished = run(["htpasswd"].iter().chain(args), stdin);
        (finished.code, finished.stdout, finished.stderr)
    };

    // -c makes the file; without it a missing file is an error, as with Apache.
    let (code, _, stderr) = run(&["-b", &shown, "alice", "one"], "");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&shown) && stderr.contains("-c"), "{stderr}");
    assert_eq!(run(&["-cBb", &shown, "alice", "one"], "").0, Some(0));
    fs_err::write(
        &file,
        format!(
            "# staff\n\n{}# robots\n",
            fs_err::read_to_string(&file).unwrap()
        ),
    )
    .unwrap();

    // -i reads the password, -C sets the cost.
    assert_eq!(
        run(&["-i", "-B", "-C", "4", &shown, "bob"], "two\n").0,
        Some(0)
    );
    let text = fs_err::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "# staff");
    assert_eq!(lines[1], "");
    assert!(lines[2].starts_with("alice:$2y$"), "{text}");
    assert_eq!(lines[3], "# robots");
    assert!(lines[4].starts_with("bob:$2y$04$"), "{text}");

    // -v verifies and changes nothing.
    assert_eq!(run(&["-vb", &shown, "bob", "two"], "").0, Some(0));
    assert_eq!(run(&["-vb", &shown, "bob", "three"], "").0, Some(1));
    assert_eq!(run(&["-vb", &shown, "carol", "two"], "").0, Some(1));
    assert_eq!(fs_err::read_to_string(&file).unwrap(), text);

    // A change keeps the place.
    assert_eq!(run(&["-Bb", &shown, "alice", "new"], "").0, Some(0));
    assert_eq!(run(&["-vb", &shown, "alice", "new"], "").0, Some(0));
    assert!(
        fs_err::read_to_string(&file)
            .unwrap()
            .starts_with("# staff\n\nalice:")
    );

    // -D removes; -n shows instead of writing.
    assert_eq!(run(&["-D", &shown, "alice"], "").0, Some(0));
    assert_eq!(run(&["-D", &shown, "alice"], "").0, Some(1));
    let (code, stdout, _) = run(&["-nbB", "dave", "four"], "");
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("dave:$2y$"), "{stdout}");

    // What does not go together is a mistake of usage.
    for wrong in [
        &["-n", "-c", &shown, "x"][..],
        &["-b", &shown, "x"],
        &["-i", "-b", &shown, "x", "y"],
        &["-D", "-v", &shown, "x"],
        &["-C", "3", "-b", &shown, "x", "y"],
        &["-m", "-B", "-b", &shown, "x", "y"],
        &["-m", "-C", "5", "-b", &shown, "x", "y"],
        &["-B", "-r", "5000", "-b", &shown, "x", "y"],
        &["-5", "-r", "999", "-b", &shown, "x", "y"],
        &["-d", "-b", &shown, "x", "y"],
        &["-p", "-b", &shown, "x", "y"],
    ] {
        let (code, _, stderr) = run(wrong, "pw\n");
        assert_eq!(code, Some(2), "{wrong:?}: {stderr}");
    }
    // No message shows a password.
    let (_, _, stderr) = run(&["-b", &shown, "a:b", "hunter2"], "");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was not tried")]
fn the_command_and_apaches_read_what_the_other_makes() {
    const MADE: [(&[&str], &str); 5] = [
        (&["-B", "-C", "4"], "$2y$04$"),
        (&["-m"], "$apr1$"),
        (&["-2", "-r", "1000"], "$5$rounds=1000$"),
        (&["-5", "-r", "1000"], "$6$rounds=1000$"),
        (&["-s"], "{SHA}"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users");
    let shown = file.to_string_lossy().into_owned();
    let verify = |password: &str| run(["htpasswd", "-vb", &shown, "alice", password], "").code;
    let apache = |args: &[&str]| {
        std::process::Command::new("htpasswd")
            .args(args)
            .output()
            .map(|output| output.status.success())
    };

    for (flags, mark) in MADE {
        let args = ["htpasswd", "-cb"].iter().chain(flags);
        let finished = run(args.chain(&[shown.as_str(), "alice", "sesam öffne"]), "");
        assert_eq!(finished.code, Some(0), "{flags:?}: {}", finished.stderr);
        assert_eq!(finished.stderr.contains("warning"), mark == "{SHA}");
        let text = fs_err::read_to_string(&file).unwrap();
        assert!(text.starts_with(&format!("alice:{mark}")), "{text}");
        assert_eq!(verify("sesam öffne"), Some(0));
        assert_eq!(verify("sesam"), Some(1));

        let Ok(agrees) = apache(&["-vb", &shown, "alice", "sesam öffne"]) else {
            eprintln!("skipped: Apache's htpasswd is not installed");
            continue;
        };
        assert!(agrees, "{text}");
        assert!(!apache(&["-vb", &shown, "alice", "sesam"]).unwrap());
        let args: Vec<&str> = ["-cb"].iter().chain(flags).copied().collect();
        assert!(apache(&[&args[..], &[&shown, "alice", "open sesame"]].concat()).unwrap());
        assert_eq!(verify("open sesame"), Some(0), "{flags:?}");
    }

    // What is weak is verified, with a word about the server.
    fs_err::write(&file, "alice:{PLAIN}open sesame\n").unwrap();
    let finished = run(["htpasswd", "-vb", &shown, "alice", "open sesame"], "");
    assert_eq!(finished.code, Some(0));
    assert!(finished.stderr.contains("`allow_weak_hashes`"));
}
