//! k3s: `configs."HOST:PORT".tls.ca_file` in `registries.yaml`, which is read
//! when it starts.

mod edit;

use serde_json::json;

use super::authority::Authority;
use super::certs_d::OURS;
use super::error::TrustError;
use super::machine::{Directory, Machine};
use super::plan::{self, Plan};
use super::site::Site;
use super::store::StoreReport;

const FILE: &str = "registries.yaml";
const RESTART: &str =
    "k3s reads its registries when it starts: restart k3s, or k3s-agent on an agent";

pub(super) fn install(
    client: &Directory,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let ours = of_site(client, site);
    plan.write(&ours.path.join(OURS), authority.to_pem())?;
    let ca = ours.known_as.join(OURS).display().to_string();
    let path = client.path.join(FILE);
    let text = plan::read(&path)?.unwrap_or_default();
    let merged =
        edit::with_entry(&text, &site.to_string(), &ca).map_err(|reason| TrustError::Refused {
            path: path.clone(),
            reason,
            hint: Some(format!(
                "add by hand, below configs:\n  \"{site}\":\n    tls:\n      ca_file: \"{ca}\""
            )),
        })?;
    plan.write(&path, merged)?;
    if !plan.is_empty() {
        plan.notes.push(RESTART.to_owned());
    }
    Ok(plan)
}

pub(super) fn remove(client: &Directory, site: &Site) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let ours = of_site(client, site);
    let ca = ours.known_as.join(OURS).display().to_string();
    let path = client.path.join(FILE);
    if let Some(text) = plan::read(&path)?.filter(|text| text.contains(&ca)) {
        let left = edit::without_entry(&text, &site.to_string(), &ca).map_err(|reason| {
            TrustError::Refused {
                path: path.clone(),
                reason,
                hint: Some(format!("take away by hand what it says of {ca}")),
            }
        })?;
        if left.trim().is_empty() {
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
    let settings = match edit::parse(&text) {
        Ok(settings) => settings,
        Err(what) => {
            let hint = "k3s does not start with it".to_owned();
            return report.obstacle(&path, what, hint);
        }
    };
    // `*` stands for every registry that has no entry of its own.
    let configs = &settings["configs"];
    let own = &configs[site.to_string()];
    let entry = if own.is_null() { &configs["*"] } else { own };
    let tls = &entry["tls"];
    if tls["insecure_skip_verify"] == json!(true) {
        report.problem(
            &path,
            "insecure_skip_verify: true: nobody's certificate is checked",
            "take insecure_skip_verify away, and restart k3s".to_owned(),
        );
    }
    if let Some(ca) = tls["ca_file"].as_str() {
        report.read_anchors(&machine.at(ca));
    }
}

fn of_site(client: &Directory, site: &Site) -> Directory {
    client.join("certs").join(site.to_string())
}
