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
