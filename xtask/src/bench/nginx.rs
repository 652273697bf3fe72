//! nginx, as Debian configures it, with one server of our own.
//!
//! It runs from the run's directory, with its own configuration, logs and
//! temporary files, so that neither the system's configuration nor its
//! services are touched, and any user may do it.

use std::net::SocketAddr;
use std::path::Path;

use crate::bench::server::{Site, free_address};
use crate::error::Error;
use crate::service::Service;
use crate::{install, process};

/// Starts nginx in `directory`. `upstreams` stands beside its server,
/// `locations` inside.
pub(crate) fn start(
    directory: &Path,
    site: &Site,
    upstreams: &str,
    locations: &str,
) -> Result<(SocketAddr, Service), Error> {
    fs_err::create_dir_all(directory.join("temp"))?;
    let address = free_address()?;
    let text = Config {
        address,
        certificate: &site.certificate.to_string_lossy(),
        key: &site.key.to_string_lossy(),
        upstreams,
        locations,
        as_root: install::is_root(),
    };
    let config = directory.join("nginx.conf");
    fs_err::write(&config, text.to_text())?;
    let mut command = process::command("nginx");
    command
        .arg("-p")
        .arg(directory)
        .arg("-c")
        .arg(&config)
        .arg("-e")
        .arg(directory.join("error.log"));
    let service = Service::start("nginx", &mut command, &directory.join("nginx.log"))?;
    Ok((address, service))
}

struct Config<'a> {
    address: SocketAddr,
    certificate: &'a str,
    key: &'a str,
    upstreams: &'a str,
    locations: &'a str,
    /// Whether workers must be told to stay root, or they could not read the
    /// run's directory.
    as_root: bool,
}

impl Config<'_> {
    /// Debian's global settings, and the server that the recipe adds. Debian's
    /// 768 connections for each worker would refuse the case with 2,000.
    fn to_text(&self) -> String {
        let Self {
            address,
            certificate,
            key,
            upstreams,
            locations,
            as_root,
        } = self;
        let user = if *as_root { "user root root;\n" } else { "" };
        format!(
            r#"{user}worker_processes auto;
daemon off;
pid nginx.pid;
events {{
    worker_connections 4096;
}}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    ssl_session_cache shared:SSL:10m;
    access_log access.log;
    gzip on;
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
{upstreams}
    server {{
        listen {address} ssl http2;
        ssl_certificate "{certificate}";
        ssl_certificate_key "{key}";
{locations}
    }}
}}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    fn config(as_root: bool) -> String {
        Config {
            address: "127.0.0.1:5043".parse().unwrap(),
            certificate: "/run/site.crt",
            key: "/run/site.key",
            upstreams: "upstream a { server 127.0.0.1:5000; }",
            locations: "location /v2/ { return 404; }",
            as_root,
        }
        .to_text()
    }

    #[test]
    fn it_listens_on_loopback_only() {
        let text = config(false);
        let listens: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("listen "))
            .collect();
        assert_eq!(listens, ["listen 127.0.0.1:5043 ssl http2;"]);
    }

    #[test]
    fn only_root_says_which_user_the_workers_are() {
        assert!(config(true).starts_with("user root root;\nworker_processes"));
        assert!(config(false).starts_with("worker_processes"));
    }

    #[test]
    fn every_brace_is_closed() {
        let text = config(true);
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
