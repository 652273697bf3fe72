//! BuildKit: `[registry."HOST:PORT"] ca = […]` in `buildkitd.toml`, which the
//! daemon reads when it starts. It knows nothing of Docker's `certs.d`.

use toml_edit::{DocumentMut, Item, Table};

use super::authority::Authority;
use super::certs_d::OURS;
use super::error::TrustError;
use super::machine::{Directory, Machine};
use super::plan::{self, Plan};
use super::site::Site;
use super::store::StoreReport;
use super::toml_list::{add, strings, take};

const FILE: &str = "buildkitd.toml";
const RESTART: &str = "buildkitd reads its configuration when it starts: restart it; for a builder of buildx: docker buildx create --config";

pub(super) fn install(
    client: &Directory,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let ours = of_site(client, site);
    plan.write(&ours.path.join(OURS), authority.to_pem())?;
    let path = client.path.join(FILE);
    let mut document = parse(client)?;
    let ca = ours.known_as.join(OURS).display().to_string();
    let refuse = |reason: &str| TrustError::Refused {
        path: path.clone(),
        reason: reason.to_owned(),
        hint: Some(format!(
            "add by hand: [registry.\"{site}\"] with ca = [\"{ca}\"]"
        )),
    };
    let registries = document.entry("registry").or_insert_with(implicit);
    let registries = registries
        .as_table_like_mut()
        .ok_or_else(|| refuse("its `registry` is no table"))?;
    let registry = registries
        .entry(&site.to_string())
        .or_insert(Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or_else(|| refuse("its entry for this registry is no table"))?;
    add(registry, "ca", &ca).map_err(refuse)?;
    plan.write(&path, document.to_string())?;
    if !plan.is_empty() {
        plan.notes.push(RESTART.to_owned());
    }
    Ok(plan)
}

pub(super) fn remove(client: &Directory, site: &Site) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let ours = of_site(client, site);
    let path = client.path.join(FILE);
    if let Some(text) = plan::read(&path)?.filter(|text| text.contains(OURS)) {
        let mut document = parse(client)?;
        let ca = ours.known_as.join(OURS).display().to_string();
        let name = site.to_string();
        if let Some(registries) = document
            .get_mut("registry")
            .and_then(Item::as_table_like_mut)
        {
            if let Some(registry) = registries.get_mut(&name).and_then(Item::as_table_like_mut) {
                take(registry, "ca", &ca);
                if registry.is_empty() {
                    registries.remove(&name);
                }
            }
            if registries.is_empty() {
                document.remove("registry");
            }
        }
        let left = document.to_string();
        if left.trim().is_empty() && !text.trim().is_empty() {
            plan.remove(&path);
        } else {
            plan.write(&path, left)?;
        }
    }
    plan.remove(&ours.path.join(OURS));
    plan.clear(&ours.path);
    if !plan.is_empty() {
        plan.notes.push(RESTART.to_owned());
    }
    Ok(plan)
}

pub(super) fn inspect(
    client: &Directory,
    machine: &Machine,
    site: &Site,
    report: &mut StoreReport,
) {
    let path = client.path.join(FILE);
    let Some(text) = report.text(&path) else {
        return;
    };
    let document = match text.parse::<DocumentMut>() {
        Ok(document) => document,
        Err(error) => {
            let hint = "buildkitd does not start with it".to_owned();
            return report.obstacle(&path, format!("it is not TOML: {}", error.message()), hint);
        }
    };
    let registry = document
        .get("registry")
        .and_then(|registries| registries.get(site.to_string()));
    let Some(registry) = registry else { return };
    for (key, what) in [
        (
            "insecure",
            "insecure = true: nobody's certificate is checked",
        ),
        ("http", "http = true: it is spoken to without TLS"),
    ] {
        if registry.get(key).and_then(Item::as_bool) == Some(true) {
            report.problem(
                &path,
                what,
                format!("take {key} away, and restart buildkitd"),
            );
        }
    }
    for ca in strings(registry.get("ca")) {
        // A path below the root that is looked at, unless it is a user's.
        let below = machine.at(&ca);
        let ca = if below.exists() { below } else { ca.into() };
        report.read_anchors(&ca);
    }
}

fn of_site(client: &Directory, site: &Site) -> Directory {
    client.join("certs").join(site.to_string())
}

/// `[registry."h"]` needs no `[registry]` of its own.
fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn parse(client: &Directory) -> Result<DocumentMut, TrustError> {
    let path = client.path.join(FILE);
    let text = plan::read(&path)?.unwrap_or_default();
    text.parse()
        .map_err(|error: toml_edit::TomlError| TrustError::Refused {
            reason: format!("it is not TOML: {}", error.message()),
            hint: Some("mend it, or move it away".to_owned()),
            path,
        })
}
