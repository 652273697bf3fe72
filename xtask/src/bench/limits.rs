//! What the machine can do without any server: the ciphers, the digest, copying
//! in memory, and writing to the disk.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use crate::bench::meter::mib;
use crate::error::Error;
use crate::process;

/// One of the things that it can do, and how fast.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limit {
    /// What it does.
    pub(crate) name: String,
    /// How much of it a second.
    pub(crate) rate: f64,
    /// The unit of `rate`, and what works on it.
    pub(crate) unit: String,
}

/// The names of those that others reckon with. All but the last are in GiB/s on
/// one core.
pub(crate) const AES: &str = "aes-256-gcm";
pub(crate) const SHA: &str = "sha256";
pub(crate) const COPY: &str = "memcpy";
/// In MiB/s.
pub(crate) const DISK: &str = "write and fsync";

const ON_ONE_CORE: &str = "GiB/s on one core";

/// Measures all of them; the disk's with a file of so many bytes in
/// `directory`.
pub(crate) fn measure(directory: &Path, bytes: u64) -> Result<Vec<Limit>, Error> {
    let mut limits = Vec::new();
    for algorithm in ["aes-128-gcm", AES, SHA] {
        limits.push(Limit::new(algorithm, speed(algorithm)?, ON_ONE_CORE));
    }
    limits.push(Limit::new(COPY, copy_rate(), ON_ONE_CORE));
    limits.push(Limit::new(DISK, disk_rate(directory, bytes)?, "MiB/s"));
    Ok(limits)
}

impl Limit {
    /// With a rate rounded to what a single measurement is worth.
    fn new(name: &str, rate: f64, unit: &str) -> Self {
        let rate = if rate < 100.0 {
            (rate * 100.0).round() / 100.0
        } else {
            rate.round()
        };
        Self {
            name: name.to_owned(),
            rate,
            unit: unit.to_owned(),
        }
    }

    /// Reads what its `Display` writes: the first number stands between the
    /// name and the unit.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').collect();
        let (place, rate) = words.iter().enumerate().find_map(|(place, word)| {
            let rate: f64 = word.parse().ok()?;
            (place > 0 && rate.is_finite() && rate > 0.0).then_some((place, rate))
        })?;
        Some(Self {
            name: words[..place].join(" "),
            rate,
            unit: words[place + 1..].join(" "),
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.rate, self.unit)
    }
}

/// GiB a second that openssl reaches with blocks as large as a TLS record's
/// (RFC 8446, section 5.1).
fn speed(algorithm: &str) -> Result<f64, Error> {
    let mut openssl = process::command("openssl");
    openssl
        .args(["speed", "-mr", "-seconds", "2", "-bytes", "16384", "-evp"])
        .arg(algorithm);
    let (text, _) = process::outputs(&mut openssl)?;
    parse(&text).ok_or_else(|| Error::Answer {
        command: process::shown(&openssl),
        got: text,
        expected: "a line `+F:NUMBER:NAME:BYTES PER SECOND`".to_owned(),
    })
}

fn parse(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("+F:"))?;
    let bytes: f64 = line.rsplit(':').next()?.trim().parse().ok()?;
    (bytes.is_finite() && bytes > 0.0).then_some(bytes / GIB)
}

const GIB: f64 = (1_u64 << 30) as f64;

/// Copies more than the caches hold, a few times.
fn copy_rate() -> f64 {
    const BYTES: usize = 128 << 20;
    const TIMES: u8 = 8;
    let from = vec![1_u8; BYTES];
    let mut to = vec![0_u8; BYTES];
    let begun = Instant::now();
    for _ in 0..TIMES {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
    }
    f64::from(TIMES) * BYTES as f64 / GIB / begun.elapsed().as_secs_f64()
}

/// MiB a second from the first plain write of a new file to the end of its
/// fsync: no push that is on the disk when it is answered can be faster.
fn disk_rate(directory: &Path, bytes: u64) -> Result<f64, Error> {
    let mut block = Vec::new();
    // What a file system cannot compress.
    let noise = fs_err::File::open("/dev/urandom")?;
    noise.take(1 << 20).read_to_end(&mut block)?;
    // Or the disk would still be busy with what was written before.
    rustix::fs::sync();
    let mut file = tempfile::tempfile_in(directory)?;
    let begun = Instant::now();
    let mut left = bytes;
    while left > 0 {
        let part = left.min(block.len() as u64);
        file.write_all(&block[..usize::try_from(part).expect("no more than a block")])?;
        left -= part;
    }
    file.sync_all()?;
    Ok(mib(bytes) / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Limit, disk_rate, parse};

    #[test]
    fn the_rate_is_the_last_field() {
        let text = "+DT:AES-256-GCM:2:16384\n+R:500000:AES-256-GCM:2.0\n+H:16384\n\
            +F:26:AES-256-GCM:4294967296.00\n";
        assert_eq!(parse(text), Some(4.0));
        assert_eq!(parse("+F:26:AES-256-GCM:nan\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_limit_is_read_as_it_is_written() {
        for limit in [
            Limit::new("aes-256-gcm", 3.21499, "GiB/s on one core"),
            Limit::new("write and fsync", 310.7, "MiB/s"),
        ] {
            assert_eq!(Limit::parse(&limit.to_string()), Some(limit));
        }
        let old = Limit::parse("memcpy 5.7 GiB/s on one core").unwrap();
        assert_eq!((old.name.as_str(), old.rate), ("memcpy", 5.7));
        assert_eq!(old.unit, "GiB/s on one core");
        for other in [
            "",
            "memcpy",
            "5.7 GiB/s",
            "memcpy nan GiB/s",
            "memcpy 0 GiB/s",
        ] {
            assert_eq!(Limit::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_disk_has_a_rate_and_keeps_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(disk_rate(dir.path(), 3_000_000).unwrap() > 0.0);
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in "(?s)[a-z]* ?[0-9.-]*.*") {
            let _ = Limit::parse(&line);
        }
    }
}
