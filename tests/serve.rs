//! `tidegate serve` and `tidegate check` on the file that `up` wrote.

mod harness;

use harness::{Tidegate, run, tidegate, up};
use http::StatusCode;

#[tokio::test]
async fn the_file_that_up_wrote_is_checked_and_served() {
    let mut made = up().start();
    made.stop();
    let file = made.dir.join("tidegate.toml");
    let shown = file.to_string_lossy().into_owned();

    let checked = run(["check", "-c", &shown], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for part in [
        "https://127.0.0.1:0",
        "site.crt",
        "site.key (renewed by itself)",
        "htpasswd",
        "registry",
    ] {
        assert!(checked.stdout.contains(part), "{part}: {}", checked.stdout);
    }

    let mut command = tidegate();
    command.args(["serve", "-c", &shown]);
    let served = Tidegate::launch(command, &made.dir);
    assert_eq!(served.client().get("/v2/").await.status, StatusCode::OK);
}

#[test]
fn a_mistake_in_the_file_is_shown_with_its_line() {
    let mut made = up().start();
    made.stop();
    let file = made.dir.join("tidegate.toml");
    let shown = file.to_string_lossy().into_owned();
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.replace("htpasswd = ", "htpaswd = ")).unwrap();
    for command in ["check", "serve"] {
        let finished = run([command, "-c", &shown], "");
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.stderr.contains("unknown key `htpaswd`"),
            "{}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains("hint: did you mean `htpasswd`?"),
            "{}",
            finished.stderr
        );
        assert!(finished.stderr.contains("^^^"), "{}", finished.stderr);
    }
}

