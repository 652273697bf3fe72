//! How far any server could go on this machine, reckoned from its raw limits.

use crate::bench::limits::{AES, COPY, DISK, Limit, SHA};

/// What bounds a metric from the good side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// CPU seconds to send a GiB: it is encrypted, and copied from the page
    /// cache and to the socket.
    PullCpu,
    /// CPU seconds to receive a GiB: it is copied from the socket and to the
    /// page cache, decrypted, and hashed.
    PushCpu,
    /// MiB/s that the disk takes and keeps.
    Disk,
}

impl Bound {
    /// The bound in the unit of its metric; `None` if one of the limits that it
    /// is made of was not measured.
    pub(crate) fn of(self, limits: &[Limit]) -> Option<f64> {
        let rate = |name: &str| {
            let limit = limits.iter().find(|limit| limit.name == name)?;
            Some(limit.rate)
        };
        let seconds = |name: &str| rate(name).map(|rate| 1.0 / rate);
        Some(match self {
            Self::PullCpu => seconds(AES)? + 2.0 * seconds(COPY)?,
            Self::PushCpu => seconds(AES)? + seconds(SHA)? + 2.0 * seconds(COPY)?,
            Self::Disk => rate(DISK)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Bound;
    use crate::bench::limits::Limit;

    #[test]
    fn the_work_on_a_gib_is_added_up() {
        let lines = [
            "aes-128-gcm 9 GiB/s on one core",
            "aes-256-gcm 4 GiB/s on one core",
            "sha256 2 GiB/s on one core",
            "memcpy 8 GiB/s on one core",
            "write and fsync 310 MiB/s",
        ];
        let limits: Vec<_> = lines
            .iter()
            .map(|line| Limit::parse(line).unwrap())
            .collect();
        assert_eq!(Bound::PullCpu.of(&limits), Some(0.5));
        assert_eq!(Bound::PushCpu.of(&limits), Some(1.0));
        assert_eq!(Bound::Disk.of(&limits), Some(310.0));
        assert_eq!(Bound::Disk.of(&limits[..4]), None);
        assert_eq!(Bound::PushCpu.of(&limits[..2]), None);
    }
}
