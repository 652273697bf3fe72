use super::*;
use crate::tidegate_toml::parse;

/// What is written is read as what it was, and is written again alike.
fn assert_comes_back(text: &str) -> String {
    let path = Path::new("/srv/tidegate.toml");
    let settings = parse(path, text).unwrap_or_else(|e| panic!("{e}\n{:?}", e.hint()));
    let written = write(&settings, "made of\nanother file");
    let again = parse(path, &written).unwrap_or_else(|e| panic!("{e}\n{written}"));
    assert_eq!(again, settings, "{written}");
    written
}

#[test]
fn a_small_file_stays_small() {
    let written = assert_comes_back(
        "[[listener]]\naddress = \"[::]:5000\"\nprotocol = \"http\"\n\
         [auth]\nrequired = false\n[registry]\nroot = \"data\"\n",
    );
    assert_eq!(
        written,
        "# made of\n# another file\n\n\
         [[listener]]\naddress = \"[::]:5000\"\nprotocol = \"http\"\n\n\
         [auth]\nrequired = false\n\n[registry]\nroot = \"/srv/data\"\n"
    );
}

#[test]
fn everything_comes_back() {
    assert_comes_back(
        r#"
[log]
level = "info,tidegate_proxy=debug"
format = "json"
access = "off"
[server]
drain_timeout = "1m 5s"
[[listener]]
address = "0.0.0.0:443"
[[listener]]
address = "0.0.0.0:80"
protocol = "redirect-to-https"
https_port = 8443
[[listener]]
address = "unix:/run/tidegate.sock"
socket_mode = "0660"
[[listener]]
address = "0.0.0.0:444"
http2 = false
minimum_tls = "1.3"
[listener.client_auth]
ca = ["clients.crt", "others.crt"]
trusted = "roots.crt"
crl = "clients.crl"
depth = 2
required = false
user = "san-uri"
[[certificate]]
cert = "a \"b\".crt"
key = "a.key"
renew = false
[edge]
refused_user_agents = "^x\\.y"
trusted_proxies = ["10.0.0.0/8"]
publish_ca = false
[auth]
htpasswd = "users"
realm = "the \"realm\""
cache_ttl = "0s"
max_failures = 3
failure_window = "90s"
allow_weak_hashes = true
[registry]
root = "data"
delete = false
read_only = true
schema1 = true
schema1_signing_key = "key"
headers = { X-One = ["a", "b"], X-Two = "c" }
prefix = "/reg"
links = "https://reg.example/sub"
catalog_most = 5000
tags_most = 50
[registry.collect]
every = "off"
grace = "2h"
delete_untagged = true
uploads_after = "off"
uploads_only = true
[registry.scrub]
every = "off"
rate = "1MB"
[[registry.retention]]
repositories = "team/**"
keep_newest = 3
keep_pulled_within = "7d"
keep_pushed_within = "1d"
keep_tags = "^v\\d"
[[registry.immutable]]
repositories = "a"
tags = "v*"
[registry.health]
interval = "5s"
threshold = 1
[[registry.check]]
file = "down"
[[registry.check]]
http = "http://u:p@auth:1/health?x"
headers = { X-A = "b" }
status = 204
timeout = "1s"
interval = "2s"
threshold = 3
[[registry.check]]
tcp = "redis:6379"
timeout = "3s"
[[registry.webhook]]
name = "ci"
url = "https://u:p@h/x?y"
headers = { Authorization = "Bearer x" }
ca = "ca.crt"
timeout = "1s"
threshold = 2
backoff = "3s"
ignore_actions = ["pull"]
ignore_media_types = ["a/b"]
references = true
queue = "q"
queue_events = 5
queue_bytes = "7B"
[debug]
address = "127.0.0.1:5001"
metrics = false
"#,
    );
}

#[test]
fn sites_come_back() {
    let written = assert_comes_back(
        r#"
[[listener]]
address = "0.0.0.0:443"
[[listener]]
address = "0.0.0.0:80"
protocol = "http"
[[listener]]
address = "unix:/run/r.sock"
protocol = "http"
[[certificate]]
cert = "a.crt"
key = "a.key"
[registry]
root = "data"

[[map]]
variable = "api_version"
of = "$upstream_http_docker_distribution_api_version"
values = [["", "registry/2.0"], ["~*^x", "${scheme}y"]]

[[site]]
listen = ["0.0.0.0:443"]
default_at = ["0.0.0.0:443"]
names = ["registry.example.org", "*.example.org", "~^r\\d"]
client_auth = { ca = "clients.crt", verify = "any-issuer" }
http2 = false
rewrite = [{ when = ["$request_method = TRACE"], status = 405, text = "no $host" }]
elsewhere = { max_body = 1048576, addresses = ["deny all"] }

[[site.place]]
path = "/v2/"
registry = true
rules.max_body = 0
rules.either = true
rules.addresses = ["allow 10.0.0.0/8", "deny all"]
rules.auth = { htpasswd = "users", realm = "Registry" }
rules.methods = { except = ["GET"], addresses = ["deny all"], auth = { htpasswd = "pushers", realm = "P" } }
rules.rewrite = [{ when = ["$http_user_agent ~ \"^docker\\/1\\.3\""], status = 404 }]
rules.header = [{ name = "Docker-Distribution-Api-Version", value = "$api_version", always = true }]

[[site.place]]
path = "~* \\.ui$"
[site.place.proxy]
host = "ui"
path = "/x"
read_timeout = "15m"
tls = { name = "ui.example", verify = true, trusted = "roots.pem" }
server = [{ to = "http://ui:8080", weight = 3 }, { to = "unix:/run/ui", backup = true, down = true, max_fails = 0, fail_timeout = "1s" }]
header = [{ name = "Host", value = "$http_host" }]
redirect = [["http://$api_version/", "/"], ["~*^http://[^/]+(/.*)$", "$1"], "default"]

[[site.place]]
path = "~ ^/(?<team>[a-z]+)/(.*)$"
rules.rewrite = [
  { when = ["$uri ~ \"^/v1/(.*)\""], path = "/v2/$1", query = "a=$team", drop_query = true, then = "search" },
  { path = "/$2", then = "stay" },
  { path = "/$2" },
  { when = ["$http_x"], stop = true },
]
proxy = { host = "ui", target = "/x/$team/$2", server = [{ to = "http://ui" }] }

[[site.place]]
path = "/as-is/"
proxy = { host = "ui", server = [{ to = "http://ui" }], redirect = [] }

[[site]]
listen = ["0.0.0.0:80", "unix:/run/r.sock"]
elsewhere = { addresses = ["allow unix:", "deny all"] }
rewrite = [{ status = 301, to = "https://$host$request_uri" }]
"#,
    );
    assert!(written.contains("htpasswd = \"/srv/users\""), "{written}");
}

#[test]
fn a_rewrite_does_one_thing() {
    for (rewrite, said) in [
        ("{ when = [\"$uri\"] }", "does nothing"),
        ("{ status = 404, path = \"/\" }", "or goes on"),
        ("{ stop = true, path = \"/\" }", "the two together"),
        ("{ status = 404, then = \"stay\" }", "belong to `path`"),
        ("{ status = 404, to = \"/\" }", "does not lead anywhere"),
    ] {
        let text = format!(
            "[[listener]]\naddress = \"[::]:80\"\nprotocol = \"http\"\n[[site]]\nrewrite = [{rewrite}]\n"
        );
        let error = parse(Path::new("/t.toml"), &text).unwrap_err();
        assert!(error.message().contains(said), "{error}");
    }
}
