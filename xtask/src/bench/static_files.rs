//! nginx with the same bytes as files, at the same paths, without passwords.

use std::path::Path;

use crate::bench::fixture::{Fixture, REPOSITORY, TAG};
use crate::bench::kind::Kind;
use crate::bench::nginx;
use crate::bench::server::{Server, Site};
use crate::error::Error;

/// Starts it and waits until it answers.
pub(crate) fn start(site: &Site, fixture: &Fixture) -> Result<Server, Error> {
    let directory = fixture.path("static");
    let root = directory.join("root");
    let repository = root.join("v2").join(REPOSITORY);
    let (manifests, blobs) = (repository.join("manifests"), repository.join("blobs"));
    for made in [&manifests, &blobs] {
        fs_err::create_dir_all(made)?;
    }
    fs_err::write(manifests.join(TAG), &fixture.manifest)?;
    // Instead of asking who it is, `/v2/` answers all as it answers a user.
    fs_err::write(root.join("v2/index.html"), "{}")?;
    for blob in fixture.blobs() {
        fs_err::hard_link(&blob.file, blobs.join(&blob.digest))?;
    }
    let (address, service) = nginx::start(&directory, site, "", &locations(&root))?;
    let mut server = Server {
        name: Kind::Static.name(),
        kind: Kind::Static,
        address,
        program: "nginx".into(),
        storage: directory,
        site: site.clone(),
        client_config: fixture.client_config("static.curl", &site.authority)?,
        services: vec![service],
    };
    server.wait_until_ready()?;
    Ok(server)
}

fn locations(root: &Path) -> String {
    format!(
        // Or it would spend its time on handshakes: the usual limit is 1,000.
        "        keepalive_requests 1000000000;
        root \"{}\";
        location ~ ^/v2/.*/manifests/ {{
            types {{ }}
            default_type application/vnd.oci.image.manifest.v1+json;
        }}",
        root.display()
    )
}
