//! `--auth-config`: what is said of the file of a docker_auth.

mod harness;

use std::path::PathBuf;

use harness::{run, up};

/// A directory with a certificate, and a file of docker_auth in it.
struct Recipe {
    dir: PathBuf,
    file: String,
    _made: harness::Tidegate,
}

impl Recipe {
    fn new(more: &str) -> Self {
        let mut made = up().start();
        made.stop();
        let dir = made.dir.clone();
        let at = |path: &str| dir.join(path).display().to_string();
        let text = format!(
            "server:\n  addr: 127.0.0.1:5001\n  certificate: {}\n  key: {}\n\
             token: {{issuer: Acme, expiration: 900}}\n\
             users:\n  admin: {{password: $2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC}}\n  \
             plain: {{password: hunter2}}\n  \"\": {{}}\n\
             acl:\n  - {{match: {{account: admin}}, actions: [\"*\"]}}\n{more}",
            at("certs/site.crt"),
            at("certs/site.key"),
        );
        let file = dir.join("auth_config.yml");
        fs_err::write(&file, text).unwrap();
        Self {
            file: file.display().to_string(),
            dir,
            _made: made,
        }
    }
}

#[test]
fn check_says_what_becomes_of_each_line_and_what_it_comes_to() {
    let recipe = Recipe::new("colour: blue\n");
    let checked = run(["check", "--auth-config", &recipe.file], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for part in [
        "auth_config.yml:2:3    honoured  server.addr: 127.0.0.1:5001",
        "honoured  users.admin.password\n",
        "replaced  users.plain.password (by no password at all, for it is no bcrypt hash)",
        "unknown   colour",
        "tokens       https://127.0.0.1:5001/auth\n",
        "users        1 with a password, 1 whom any lets in, 1 whom none does\n",
        "rules        1\n",
        "auth_config.yml: ok",
    ] {
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(!checked.stdout.contains("hunter2") && !checked.stdout.contains("$2y"));
}

#[test]
fn a_socket_that_the_token_server_does_not_listen_on_is_said() {
    let recipe = Recipe::new("");
    let text = fs_err::read_to_string(&recipe.file).unwrap();
    let text = text.replace("addr: 127.0.0.1:5001", "addr: /run/auth.sock\n  net: unix");
    fs_err::write(&recipe.file, text).unwrap();
    for command in [&["check"][..], &["check", "--lenient"], &["token-server"]] {
        let asked = [command, &["--auth-config", &recipe.file]].concat();
        let refused = run(asked, "");
        assert_eq!(refused.code, Some(1), "{command:?}");
        for part in ["cannot listen on a Unix socket", "hint: name an address"] {
            assert!(refused.stderr.contains(part), "{part}\n{}", refused.stderr);
        }
    }
}

#[test]
fn beside_a_registry_the_key_is_tried() {
    let recipe = Recipe::new("");
    let config = recipe.dir.join("config.yml");
    fs_err::write(
        &config,
        "version: 0.1\nstorage: {filesystem: {rootdirectory: registry}}\n",
    )
    .unwrap();
    let check = ["check", "--registry-config", config.to_str().unwrap()];
    let check = [&check[..], &["--auth-config", &recipe.file]].concat();
    let checked = run(&check, "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for part in [
        &format!("docker_auth  {}\n", recipe.file)[..],
        "users        1 with a password, 1 whom any lets in, 1 whom none does\n",
        "rules        1\n",
    ] {
        assert!(checked.stdout.contains(part), "{part}\n{}", checked.stdout);
    }
    assert!(!checked.stdout.contains("everybody is let in"));
    fs_err::remove_file(recipe.dir.join("certs/site.key")).unwrap();
    let wrong = run(&check, "");
    assert_eq!(wrong.code, Some(1), "{}", wrong.stdout);
    assert!(wrong.stderr.contains("site.key"), "{}", wrong.stderr);
}

#[test]
fn users_alone_make_no_configuration_and_are_reported() {
    let recipe = Recipe::new("colour: blue\n");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = harness::tidegate();
    command.current_dir(elsewhere.path()).args([
        "import",
        "-o",
        "new.toml",
        "--auth-config",
        &recipe.file,
    ]);
    let asked = harness::finish(command, "");
    assert_eq!(asked.code, Some(1));
    for part in ["honoured  users.admin.password\n", "unknown   colour"] {
        assert!(asked.stdout.contains(part), "{part}\n{}", asked.stdout);
    }
    for part in [
        "no tidegate.toml is made of users and rules alone",
        "hint: `tidegate token-server --auth-config ",
    ] {
        assert!(asked.stderr.contains(part), "{part}\n{}", asked.stderr);
    }
    assert!(!elsewhere.path().join("new.toml").exists());
}

#[test]
fn what_cannot_be_honoured_stops_with_its_line() {
    let recipe = Recipe::new("ldap_auth:\n  addr: ldap.example.com:636\n");
    let check = ["check", "--auth-config", &recipe.file];
    let refused = run(check, "");
    assert_eq!(refused.code, Some(1));
    for part in [
        "auth_config.yml:12:1: ldap_auth: nobody is looked up in LDAP",
        "hint: ",
    ] {
        assert!(refused.stderr.contains(part), "{part}\n{}", refused.stderr);
    }
    let lenient = run([&check[..], &["--lenient"]].concat(), "");
    assert_eq!(lenient.code, Some(0), "{}", lenient.stderr);

    // A mistake is none that could be passed over.
    let recipe = Recipe::new("  - {match: {acount: bob}, actions: [\"*\"]}\n");
    let wrong = run(["check", "--lenient", "--auth-config", &recipe.file], "");
    assert_eq!(wrong.code, Some(1));
    for part in [
        "auth_config.yml:12:22: `acl.match.acount`: there is no such condition",
        "hint: the nearest condition is `acl.match.account`",
    ] {
        assert!(wrong.stderr.contains(part), "{part}\n{}", wrong.stderr);
    }

    fs_err::remove_file(recipe.dir.join("certs/site.key")).unwrap();
    let text = fs_err::read_to_string(&recipe.file).unwrap();
    fs_err::write(&recipe.file, text.replace("acount", "account")).unwrap();
    let wrong = run(["check", "--auth-config", &recipe.file], "");
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("site.key"), "{}", wrong.stderr);
}
