//! The recipe: nginx ends TLS and checks passwords, docker-registry stores.
//!
//! Both run from the run's directory, with their own configuration, sockets
//! and temporary files, so that neither the system's configuration nor its
//! services are touched, and any user may do it.

use std::net::SocketAddr;

use crate::bench::fixture::Fixture;
use crate::bench::server::{Server, Site, free_address};
use crate::error::Error;
use crate::service::Service;
use crate::{install, process};

/// Starts both and waits until they answer.
pub(crate) fn start(site: &Site, fixture: &Fixture) -> Result<Server, Error> {
    let directory = fixture.path("recipe");
    let storage = directory.join("registry");
    for made in [&directory, &storage, &directory.join("temp")] {
        fs_err::create_dir_all(made)?;
    }
    let (front, back) = (free_address()?, free_address()?);

    let config = directory.join("config.yml");
    fs_err::write(&config, registry_config(&storage.to_string_lossy(), back))?;
    let mut command = process::command("docker-registry");
    command.arg("serve").arg(&config);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REGISTRY_") {
            command.env_remove(name);
        }
    }
    let log = directory.join("docker-registry.log");
    let registry = Service::start("docker-registry", &mut command, &log)?;

    let config = directory.join("nginx.conf");
    let text = NginxConfig {
        front,
        back,
        certificate: &site.certificate.to_string_lossy(),
        key: &site.key.to_string_lossy(),
        htpasswd: &fixture.htpasswd.to_string_lossy(),
        as_root: install::is_root(),
    };
    fs_err::write(&config, text.to_text())?;
    let log = directory.join("nginx.log");
    let mut command = process::command("nginx");
    command
        .arg("-p")
        .arg(&directory)
        .arg("-c")
        .arg(&config)
        .arg("-e")
        .arg(directory.join("error.log"));
    let nginx = Service::start("nginx", &mut command, &log)?;

    let mut server = Server {
        name: "nginx + docker-registry",
        address: front,
        binary: None,
        storage,
        authority: site.authority.clone(),
        client_config: fixture.client_config("recipe.curl", &site.authority)?,
        services: vec![nginx, registry],
    };
    server.wait_until_ready()?;
    Ok(server)
}

/// What the image `registry:2` is configured with, on one address of loopback.
fn registry_config(storage: &str, listen: SocketAddr) -> String {
    format!(
        "version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: {storage}
http:
  addr: {listen}
  secret: known-to-this-run-only
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"
    )
}

struct NginxConfig<'a> {
    front: SocketAddr,
    back: SocketAddr,
    certificate: &'a str,
    key: &'a str,
    htpasswd: &'a str,
    /// Whether workers must be told to stay root, or they could not read the
    /// run's directory.
    as_root: bool,
}

impl NginxConfig<'_> {
    /// Debian's global settings, and the server that the recipe adds.
    fn to_text(&self) -> String {
        let Self {
            front,
            back,
            certificate,
            key,
            htpasswd,
            as_root,
        } = self;
        let user = if *as_root { "user root root;\n" } else { "" };
        format!(
            r#"{user}worker_processes auto;
daemon off;
pid nginx.pid;
events {{
    worker_connections 768;
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

    upstream docker-registry {{
        server {back};
    }}
    map $upstream_http_docker_distribution_api_version $docker_distribution_api_version {{
        '' 'registry/2.0';
    }}
    server {{
        listen {front} ssl http2;
        ssl_certificate "{certificate}";
        ssl_certificate_key "{key}";
        client_max_body_size 0;
        chunked_transfer_encoding on;
        location /v2/ {{
            if ($http_user_agent ~ "^(docker\/1\.(3|4|5(?!\.[0-9]-dev))|Go ).*$") {{
                return 404;
            }}
            auth_basic "Registry realm";
            auth_basic_user_file "{htpasswd}";
            add_header Docker-Distribution-Api-Version $docker_distribution_api_version always;
            proxy_pass http://docker-registry;
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_read_timeout 900;
        }}
    }}
}}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{NginxConfig, registry_config};

    fn config(as_root: bool) -> String {
        NginxConfig {
            front: "127.0.0.1:5043".parse().unwrap(),
            back: "127.0.0.1:5000".parse().unwrap(),
            certificate: "/run/site.crt",
            key: "/run/site.key",
            htpasswd: "/run/htpasswd",
            as_root,
        }
        .to_text()
    }

    #[test]
    fn both_listen_on_loopback_only() {
        let nginx = config(false);
        let listens: Vec<_> = nginx
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("listen "))
            .collect();
        assert_eq!(listens, ["listen 127.0.0.1:5043 ssl http2;"]);
        let registry = registry_config("/run/registry", "127.0.0.1:5000".parse().unwrap());
        assert!(registry.contains("\n  addr: 127.0.0.1:5000\n"));
        assert!(nginx.contains("server 127.0.0.1:5000;"));
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
