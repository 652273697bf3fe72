//! Trust, put where each client looks for it: installed, removed, looked at.
//!
//! A client that does not know the CA of a registry says "x509: certificate
//! signed by unknown authority", and each client has a place of its own for
//! what it knows. One file here is one kind of place. All of them first make a
//! [`Plan`], which changes nothing and can be shown; [`Plan::apply`] carries it
//! out, one file after another, each in one step.
//!
//! What is written has names of our own (`tidegate-ca.crt`), so that removing
//! it later takes away that and nothing else.

mod authority;
mod buildkit;
mod certs_d;
mod containerd;
mod error;
mod insecure;
mod k3s;
mod machine;
mod plan;
mod site;
mod store;
mod system;
mod toml_list;

pub use authority::Authority;
pub use error::TrustError;
pub use machine::Machine;
pub use plan::{Change, Plan};
pub use site::{Site, SiteError};
pub use store::{Anchor, Problem, Store, StoreReport, UnknownStore};

/// What would have to be done so that a store trusts `authority` for `site`.
///
/// # Errors
/// If a file cannot be read, or holds something that cannot be merged with
/// certainty.
pub fn install(
    machine: &Machine,
    store: Store,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let plan = match store {
        Store::Docker | Store::DockerRootless | Store::Containers | Store::ContainersUser => {
            certs_d::install(machine, store, site, authority)
        }
        Store::Containerd => containerd::install(machine, site, authority),
        Store::Buildkit | Store::BuildkitUser => {
            buildkit::install(&machine.directory(store)?, site, authority)
        }
        Store::K3s => k3s::install(&machine.directory(store)?, site, authority),
        Store::System => system::install(machine, site, authority),
    }?;
    Ok(kept_within(machine, plan))
}

/// What would have to be done so that nothing is left of what [`install`] wrote
/// for `site`.
///
/// # Errors
/// As [`install`].
pub fn remove(machine: &Machine, store: Store, site: &Site) -> Result<Plan, TrustError> {
    let plan = match store {
        Store::Docker | Store::DockerRootless | Store::Containers | Store::ContainersUser => {
            certs_d::remove(machine, store, site)
        }
        Store::Containerd => containerd::remove(machine, site),
        Store::Buildkit | Store::BuildkitUser => buildkit::remove(&machine.directory(store)?, site),
        Store::K3s => k3s::remove(&machine.directory(store)?, site),
        Store::System => system::remove(machine, site),
    }?;
    Ok(kept_within(machine, plan))
}

/// What each store of the machine trusts for `site`, and what is wrong there.
/// Only reads; what cannot be read is a [`Problem`].
#[must_use]
pub fn inspect(machine: &Machine, site: &Site) -> Vec<StoreReport> {
    Store::ALL
        .into_iter()
        .filter_map(|store| {
            let mut report = StoreReport::new(store, machine.uses(store));
            // A user's store where there is no user.
            let directory = machine.directory(store).ok()?;
            match store {
                Store::Docker | Store::DockerRootless => {
                    certs_d::inspect(machine, store, site, &mut report);
                    let settings = directory.path.join("daemon.json");
                    insecure::inspect_daemon_json(&settings, site, &mut report);
                }
                Store::Containers | Store::ContainersUser => {
                    certs_d::inspect(machine, store, site, &mut report);
                    let layers = machine.layers(store);
                    // Docker's directory, the last, is asked for certificates alone.
                    let directories = &layers[..layers.len() - 1];
                    insecure::inspect_registries_conf(directories, site, &mut report);
                }
                Store::Containerd => containerd::inspect(machine, site, &mut report),
                Store::Buildkit | Store::BuildkitUser => {
                    buildkit::inspect(&directory, machine, site, &mut report);
                }
                Store::K3s => k3s::inspect(&directory, machine, site, &mut report),
                Store::System => system::inspect(machine, &mut report),
            }
            Some(report)
        })
        .collect()
}

/// Another root's links must not lead into this machine's files.
fn kept_within(machine: &Machine, mut plan: Plan) -> Plan {
    plan.within = (!machine.is_this()).then(|| machine.at(""));
    plan
}

#[cfg(test)]
mod tests;
