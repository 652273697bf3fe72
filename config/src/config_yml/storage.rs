//! What a `config.yml` says of the registry's storage.

use std::path::PathBuf;
use std::time::Duration;

use super::report::Problem;
use super::section::Section;
use crate::settings::{Collect, Registry};

/// Keys of `storage` that are no storage driver.
const NO_DRIVERS: [&str; 5] = ["cache", "delete", "maintenance", "redirect", "tag"];

/// Where distribution keeps its data unless it is told otherwise.
const DEFAULT_ROOT: &str = "/var/lib/registry";

/// Distribution's `storage.maintenance.uploadpurging.age`.
const DEFAULT_UPLOAD_AGE: Duration = Duration::from_secs(168 * 60 * 60);

/// Distribution's `storage.maintenance.uploadpurging.interval`.
const DEFAULT_PURGE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `storage`, which may also be the name of a driver alone. The registry is
/// as distribution has it: it collects nothing but uploads by itself.
pub(super) fn read(root: &Section<'_>) -> Result<Registry, Problem> {
    let whole = root.field("storage");
    if let Ok(Some(name)) = whole.text() {
        if name != "filesystem" {
            whole.refused(NO_DRIVER);
        }
        whole.honoured();
        return Ok(Registry {
            delete: false,
            collect: collect(Some(DEFAULT_UPLOAD_AGE), DEFAULT_PURGE_INTERVAL),
            health: None,
            ..Registry::new(DEFAULT_ROOT)
        });
    }
    root.section("storage", |storage| {
        let root = driver(storage)?;
        storage.section("cache", |cache| {
            for key in ["blobdescriptor", "blobdescriptorsize", "layerinfo"] {
                cache.harmless(key, "nothing is cached outside of this process");
            }
            Ok(())
        })?;
        storage.section("redirect", |redirect| {
            redirect.harmless("disable", "a file system has nowhere to redirect to");
            Ok(())
        })?;
        storage.section("tag", |tag| {
            tag.harmless("concurrencylimit", "tags are not looked up one by one");
            Ok(())
        })?;
        let delete = storage.section("delete", |delete| delete.honoured("enabled").is_true())?;
        let (read_only, collect) = storage.section("maintenance", maintenance)?;
        Ok(Registry {
            delete,
            read_only,
            collect,
            health: None,
            ..Registry::new(root)
        })
    })
}

const NO_DRIVER: &str = "data is kept on a file system alone: storage.filesystem.rootdirectory";

/// The directory of the storage driver, which has to be the file system.
fn driver(storage: &Section<'_>) -> Result<PathBuf, Problem> {
    let mut drivers = storage.keys().filter(|key| !NO_DRIVERS.contains(key));
    match (drivers.next(), drivers.next()) {
        (Some(first), Some(second)) => Err(storage.problem(
            &format!("there are two storage drivers, {first} and {second}"),
            "remove one of them",
        )),
        (None, _) => Err(storage.problem(
            "no storage driver",
            "add\n    storage:\n      filesystem:\n        rootdirectory: /var/lib/registry",
        )),
        (Some("filesystem"), None) => storage.section("filesystem", |filesystem| {
            filesystem.harmless("maxthreads", "threads are taken as they are needed");
            let root = filesystem.honoured("rootdirectory").text()?;
            Ok(root.unwrap_or_else(|| DEFAULT_ROOT.to_owned()).into())
        }),
        (Some(other), None) => {
            storage.refused(other, NO_DRIVER);
            Ok(DEFAULT_ROOT.into())
        }
    }
}

/// Whether the registry is read-only, and what is removed when.
fn maintenance(maintenance: &Section<'_>) -> Result<(bool, Collect), Problem> {
    let read_only = maintenance.section("readonly", |readonly| {
        readonly.honoured("enabled").is_true()
    })?;
    let collect = maintenance.section("uploadpurging", |purging| {
        let is_off = purging.honoured("enabled").truth()? == Some(false);
        let is_dry = purging.honoured("dryrun").is_true()?;
        let age = purging.honoured("age").duration()?;
        let interval = purging.honoured("interval");
        let every = interval.duration()?.unwrap_or(DEFAULT_PURGE_INTERVAL);
        if every < Duration::from_secs(1) {
            return Err(interval.problem("uploads would be purged all the time", "write it as 24h"));
        }
        let age = age.unwrap_or(DEFAULT_UPLOAD_AGE);
        Ok(collect((!is_off && !is_dry).then_some(age), every))
    })?;
    Ok((read_only, collect))
}

/// Uploads alone are removed without being asked to.
fn collect(uploads_after: Option<Duration>, every: Duration) -> Collect {
    Collect {
        every: uploads_after.map(|_| every),
        uploads_only: true,
        uploads_after,
        ..Collect::default()
    }
}
