//! Virtual servers: what the places of sites do with requests.

mod rewriting;
mod upstreams;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_config::site::{
    Access, Action, AddedHeader, AddressRule, Attachment, Condition, LocationRule, MethodRule,
    Names, PathMatch, Place, Proxy, Return, Rewrite, Rules, ServerName, Site, Template,
    Translation, UpstreamServer,
};
use tidegate_config::{Auth, HeaderFieldName, Protocol, Upstream};
use tidegate_proxy::{Destination, VirtualServers};

use crate::support::backend::{Events, TestBackend};
use crate::support::client::{API_VERSION, Answer, basic, get, request};
use crate::support::{Running, Setup, front, listener, upstream};

fn site(names: &[&str], places: Vec<Place>) -> Site {
    Site {
        attachments: vec![Attachment {
            listener: 0,
            is_default: false,
        }],
        names: names
            .iter()
            .map(|name| ServerName::parse(name).unwrap())
            .collect(),
        http2: None,
        client_auth: None,
        rewrites: Vec::new(),
        places,
        elsewhere: Rules::default(),
    }
}

fn place(path: &str, rules: Rules, action: Action) -> Place {
    Place {
        path: PathMatch::parse(path).unwrap(),
        rules,
        action,
    }
}

fn registry(path: &str, rules: Rules) -> Place {
    place(path, rules, Action::Registry)
}

fn proxy(servers: Vec<UpstreamServer>) -> Proxy {
    Proxy {
        servers,
        tls: None,
        host: "registry:5000".to_owned(),
        path: None,
        target: None,
        headers: Vec::new(),
        redirects: vec![LocationRule::Place],
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(30),
        send_timeout: Duration::from_secs(30),
    }
}

fn server(address: SocketAddr) -> UpstreamServer {
    UpstreamServer {
        to: Upstream::Http {
            host: address.ip().to_string(),
            port: address.port(),
        },
        weight: 1,
        is_backup: false,
        is_down: false,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
    }
}

fn rewrite(when: &[&str], answer: Return) -> Rewrite {
    let when = when
        .iter()
        .map(|text| Condition::parse(text, Names::default()).unwrap());
    Rewrite {
        when: when.collect(),
        answer,
    }
}

fn status(status: u16) -> Return {
    Return::Status { status, text: None }
}

fn header(name: &str, value: Template, always: bool) -> AddedHeader {
    AddedHeader {
        name: HeaderFieldName::new(name).unwrap(),
        value,
        always,
    }
}

fn template(text: &str) -> Template {
    Template::parse(text, Names::default()).unwrap()
}

fn start(setup: Setup, sites: Vec<Site>) -> (Running, Events) {
    let (backend, events) = TestBackend::new();
    let servers = VirtualServers::new(sites, Some(Arc::new(backend))).unwrap();
    (setup.start_to(Destination::Sites(servers)), events)
}

async fn plain(front: &Running, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    front
        .client()
        .plain(request(method, target, headers, ""))
        .await
}