#[test]
fn what_the_file_names_must_be_there_and_fit() {
    let mut made = up().start();
    made.stop();
    let other = up().start();
    let file = made.dir.join("tidegate.toml");
    let shown = file.to_string_lossy().into_owned();
    let key = made.dir.join("certs/site.key");
    fs_err::copy(other.dir.join("certs/site.key"), &key).unwrap();
    for command in ["check", "serve"] {
        let finished = run([command, "-c", &shown], "");
        assert_eq!(finished.code, Some(1), "{}", finished.stdout);
        assert!(finished.stderr.contains("site.key"), "{}", finished.stderr);
    }
    fs_err::remove_file(made.dir.join("auth/htpasswd")).unwrap();
    fs_err::copy(
        other.dir.join("certs/site.crt"),
        made.dir.join("certs/site.crt"),
    )
    .unwrap();
    for command in ["check", "serve"] {
        let finished = run([command, "-c", &shown], "");
        assert_eq!(finished.code, Some(1), "{}", finished.stdout);
        assert!(
            finished.stderr.contains("auth/htpasswd"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let finished = run(["serve", "-c", "/nonexistent/tidegate.toml"], "");
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("/nonexistent/tidegate.toml"),
        "{}",
        finished.stderr
    );
    assert!(finished.stderr.contains("hint: "), "{}", finished.stderr);
}

#[tokio::test]
async fn another_registry_can_be_put_behind() {
    // A Tidegate of its own on plain HTTP is the registry behind.
    let behind = up()
        .config(
            "[registry]",
            "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocol = \"http\"\n\n[registry]",
        )
        .config(
            "# trusted_proxies = []",
            "trusted_proxies = [\"127.0.0.1\"]",
        )
        .start();
    let port = behind
        .banner
        .lines()
        .find_map(|line| line.trim().strip_prefix("listening on http://127.0.0.1:"))
        .unwrap_or_else(|| panic!("{}", behind.banner))
        .to_owned();
    let forward = format!("[forward]\nto = \"http://127.0.0.1:{port}\"");
    let front = up()
        .config("robots = ", "# robots = ")
        .config(
            "[registry]\nroot = \"registry\"           # the layout of docker-registry, both ways",
            &forward,
        )
        .start();
    let image = harness::image::Image::of(vec![harness::image::noise(1, 1 << 20)]);
    image.push(&front.client(), "through/front", "v1").await;
    image
        .assert_pulls(&front.client(), "through/front", "v1")
        .await;
    image
        .assert_pulls(&behind.client(), "through/front", "v1")
        .await;
    // Locations lead back to the front.
    let upload = front
        .client()
        .post("/v2/through/front/blobs/uploads/")
        .await;
    assert!(
        upload.header("location").starts_with(&front.url("/v2/")),
        "{}",
        upload.header("location")
    );

    drop(behind);
    let answer = front.client().get("/v2/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.error_code(), "UNAVAILABLE");
    assert_eq!(
        answer.header("docker-distribution-api-version"),
        "registry/2.0"
    );
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart() {
    let mut tidegate = up().start();
    let mut open = tidegate.client().connect().await.unwrap();
    let before = open.get_ref().1.peer_certificates().unwrap()[0].clone();

    // A key that does not fit keeps the pair that was there.
    let other = up().start();
    let (cert, key) = (
        tidegate.dir.join("certs/site.crt"),
        tidegate.dir.join("certs/site.key"),
    );
    let good = (fs_err::read(&cert).unwrap(), fs_err::read(&key).unwrap());
    fs_err::copy(other.dir.join("certs/site.key"), &key).unwrap();
    let line = tidegate.logged("ERROR");
    assert!(line.contains("site.key"), "{line}");
    let still = tidegate.client().connect().await.unwrap();
    assert_eq!(still.get_ref().1.peer_certificates().unwrap()[0], before);

    // A new pair of the same CA: taken away, made anew by `up`, put back.
    fs_err::write(&key, &good.1).unwrap();
    tidegate.logged("certificate");
    let renewed = renew(&tidegate);
    fs_err::write(&key, &renewed.1).unwrap();
    fs_err::write(&cert, &renewed.0).unwrap();
    tidegate.signal(rustix::process::Signal::HUP);
    tidegate.logged("SIGHUP");
    tidegate.logged("certificate");
    let after = tidegate.client().connect().await.unwrap();
    assert_ne!(after.get_ref().1.peer_certificates().unwrap()[0], before);

    // The connection from before goes on.
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let request = format!(
        "GET /v2/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        tidegate.host()
    );
    open.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

/// A second site certificate by the CA of a running registry.
fn renew(tidegate: &Tidegate) -> (Vec<u8>, Vec<u8>) {
    let copy = tempfile::tempdir().unwrap();
    fs_err::create_dir(copy.path().join("certs")).unwrap();
    for file in ["certs/root-ca.crt", "certs/root-ca.key"] {
        fs_err::copy(tidegate.dir.join(file), copy.path().join(file)).unwrap();
    }
    let mut made = up().in_dir(copy.path()).start();
    made.stop();
    (
        fs_err::read(copy.path().join("certs/site.crt")).unwrap(),
        fs_err::read(copy.path().join("certs/site.key")).unwrap(),
    )
}

#[test]
fn health_says_whether_the_server_answers() {
    let mut tidegate = up().start();
    // The port that the system chose is not in the file.
    let file = tidegate.dir.join("tidegate.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    let said = text.replace("127.0.0.1:0", &tidegate.address.to_string());
    fs_err::write(&file, said).unwrap();
    let shown = file.to_string_lossy().into_owned();
    let asked = run(["health", "-c", &shown], "");
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    assert!(asked.stdout.contains("answers 401"), "{}", asked.stdout);

    tidegate.stop();
    let asked = run(["health", "-c", &shown], "");
    assert_eq!(asked.code, Some(1));
    assert!(asked.stderr.contains("does not answer"), "{}", asked.stderr);
    assert!(asked.stderr.contains("hint: "), "{}", asked.stderr);
}

#[test]
fn check_finds_a_listener_without_a_site() {
    let mut made = up().start();
    made.stop();
    let file = made.dir.join("sites.toml");
    fs_err::write(
        &file,
        "[[listener]]\naddress = \"127.0.0.1:8443\"\nprotocol = \"http\"\n\
         [[listener]]\naddress = \"127.0.0.1:8080\"\nprotocol = \"http\"\n\
         [registry]\nroot = \"registry\"\n\
         [[site]]\nlisten = [\"127.0.0.1:8443\"]\nplace = [{ path = \"/\", registry = true }]\n",
    )
    .unwrap();
    let checked = run(["check", "-c", &file.to_string_lossy()], "");
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    let said = "no site is served on 127.0.0.1:8080";
    assert!(checked.stderr.contains(said), "{}", checked.stderr);
}
