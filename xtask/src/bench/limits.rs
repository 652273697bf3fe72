//! What the machine can do without any server: the ciphers, the digest, and
//! copying in memory.

use std::time::Instant;

use crate::error::Error;
use crate::process;

/// One line for each limit.
pub(crate) fn measure() -> Result<Vec<String>, Error> {
    let mut limits = Vec::new();
    for algorithm in ["aes-128-gcm", "aes-256-gcm", "sha256"] {
        let rate = speed(algorithm)?;
        limits.push(format!("{algorithm} {rate:.1} GiB/s on one core"));
    }
    limits.push(format!("memcpy {:.1} GiB/s on one core", copy_rate()));
    Ok(limits)
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

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_rate_is_the_last_field() {
        let text = "+DT:AES-256-GCM:2:16384\n+R:500000:AES-256-GCM:2.0\n+H:16384\n\
            +F:26:AES-256-GCM:4294967296.00\n";
        assert_eq!(parse(text), Some(4.0));
        assert_eq!(parse("+F:26:AES-256-GCM:nan\n"), None);
        assert_eq!(parse(""), None);
    }
}
