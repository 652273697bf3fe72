//! `rewrite`, and what expressions found: a file of nginx, and what nginx 1.22
//! answers with it.

use std::io;
use std::path::{Path, PathBuf};

use tidegate_config::{NginxFiles, Verdict, parse_nginx};

use super::{http, plain, start};
use crate::support::upstream;

const FILE: &str = r#"
events {}
http {
  map $uri $mapped { default none; ~^/map/(?<what>[a-z]+)/(.*)$ "$what and $2"; }
  server {
    listen 127.0.0.1:80;
    server_name ~^(?<team>[a-z]+)\.teams\.test$;
    add_header X-Team $team always;
    location / { return 200 "$team $1"; }
    location ~ ^/x/(.*)$ { return 200 "$team $1"; }
  }
  server {
    listen 127.0.0.1:80 default_server;
    server_name localhost;
    rewrite ^/old/(.*)$ /new/$1 last;
    rewrite ^/chain/(.*)$ /chain2/$1;
    rewrite ^/chain2/(.*)$ /new/$1;
    location / { return 200 "root $uri $request_uri $args"; }
    location /map/ { return 200 "$mapped"; }
    location /new/ { proxy_pass http://UPSTREAM; }
    location /keep/ { rewrite ^/keep/(.*)$ /v2/$1 break; proxy_pass http://UPSTREAM; }
    location /whole/ { rewrite ^/whole/(.*)$ /v2/$1 break; proxy_pass http://UPSTREAM/ignored/; }
    location /query/ { rewrite ^/query/(.*)$ /v2/$1?a=$1 break; proxy_pass http://UPSTREAM; }
    location /noquery/ { rewrite ^/noquery/(.*)$ /v2/$1? break; proxy_pass http://UPSTREAM; }
    location /again/ { rewrite ^/again/(.*)$ /new/$1 last; return 500; }
    location /loop/ { rewrite ^/loop/(.*)$ /loop/$1x last; }
    location /stop/ { if ($http_x) { break; } return 204; }
    location /out/ { rewrite ^/out/(.*)$ https://else.test/$1 permanent; }
    location /outhere/ { rewrite ^/outhere/(.*)$ /new/$1? redirect; }
    location ~ ^/re/([a-z]+)/(.*)$ {
      add_header X-One $1;
      proxy_set_header X-Rest $2;
      proxy_pass http://UPSTREAM/v2/$1/$2$is_args$args;
    }
    location ~ ^/ret/(.*)$ { return 301 https://else.test/$1; }
    location ~ ^/if/(.*)$ { if ($http_x ~ "^(a+)") { return 200 "if $1"; } return 200 "loc $1"; }
  }
}
"#;

struct NoFiles;

impl NginxFiles for NoFiles {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn matching(&self, _pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_rewritten_as_nginx_does() {
    let (to, _) = upstream::tcp().await;
    let text = FILE.replace("UPSTREAM", &to.to_string());
    let adopted = parse_nginx(Path::new("/nginx.conf"), &text, &NoFiles, None).unwrap();
    let refused = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_));
    let findings = adopted.findings.iter();
    let refused: Vec<_> = findings.filter(|f| refused(&f.verdict)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let (front, _events) = start(http(), adopted.settings.sites);

    // The first line that the upstream echoes, the text of a `return`, or where a
    // redirect leads.
    for (target, status, expected) in [
        ("/old/a%20b?n=1", 200, "GET /new/a%20b?n=1"),
        ("/old/a%3Fb", 200, "GET /new/a%3Fb"),
        ("/chain/q", 200, "GET /new/q"),
        ("/map/abc/d%20e", 200, "abc and d e"),
        ("/keep/a/b?n=1", 200, "GET /v2/a/b?n=1"),
        ("/keep/a%2Bb+c", 200, "GET /v2/a+b+c"),
        ("/whole/a", 200, "GET /v2/a"),
        ("/query/a%26b?n=1", 200, "GET /v2/a&b?a=a%26b&n=1"),
        ("/query/a", 200, "GET /v2/a?a=a"),
        ("/query/a&b?n=1", 200, "GET /v2/a&b?a=a&b&n=1"),
        ("/noquery/a?n=1", 200, "GET /v2/a"),
        ("/again/z?n=1", 200, "GET /new/z?n=1"),
        ("/loop/a", 500, ""),
        ("/stop/", 204, ""),
        ("/out/a+b", 301, "https://else.test/a+b"),
        // nginx makes a query of what is none: `a%20b?c?n=1`.
        ("/out/a%20b%3Fc?n=1", 301, "https://else.test/a%20b%3Fc?n=1"),
        ("/outhere/a?n=1", 302, "http://localhost/new/a"),
        ("/re/abc/d/e?n=1", 200, "GET /v2/abc/d/e?n=1"),
        // nginx sends the space as it is, which is 400, or what no client takes.
        ("/re/abc/d%20e", 200, "GET /v2/abc/d%20e"),
        ("/ret/a%20b", 301, "https://else.test/a%20b"),
        ("/ret/a", 301, "https://else.test/a"),
        ("/if/q", 200, "loc "),
        ("/elsewhere?a=b", 200, "root /elsewhere /elsewhere?a=b a=b"),
    ] {
        let answer = plain(&front, "GET", target, &[("host", "localhost")]).await;
        assert_eq!(answer.status(), status, "{target}");
        let location = answer.header("location");
        let lines = answer.text().lines().collect::<Vec<_>>();
        let found = match status {
            301 | 302 => location.as_deref().unwrap_or_default(),
            500 => "",
            _ => lines
                .iter()
                .find(|line| line.starts_with("GET "))
                .or(lines.first())
                .map_or("", |line| *line),
        };
        assert_eq!(found, expected, "{target}");
        if target == "/re/abc/d/e?n=1" {
            assert!(lines.contains(&"x-rest: d/e"), "{lines:?}");
            assert_eq!(answer.header("x-one").as_deref(), Some("abc"));
        }
    }

    let with = [("host", "localhost"), ("x", "aaab")];
    assert_eq!(plain(&front, "GET", "/if/q", &with).await.text(), "if aaa");
    assert_eq!(plain(&front, "GET", "/stop/", &with).await.status(), 404);
    let host = [("host", "core.teams.test")];
    for (target, text) in [("/", "core core"), ("/x/y", "core y")] {
        let answer = plain(&front, "GET", target, &host).await;
        assert_eq!(answer.text(), text);
        assert_eq!(answer.header("x-team").as_deref(), Some("core"));
    }
}
