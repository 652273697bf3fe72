//! The recipe: nginx ends TLS and checks passwords, docker-registry stores.

use std::net::SocketAddr;
use std::path::Path;

use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::nginx;
use crate::bench::server::{Server, Site, free_address};
use crate::error::Error;
use crate::service::Service;

/// Starts both and waits until they answer. `registry` is docker-registry's
/// program, of the version that `kind` says.
pub(crate) fn start(
    kind: Kind,
    registry: &Path,
    site: &Site,
    fixture: &Fixture,
) -> Result<Server, Error> {
    let directory = fixture.path(kind.key());
    let storage = directory.join("registry");
    fs_err::create_dir_all(&storage)?;
    let back = free_address()?;

    let config = directory.join("config.yml");
    fs_err::write(&config, registry_config(&storage.to_string_lossy(), back))?;
    let mut command = std::process::Command::new(registry);
    command.arg("serve").arg(&config);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REGISTRY_") {
            command.env_remove(name);
        }
    }
    // Version 3 would send traces to a collector that is not there.
    command.env("OTEL_TRACES_EXPORTER", "none");
    let log = directory.join("docker-registry.log");
    let service = Service::start("docker-registry", &mut command, &log)?;

    let locations = locations(&fixture.htpasswd.to_string_lossy());
    let (address, nginx) = nginx::start(&directory, site, &upstreams(back), &locations)?;
    let mut server = Server {
        name: kind.name(),
        kind,
        address,
        program: registry.to_owned(),
        storage,
        site: site.clone(),
        client_config: fixture.client_config(&format!("{}.curl", kind.key()), &site.authority)?,
        services: vec![nginx, service],
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

fn upstreams(registry: SocketAddr) -> String {
    format!(
        "
    upstream docker-registry {{
        server {registry};
    }}
    map $upstream_http_docker_distribution_api_version $docker_distribution_api_version {{
        '' 'registry/2.0';
    }}"
    )
}

fn locations(htpasswd: &str) -> String {
    format!(
        r#"        client_max_body_size 0;
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
        }}"#
    )
}

#[cfg(test)]
mod tests {
    use super::{locations, registry_config, upstreams};

    #[test]
    fn the_registry_listens_where_nginx_looks_for_it() {
        let back = "127.0.0.1:5000".parse().unwrap();
        let registry = registry_config("/run/registry", back);
        assert!(registry.contains("\n  addr: 127.0.0.1:5000\n"));
        assert!(registry.contains("\n    rootdirectory: /run/registry\n"));
        assert!(upstreams(back).contains("server 127.0.0.1:5000;"));
    }

    #[test]
    fn every_brace_is_closed_and_passwords_are_checked() {
        let text = upstreams("127.0.0.1:5000".parse().unwrap()) + &locations("/run/htpasswd");
        assert_eq!(text.matches('{').count(), text.matches('}').count());
        assert!(text.contains("auth_basic_user_file \"/run/htpasswd\";"));
    }
}
