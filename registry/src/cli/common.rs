//! What several commands read and say.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use tidegate_config::{LoadError, Registry};
use tidegate_failure::Failure;

/// How much is said at once.
const AT_ONCE: usize = 16 * 1024;

/// The configuration of the registry that is meant.
#[derive(Debug, Args)]
pub(super) struct Configuration {
    /// The registry's configuration: a tidegate.toml, or the config.yml of
    /// docker-registry, which variables named REGISTRY_* overrule
    #[arg(value_name = "CONFIG", env = "REGISTRY_CONFIGURATION_PATH")]
    config: PathBuf,
}

impl Configuration {
    pub(super) fn load(&self) -> Result<Registry, Failure> {
        // A variable that is not Unicode cannot be one of ours.
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let loaded = tidegate_config::load_registry(&self.config, environment);
        loaded.map_err(|error| match error {
            LoadError::Read(_) => Failure::from(error)
                .with_hint("name the tidegate.toml or the config.yml that the registry has"),
            other => other.into(),
        })
    }
}

/// Runs a future to its end, on this thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of(&error, None))?;
    Ok(runtime.block_on(future))
}

/// Says what the user should know besides.
#[expect(clippy::print_stderr, reason = "warnings are messages")]
pub(super) fn warn(what: &str) {
    eprintln!("warning: {what}");
}

/// Standard output for those who have a hundred thousand lines to say.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<String>);

impl Lines {
    pub(super) fn say(&self, line: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_str(line);
        waiting.push('\n');
        if waiting.len() >= AT_ONCE {
            tidegate_failure::print(&waiting);
            waiting.clear();
        }
    }

    /// Says what has not been said yet.
    pub(super) fn flush(&self) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if !waiting.is_empty() {
            tidegate_failure::print(&waiting);
        }
    }
}

/// A number of bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    if unit == "bytes" {
        format!("{bytes} bytes")
    } else {
        format!("{amount:.1} {unit}")
    }
}

/// A number of things.
pub(super) fn count(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_with_their_unit() {
        for (bytes, said) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (5 << 40, "5.0 TiB"),
            (5 << 50, "5120.0 TiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }
}