fn http() -> Setup {
    front().with_protocol(Protocol::Http)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_and_the_path_choose() {
    let say = |text: &str| Rules {
        rewrites: vec![rewrite(
            &[],
            Return::Status {
                status: 200,
                text: Some(template(text)),
            },
        )],
        ..Rules::default()
    };
    let sites = vec![
        site(&["a.example.org"], vec![registry("/", say("a"))]),
        site(
            &["*.example.org"],
            vec![
                registry("/", say("star $uri")),
                registry("= /x", say("exact")),
                registry("/v2/", say("v2")),
            ],
        ),
    ];
    let (front, _events) = start(http(), sites);
    for (host, path, expected) in [
        ("a.example.org", "/x", "a"),
        ("b.example.org:5043", "/x", "exact"),
        ("b.example.org", "//y/../x", "exact"),
        ("b.example.org", "/y%41", "star /yA"),
        ("unknown", "/x", "a"),
    ] {
        let answer = plain(&front, "GET", path, &[("host", host)]).await;
        assert_eq!(
            (answer.status(), answer.text()),
            (200, expected),
            "{host}{path}"
        );
    }
    let host = [("host", "b.example.org")];
    let answer = plain(&front, "GET", "/..", &host).await;
    assert_eq!(answer.status(), 400);
    let answer = plain(&front, "GET", "/v2?n=1", &host).await;
    assert_eq!(answer.status(), 301);
    let location = answer.header("location").unwrap();
    assert_eq!(location, "http://b.example.org/v2/?n=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_once_which_api_it_is() {
    let map = Arc::new(Translation {
        name: "docker_distribution_api_version".to_owned(),
        source: template("$upstream_http_docker_distribution_api_version"),
        texts: vec![(String::new(), Template::text("registry/2.0"))],
        expressions: Vec::new(),
        default: Template::default(),
    });
    let version = Template::parse(
        "$docker_distribution_api_version",
        Names {
            translations: &[map],
            captures: &[],
        },
    )
    .unwrap();
    let rules = Rules {
        rewrites: vec![rewrite(&["$http_user_agent ~ ^docker/1\\.5"], status(404))],
        headers: vec![
            header("Docker-Distribution-Api-Version", version, true),
            header("X-Good", template("$status"), false),
        ],
        max_body: Some(10),
        access: Access {
            auth: None,
            ..Access::default()
        },
    };
    let (to, _) = upstream::tcp().await;
    let forwarded = Action::Proxy(Box::new(proxy(vec![server(to)])));
    let places = vec![
        registry("/", rules.clone()),
        place("/v2/up/", rules, forwarded),
    ];
    let (front, _events) = start(front(), vec![site(&[], places)]);
    let client = front.client();
    for (target, agent, body, expected) in [
        ("/v2/", "docker/27", "", 200),
        ("/v2/up/x", "docker/27", "", 200),
        ("/v2/", "docker/1.5.0", "", 404),
        ("/outside", "docker/1.5.0", "", 404),
        ("/v2/up/x", "docker/1.5.0", "", 404),
        ("/v2/", "docker/27", "eleven bytes", 413),
        ("/v2/up/x", "docker/27", "eleven bytes", 413),
    ] {
        for answer in [
            client
                .h1(request("PUT", target, &[("user-agent", agent)], body))
                .await,
            client
                .h2(request("PUT", target, &[("user-agent", agent)], body))
                .await,
        ] {
            assert_eq!(answer.status(), expected, "{target} {agent}");
            assert_eq!(answer.header(API_VERSION).unwrap(), "registry/2.0");
            let good = answer.header("x-good");
            assert_eq!(good.as_deref(), (expected == 200).then_some("200"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_body_is_cut_where_it_grows_too_long() {
    let rules = Rules {
        max_body: Some(10),
        ..Rules::default()
    };
    let (to, _) = upstream::tcp().await;
    let forwarded = Action::Proxy(Box::new(proxy(vec![server(to)])));
    let places = vec![
        registry("/", rules.clone()),
        place("/up/", rules, forwarded),
    ];
    let (front, _events) = start(front(), vec![site(&[], places)]);
    for path in ["/v2/a", "/up/a"] {
        for (size, expected) in [("5", "200"), ("6", "413")] {
            let mut raw = front.client().raw().await;
            let second = "x".repeat(size.parse().unwrap());
            raw.send(format!(
                "PUT {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n\
                 5\r\nfive.\r\n{size}\r\n{second}\r\n0\r\n\r\n"
            ))
            .await;
            let (head, body) = raw.answer().await;
            let line = format!("http/1.1 {expected}");
            assert!(head.starts_with(&line), "{path} {head}");
            if expected == "413" {
                let body = String::from_utf8(body).unwrap();
                assert!(body.contains("10 bytes"), "{body}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rewrites_answer_redirect_and_hang_up() {
    let mut redirecting = site(&["old"], Vec::new());
    redirecting.rewrites = vec![rewrite(
        &["$request_method = GET"],
        Return::Redirect {
            status: 301,
            to: template("https://$host$request_uri"),
        },
    )];
    let gone = Rules {
        rewrites: vec![
            rewrite(&["$http_x_close"], status(444)),
            rewrite(&["$http_x_teapot"], status(418)),
            rewrite(&[], status(204)),
        ],
        ..Rules::default()
    };
    let (front, _events) = start(
        http(),
        vec![redirecting, site(&["new"], vec![registry("/", gone)])],
    );
    let answer = plain(&front, "GET", "/v2/%41?n=1", &[("host", "OLD:80")]).await;
    assert_eq!(answer.status(), 301);
    assert_eq!(answer.header("location").unwrap(), "https://old/v2/%41?n=1");
    let answer = plain(&front, "PUT", "/", &[("host", "old")]).await;
    assert_eq!(answer.status(), 404);

    let new = ("host", "new");
    let answer = plain(&front, "GET", "/", &[new]).await;
    assert_eq!((answer.status(), answer.text()), (204, ""));
    let answer = plain(&front, "GET", "/", &[new, ("x-teapot", "1")]).await;
    assert_eq!(
        (answer.status(), answer.code().as_str()),
        (418, "UNSUPPORTED")
    );

    let stream = tokio::net::TcpStream::connect(front.address())
        .await
        .unwrap();
    let mut raw = crate::support::client::Raw { stream };
    raw.send("GET / HTTP/1.1\r\nhost: new\r\nx-close: 1\r\n\r\n")
        .await;
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_passwords_let_in() {
    let setup = http().with_password();
    let auth = |realm: &str| {
        let realm = realm.to_owned();
        Some(Auth {
            realm,
            ..setup.auth.clone().unwrap()
        })
    };
    let from = |network: Option<&str>, allows: bool| AddressRule {
        network: network.map(|network| network.parse().unwrap()),
        allows,
    };
    let with = |access: Access| Rules {
        access,
        ..Rules::default()
    };
    let nobody = vec![from(Some("192.0.2.0/24"), true), from(None, false)];
    let local = vec![from(Some("127.0.0.0/8"), true), from(None, false)];
    let places = vec![
        registry("/open/", Rules::default()),
        registry(
            "/far/",
            with(Access {
                addresses: nobody.clone(),
                auth: auth("one"),
                ..Access::default()
            }),
        ),
        registry(
            "/either/",
            with(Access {
                addresses: local,
                auth: auth("one"),
                either: true,
                ..Access::default()
            }),
        ),
        registry(
            "/password/",
            with(Access {
                addresses: nobody.clone(),
                auth: auth("two"),
                either: true,
                ..Access::default()
            }),
        ),
        registry(
            "/read/",
            with(Access {
                methods: Some(MethodRule {
                    except: vec!["GET".to_owned()],
                    access: Box::new(Access {
                        addresses: nobody,
                        ..Access::default()
                    }),
                }),
                ..Access::default()
            }),
        ),
    ];
    let (front, _events) = start(setup, vec![site(&[], places)]);
    let right = basic("alice", "secret");
    let authorization = [("authorization", right.as_str())];
    for (method, path, headers, expected) in [
        ("GET", "/open/", &[][..], 200),
        ("GET", "/far/", &authorization, 403),
        ("GET", "/either/", &[], 200),
        ("GET", "/password/", &[], 401),
        ("GET", "/password/", &authorization, 200),
        ("GET", "/read/", &[], 200),
        ("HEAD", "/read/", &[], 200),
        ("PUT", "/read/", &[], 403),
        ("GET", "/nowhere/", &authorization, 404),
    ] {
        let answer = plain(&front, method, path, headers).await;
        assert_eq!(answer.status(), expected, "{method} {path}");
    }
    let answer = plain(&front, "GET", "/far/", &authorization).await;
    assert_eq!(answer.code(), "DENIED");
    let answer = plain(&front, "GET", "/password/", &[]).await;
    let challenge = answer.header("www-authenticate").unwrap();
    assert_eq!(challenge, "Basic realm=\"two\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_listener_has_its_sites() {
    let mut setup = http();
    setup.settings.listeners.push(listener(Protocol::Http));
    let say = |text: &str| {
        let mut site = site(&["r"], Vec::new());
        site.rewrites = vec![rewrite(
            &[],
            Return::Status {
                status: 200,
                text: Some(template(text)),
            },
        )];
        site
    };
    let mut second = say("second");
    second.attachments[0].listener = 1;
    let (front, _events) = start(setup, vec![say("first"), second]);
    for (index, expected) in ["first", "second"].into_iter().enumerate() {
        let mut client = front.client();
        client.address = front.at(index);
        let answer = client.plain(get("/")).await;
        assert_eq!(answer.text(), expected);
    }
}

#[test]
fn what_cannot_be_served_is_told_before_anything_is() {
    let bind = |setup: Setup, sites: Vec<Site>| {
        let servers = VirtualServers::new(sites, None).unwrap();
        let front = tidegate_proxy::Front::bind(setup.settings, None, Destination::Sites(servers));
        front.err().unwrap().to_string()
    };
    let error = bind(
        http(),
        vec![site(&[], vec![registry("/", Rules::default())])],
    );
    assert!(error.contains("there is none"), "{error}");
    let error = bind(http(), Vec::new());
    assert!(error.starts_with("no site is served on"), "{error}");
}
