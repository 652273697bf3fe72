//! Tidegate, as `tidegate up` makes it.

use std::path::Path;

use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::server::{Server, Site, free_address};
use crate::error::Error;
use crate::service::Service;

/// Starts it and waits until it answers. Its site is the one that it made, for
/// the other servers to show the same.
pub(crate) fn start(binary: &Path, fixture: &Fixture) -> Result<Server, Error> {
    let directory = fixture.path("tidegate");
    let auth = directory.join("auth");
    fs_err::create_dir_all(&auth)?;
    // `up` overwrites nothing, so both servers check the same hash.
    fs_err::copy(&fixture.htpasswd, auth.join("htpasswd"))?;
    let address = free_address()?;
    let mut command = std::process::Command::new(binary);
    command
        .args(["up", "--host", "127.0.0.1", "--listen"])
        .arg(address.to_string())
        .arg("--dir")
        .arg(&directory);
    let log = fixture.path("tidegate.log");
    let service = Service::start("tidegate", &mut command, &log)?;
    let certs = directory.join("certs");
    let site = Site {
        authority: certs.join("root-ca.crt"),
        certificate: certs.join("site.crt"),
        key: certs.join("site.key"),
    };
    let mut server = Server {
        name: Kind::Tidegate.name(),
        kind: Kind::Tidegate,
        address,
        program: binary.to_owned(),
        storage: directory.join("registry"),
        client_config: fixture.client_config("tidegate.curl", &site.authority)?,
        site,
        services: vec![service],
    };
    server.wait_until_ready()?;
    Ok(server)
}
