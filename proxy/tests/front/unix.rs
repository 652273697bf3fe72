//! Listeners that are Unix sockets.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use http::header::HOST;
use tidegate_config::site::{
    Access, Action, AddedHeader, AddressRule, Attachment, Names, PathMatch, Place, Rules, Site,
    Template,
};
use tidegate_config::{HeaderFieldName, ListenAddress, Listener, OVER_SOCKET, Protocol};
use tidegate_proxy::{BindError, Destination, Front, VirtualServers};
use tokio::net::UnixStream;

use crate::support::backend::TestBackend;
use crate::support::client::{Answer, get, over_h1, request};
use crate::support::{Setup, front, listener};

/// A front at a socket of its own, and where that is.
fn at_socket(mode: Option<u32>) -> (Setup, PathBuf) {
    let mut setup = front();
    let path = setup.site.path("front.sock");
    setup.settings.listeners = vec![
        Listener {
            address: ListenAddress::Unix(path.clone()),
            socket_mode: mode,
            ..listener(Protocol::Http)
        },
        listener(Protocol::Http),
    ];
    (setup, path)
}

async fn ask(path: &Path, request: http::Request<http_body_util::Full<bytes::Bytes>>) -> Answer {
    let stream = UnixStream::connect(path).await.unwrap();
    over_h1(stream, request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_come_through_a_socket_which_goes_at_the_end() {
    let (setup, path) = at_socket(Some(0o640));
    let (mut front, mut events) = setup.start();
    let mode = fs_err::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(front.listeners[0].address.unix(), Some(&*path));

    let answer = ask(
        &path,
        request("PUT", "/v2/a", &[("host", "r.test")], "body"),
    )
    .await;
    assert_eq!((answer.status(), answer.text()), (200, "4 bytes"));
    let seen = events.seen.recv().await.unwrap();
    assert_eq!(seen.uri, "http://r.test/v2/a");

    front.begin_shutdown();
    let kept = front.site.path("");
    assert!(kept.exists());
    front.drained().await;
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_somebody_listens_to_stays_theirs() {
    let (setup, path) = at_socket(None);
    let settings = setup.settings.clone();
    let (_front, _events) = setup.start();
    let backend = || Destination::InProcess(std::sync::Arc::new(TestBackend::new().0));
    let error = Front::bind(settings, None, backend()).unwrap_err();
    assert!(matches!(error, BindError::Listen { .. }), "{error}");
    assert!(error.to_string().contains("unix:"), "{error}");
    assert_eq!(ask(&path, get("/v2/")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_address_is_let_in_by_a_rule_of_its_own() {
    let (setup, path) = at_socket(None);
    let rule = |network: Option<&str>, allows| AddressRule {
        network: network.map(|text| match text {
            "unix:" => OVER_SOCKET.into(),
            text => text.parse().unwrap(),
        }),
        allows,
    };
    let place = |path: &str, addresses| Place {
        path: PathMatch::parse(path).unwrap(),
        rules: Rules {
            access: Access {
                addresses,
                ..Access::default()
            },
            headers: vec![AddedHeader {
                name: HeaderFieldName::new("x-client").unwrap(),
                value: Template::parse("$remote_addr|$remote_port", Names::default()).unwrap(),
                always: true,
            }],
            ..Rules::default()
        },
        action: Action::Registry,
    };
    let everybody = Some("::/0");
    let site = Site {
        attachments: [0, 1]
            .map(|listener| Attachment {
                listener,
                is_default: true,
            })
            .to_vec(),
        names: Vec::new(),
        client_auth: None,
        http2: None,
        rewrites: Vec::new(),
        places: vec![
            place(
                "/sockets/",
                vec![rule(Some("unix:"), true), rule(None, false)],
            ),
            place(
                "/networks/",
                vec![
                    rule(everybody, true),
                    rule(Some("127.0.0.0/8"), true),
                    rule(None, false),
                ],
            ),
        ],
        elsewhere: Rules::default(),
    };
    let (backend, _events) = TestBackend::new();
    let servers = VirtualServers::new(vec![site], Some(std::sync::Arc::new(backend))).unwrap();
    let front = setup.start_to(Destination::Sites(servers));
    for (target, through_socket, by_tcp) in [("/sockets/", 200, 403), ("/networks/", 403, 200)] {
        let answer = ask(&path, get(target)).await;
        assert_eq!(answer.status(), through_socket, "{target}");
        assert_eq!(answer.header("x-client").unwrap(), "unix:|");
        let mut request = get(target);
        request
            .headers_mut()
            .insert(HOST, "localhost".parse().unwrap());
        let client = crate::support::client::Client::new(front.at(1), front.site.roots());
        let answer = client.plain(request).await;
        assert_eq!(answer.status(), by_tcp, "{target}");
    }
}
