use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::finding::{Finding, Verdict};
use crate::header::HeaderFieldName;

const HASH: &str = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";

/// The least that docker_auth starts with; five lines.
const LEAST: &str = "server: {addr: \":5001\", certificate: c.pem, key: c.key}\n\
                     token: {issuer: Acme, expiration: 900}\n\
                     users: {\"\": {}}\n\
                     acl: [{match: {}, actions: [pull]}]\n";

fn read(text: &str) -> Result<Adopted<AuthConfig>, String> {
    parse(Path::new("auth_config.yml"), text).map_err(|error| match error {
        LoadError::Mistake(diagnostic) => {
            let place = diagnostic.location();
            format!("{}:{} {}", place.line, place.column, diagnostic.message())
        }
        other => other.to_string(),
    })
}

/// The whole of [`LEAST`] with one of its lines replaced.
fn with(line: &str) -> String {
    let key = line.split(':').next().unwrap();
    let others = LEAST.lines().filter(|other| !other.starts_with(key));
    others
        .chain([line])
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The findings as `line subject: verdict`.
fn lines(findings: &[Finding]) -> Vec<String> {
    let one = |finding: &Finding| {
        let verdict = match &finding.verdict {
            Verdict::Honoured => "honoured".to_owned(),
            Verdict::Replaced(by) => format!("replaced by {by}"),
            Verdict::Harmless(why) => format!("harmless: {why}"),
            Verdict::Unknown(near) => format!("unknown, {near:?}"),
            Verdict::Refused(why) => format!("refused: {why}"),
        };
        let line = finding.location.as_ref().unwrap().line;
        format!("{line} {} | {verdict}", finding.subject)
    };
    findings.iter().map(one).collect()
}

#[test]
fn a_file_of_the_usual_kind_is_read_to_its_last_line() {
    let text = format!(
        "# Tokens for registry.example\n\
         server:\n  addr: \"127.0.0.1:5001\"\n  path_prefix: /docker\n  certificate: /etc/tls/site.pem\n  \
         key: /etc/tls/site.key\n  real_ip_header: X-Forwarded-For\n  real_ip_pos: -2\n  hsts: true\n  \
         tls_min_version: TLS13\n\
         token:\n  issuer: \"Token server\"\n  expiration: 900\n  certificate: /etc/token.pem\n  \
         key: /etc/token.key\n  disable_legacy_key_id: true\n\
         users:\n  admin:\n    password: \"{HASH}\"\n    labels: {{group: [staff, ops], 7: [007, yes]}}\n  \
         007: {{password: '{HASH}'}}\n  \"\": {{}}\n\
         acl:\n  - match: {{account: admin}}\n    actions: [\"*\"]\n    comment: the boss\n  \
         - match: {{account: \"/.+/\", type: repository, name: \"${{account}}/*\", service: reg}}\n    \
         actions: [pull, push]\n  \
         - match:\n      ip: 10.1.2.3/8\n      labels: {{group: /ops|dev/}}\n    actions: []\n  \
         - match: {{account: \"\"}}\n    actions: [\"*\", pull]\n"
    );
    let Adopted { settings, findings } = read(&text).unwrap();
    assert_eq!(
        settings.server,
        TokenServer {
            bind: Bind::Tcp("127.0.0.1:5001".parse().unwrap()),
            path_prefix: "/docker".to_owned(),
            certificate: Some(files("/etc/tls/site")),
            oldest_tls: TlsVersion::Tls13,
            hsts: true,
            real_ip: Some(RealIp {
                header: HeaderFieldName::new("x-forwarded-for").unwrap(),
                position: -2,
            }),
        }
    );
    assert_eq!(
        settings.token,
        TokenSettings {
            issuer: "Token server".to_owned(),
            expiration: Duration::from_secs(900),
            signing: files("/etc/token"),
            key_id: KeyId::Thumbprint,
        }
    );
    let names: Vec<_> = settings.users.keys().map(String::as_str).collect();
    assert_eq!(names, ["", "007", "admin"]);
    assert_eq!(settings.users[""].password, Password::Any);
    let admin = &settings.users["admin"];
    assert_eq!(admin.password, Password::Hash(HASH.parse().unwrap()));
    let labels = [("7", ["007", "yes"]), ("group", ["staff", "ops"])];
    let labels = labels.map(|(name, values)| (name.to_owned(), values.map(str::to_owned).into()));
    assert_eq!(admin.labels, labels.into());

    let acl = &settings.acl;
    let entry_lines: Vec<_> = acl.iter().map(|entry| entry.line).collect();
    assert_eq!(entry_lines, [24, 27, 29, 33]);
    assert_eq!(acl[0].actions, Actions::Asked);
    assert_eq!(acl[0].comment.as_deref(), Some("the boss"));
    let pattern = |text: &str| Some(AclPattern::new(text).unwrap());
    assert_eq!(
        acl[1].conditions,
        Conditions {
            account: pattern("/.+/"),
            kind: pattern("repository"),
            name: pattern("${account}/*"),
            service: pattern("reg"),
            ..Conditions::default()
        }
    );
    assert_eq!(acl[2].conditions.ip, Some("10.0.0.0/8".parse().unwrap()));
    assert_eq!(acl[2].conditions.labels.len(), 1);
    assert_eq!(acl[2].actions, Actions::Of(Vec::new()));
    // An empty text is a condition, and a star among others is none of all.
    assert_eq!(acl[3].conditions.account, pattern(""));
    let both = ["*", "pull"].map(str::to_owned).into();
    assert_eq!(acl[3].actions, Actions::Of(both));

    let said = lines(&findings);
    assert_eq!(said[0], "3 server.addr: 127.0.0.1:5001 | honoured");
    for line in [
        "19 users.admin.password | honoured",
        "20 users.admin.labels.group | honoured",
        "22 users. | honoured",
        "24 acl.match.account: admin | honoured",
        "26 acl.comment: the boss | harmless: it says what its author thought",
        "30 acl.match.ip: 10.1.2.3/8 | honoured",
    ] {
        assert!(said.iter().any(|said| said == line), "{line}: {said:#?}");
    }
    assert!(!format!("{settings:?}{said:?}").contains("LVMA"));
}

fn files(stem: &str) -> crate::settings::CertificateFiles {
    crate::settings::CertificateFiles {
        cert: format!("{stem}.pem").into(),
        key: format!("{stem}.key").into(),
        renew: false,
    }
}

#[test]
fn what_is_asked_elsewhere_is_refused_by_name_at_its_line() {
    let backends = [
        "google_auth: {client_id: a, client_secret: s3cret}",
        "github_auth: {client_id: a}",
        "oidc_auth: {issuer: a}",
        "gitlab_auth: {client_id: a}",
        "ldap_auth:\n  addr: ldap.example.com:636\n  tls: always",
        "mongo_auth: {collection: users}",
        "xorm_auth: {database_type: mysql, conn_string: \"u:s3cret@/d\"}",
        "ext_auth: {command: /usr/bin/ask, args: [--all]}",
        "plugin_authn: {plugin_path: p.so}",
        "kubernetes_auth: {username: token}",
        "acl_mongo: {collection: acl}",
        "acl_xorm: {conn_string: \"u:s3cret@/d\"}",
        "ext_authz: {command: /usr/bin/ask}",
        "plugin_authz: {plugin_path: p.so}",
        "casbin_authz: {model_path: m, policy_path: p}",
    ];
    for backend in backends {
        let name = backend.split(':').next().unwrap();
        let findings = read(&format!("{LEAST}{backend}\n")).unwrap().findings;
        let said = lines(&findings);
        let refused: Vec<_> = said
            .iter()
            .filter(|said| said.contains("refused"))
            .collect();
        let [refused] = refused[..] else {
            panic!("{name}: {said:?}");
        };
        assert!(
            refused.starts_with(&format!("5 {name} | refused: no")),
            "{refused}"
        );
        assert!(!refused.contains("s3cret"), "{refused}");
        // One that is empty is not there.
        let findings = read(&format!("{LEAST}{name}:\n")).unwrap().findings;
        let said = lines(&findings);
        assert!(
            said.contains(&format!("5 {name} | harmless: it is empty")),
            "{said:?}"
        );
    }
    // Users elsewhere are users, and rules elsewhere rules.
    let text = "server: {addr: \":5001\", certificate: c, key: k}\n\
                token: {issuer: Acme, expiration: 900}\n\
                ldap_auth: {addr: ldap}\nacl_mongo: {collection: acl}\n";
    let settings = read(text).unwrap().settings;
    assert!(settings.users.is_empty() && settings.acl.is_empty());
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    read(LEAST).unwrap();
    for (line, said) in [
        (
            "server: {certificate: c, key: k}",
            "4:1 `server`: it has no addr",
        ),
        (
            "server: {addr: 5001, certificate: c, key: k}",
            "4:16 `server.addr`: `5001` has no port",
        ),
        (
            "server: {addr: \":1\", net: udp, certificate: c, key: k}",
            "4:27 `server.net`: expected tcp or unix, got `udp`",
        ),
        (
            "server: {addr: \":1\", path_prefix: d, certificate: c, key: k}",
            "4:35 `server.path_prefix`: it is no path",
        ),
        (
            "server: {addr: \":1\", certificate: c}",
            "4:1 `server`: certificate and key belong together, and one of them is missing",
        ),
        (
            "server: {addr: \":1\"}",
            "1:1 `token`: nothing signs tokens: neither here nor in `server` is there a certificate",
        ),
        (
            "server: {addr: \":1\", certificate: c, key: k, hsts: maybe}",
            "4:52 `server.hsts`: expected true or false, got a text",
        ),
        (
            "server: {addr: \":1\", certificate: c, key: k, tls_min_version: TLS9}",
            "4:63 `server.tls_min_version`: expected TLS12 or TLS13, got `TLS9`",
        ),
        (
            "server: {addr: \":1\", certificate: c, key: k, tls_min_version: 0x0304, tls_cipher_suites: [0xc014]}",
            "4:71 `server.tls_cipher_suites`: those of TLS 1.3 cannot be chosen: docker_auth does not start",
        ),
        (
            "server: {addr: \":1\", letsencrypt: {email: a@b}}",
            "4:43 `server.letsencrypt.email`: certificates are not fetched from a CA",
        ),
        (
            "server: {addr: \":1\", certificate: c, key: k, real_ip_header: \"a b\"}",
            "4:62 `server.real_ip_header`: `a b` is not the name of a header",
        ),
        (
            "server: {addr: \":1\", certificate: c, key: k, real_ip_header: X, real_ip_pos: last}",
            "4:78 `server.real_ip_pos`: expected a whole number, got `last`",
        ),
        ("token: {expiration: 900}", "4:1 `token`: it has no issuer"),
        ("token: {issuer: Acme}", "4:1 `token`: it has no expiration"),
        (
            "token: {issuer: Acme, expiration: 0}",
            "4:35 `token.expiration`: expected a number of seconds",
        ),
        (
            "token: {issuer: Acme, expiration: 15m}",
            "4:35 `token.expiration`: expected a number of seconds",
        ),
        (
            "token: {issuer: Acme, expiration: 900, key: k}",
            "4:1 `token`: certificate and key belong together",
        ),
        ("users:", "4:1 `users`: there are no users"),
        (
            "users: [admin]",
            "4:1 `users`: expected a mapping, got a list",
        ),
        (
            "users: {admin: secret}",
            "4:16 `users.admin`: expected a mapping, got a text",
        ),
        (
            "users: {a: {labels: {group: staff}}}",
            "4:29 `users.a.labels.group`: expected a list, in brackets, got a text",
        ),
        ("acl:", "4:1 `acl`: there are no rules"),
        (
            "acl: {match: {}}",
            "4:1 `acl`: expected a list, got a mapping",
        ),
        (
            "acl: [pull]",
            "4:1 `acl`: expected a list of mappings, got a text",
        ),
        ("acl: [{actions: [pull]}]", "4:7 `acl`: a rule has no match"),
        (
            "acl: [{match: , actions: [pull]}]",
            "4:7 `acl`: a rule has no match",
        ),
        ("acl: [{match: {}}]", "4:7 `acl`: a rule has no actions"),
        (
            "acl: [{match: {}, actions: \"*\"}]",
            "4:28 `acl.actions`: expected a list, in brackets, got a text",
        ),
        (
            "acl: [{match: {acount: admin}, actions: []}]",
            "4:24 `acl.match.acount`: there is no such condition",
        ),
        (
            "acl: [{match: {email: a@b}, actions: []}]",
            "4:23 `acl.match.email`: there is no such condition",
        ),
        (
            "acl: [{match: {name: /foo?*/}, actions: []}]",
            "4:22 `acl.match.name`: the regular expression cannot be read: `*` follows another repetition",
        ),
        (
            "acl: [{match: {labels: {g: \"/(/\"}}, actions: []}]",
            "4:28 `acl.match.labels.g`: the regular expression cannot be read: unclosed group",
        ),
        (
            "acl: [{match: {name: \"/(?=a)/\"}, actions: []}]",
            "4:22 `acl.match.name`: the regular expression cannot be read: `(?` is followed by what is not known",
        ),
        (
            "acl: [{match: {ip: 192.168.0.*}, actions: []}]",
            "4:20 `acl.match.ip`: `192.168.0.*` is neither an address nor a network",
        ),
    ] {
        let error = read(&with(line)).unwrap_err();
        assert!(error.starts_with(said), "{line}:\n {error}\n {said}");
    }
    let error = read("just text").unwrap_err();
    assert_eq!(error, "1:1 this is no configuration of docker_auth");
    assert!(read("a: [").unwrap_err().contains("it is not YAML"));
}

#[test]
fn nobody_comes_in_by_a_slip_who_does_not_in_docker_auth() {
    let users = "users:\n  nobody:\n  any: {password: }\n  none: {password: \"\"}\n  \
                 plain: {password: hunter2}\n  dear: {password: DEAR}\n  typo: {pasword: x}\n";
    let dear = HASH.replace("$04$", "$20$");
    let users = users.replace("DEAR", &dear);
    let Adopted { settings, findings } = read(&with(&users)).unwrap();
    let of = |name: &str| settings.users.get(name).map(|user| &user.password);
    assert_eq!(of("nobody"), None);
    assert_eq!(of("any"), Some(&Password::Any));
    assert_eq!(of("none"), Some(&Password::Nothing));
    assert_eq!(of("plain"), Some(&Password::Nothing));
    assert_eq!(of("dear"), Some(&Password::Nothing));
    assert_eq!(of("typo"), Some(&Password::Any));
    let said = lines(&findings).join("\n");
    for line in [
        "5 users.nobody | replaced by nobody, for nothing follows the name; {} would let any password in",
        "6 users.any.password | replaced by any password, for nothing follows it",
        "7 users.none.password | replaced by no password at all, for it is no bcrypt hash",
        "8 users.plain.password | replaced by no password at all, for it is no bcrypt hash",
        "9 users.dear.password | refused: the password is not checked: its cost is 20; expected at most 17",
        "10 users.typo.pasword | unknown, Some(\"users.password\")",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(!said.contains("hunter2") && !said.contains("$2y"), "{said}");
}

#[test]
fn what_matches_everybody_or_nobody_unseen_is_said() {
    let acl = "acl:\n  - match: {account: , ip: }\n    actions: [pull]\n  \
               - match: {name: \"team[\", labels: {g: }}\n    actions: []\n    coment: x\n";
    let Adopted { settings, findings } = read(&with(acl)).unwrap();
    assert_eq!(settings.acl[0].conditions, Conditions::default());
    assert!(
        !settings.acl[1]
            .conditions
            .name
            .as_ref()
            .unwrap()
            .unchanged()
            .matches("team[")
    );
    let (label, pattern) = &settings.acl[1].conditions.labels[0];
    assert_eq!((label.as_str(), pattern.as_str()), ("g", ""));
    let said = lines(&findings).join("\n");
    for line in [
        "5 acl.match.account | replaced by no condition, for nothing follows it; \"\" is an empty text",
        "5 acl.match.ip | replaced by no condition, for nothing follows it",
        "7 acl.match.name: team[ | replaced by a condition that nothing meets, for the pattern is malformed",
        "9 acl.coment | unknown, Some(\"acl.comment\")",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn labels_that_make_too_many_patterns_are_a_mistake() {
    let values: Vec<String> = (0..101).map(|n| format!("v{n}")).collect();
    let values = values.join(", ");
    let text = format!(
        "{}acl:\n  - match: {{name: \"${{labels:a}}-${{labels:b}}\"}}\n    actions: [pull]\n",
        with(&format!(
            "users: {{x: {{labels: {{a: [{values}], b: [{values}]}}}}}}"
        )),
    );
    // The second of two keys counts, as there.
    let error = read(&text).unwrap_err();
    assert!(
        error.starts_with("6:19 `acl.match.name`: the labels of the user `x` make more"),
        "{error}"
    );
    let one = text.replace("-${labels:b}", "");
    assert!(read(&one).is_ok());
}

#[test]
fn unknown_keys_are_passed_over_and_the_nearest_is_named() {
    let text = format!("{LEAST}tokn: {{a: b}}\nldap: x\n");
    let said = lines(&read(&text).unwrap().findings).join("\n");
    assert!(
        said.contains("5 tokn.a | unknown, Some(\"token\")"),
        "{said}"
    );
    assert!(said.contains("6 ldap | unknown"), "{said}");
    let with_mark = format!("\u{feff}{LEAST}");
    assert!(read(&with_mark).is_ok());
}

#[test]
fn a_socket_old_tls_and_plain_http_are_read() {
    let socket =
        "server: {addr: /run/auth.sock, net: unix, tls_min_version: TLS10, letsencrypt: {host: h}}";
    let token = "token: {issuer: Acme, expiration: 60, certificate: c.pem, key: c.key}";
    let text = with(socket).replace("token: {issuer: Acme, expiration: 900}", token);
    let Adopted { settings, findings } = read(&text).unwrap();
    assert_eq!(settings.server.bind, Bind::Unix("/run/auth.sock".into()));
    assert_eq!(settings.server.certificate, None);
    assert_eq!(settings.server.oldest_tls, TlsVersion::Tls12);
    assert_eq!(settings.token.key_id, KeyId::Libtrust);
    assert_eq!(settings.token.signing, files("c"));
    let said = lines(&findings).join("\n");
    assert!(
        said.contains("tls_min_version: TLS10 | replaced by"),
        "{said}"
    );
    assert!(
        said.contains("letsencrypt.host: h | harmless: without an email"),
        "{said}"
    );
}

proptest! {
    #[test]
    fn no_text_panics_and_no_hash_is_shown(
        key in proptest::sample::select(schema::SCHEMA.keys),
        value in "[\\[\\]{}:, a-c*\"'$/0-9\n-]{0,24}",
    ) {
        let nested: String = key.split('.').enumerate().map(|(depth, step)| {
            format!("{}{step}:\n", "  ".repeat(depth))
        }).collect();
        let text = format!("{LEAST}{}", nested.trim_end());
        if let Ok(adopted) = read(&format!("{text} {value}\n")) {
            for finding in adopted.findings {
                prop_assert!(!finding.subject.contains(char::is_control));
            }
        }
    }
}
