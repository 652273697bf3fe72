//! Looks from time to time whether something is well that the registry cannot do
//! without: a file that must not be there, another server.

use std::io;
use std::path::Path;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Client;
use tidegate_config::{Check, Checked};
use tidegate_failure::Failure;
use tidegate_registry::Health;
use tokio::net::TcpStream;
use tokio::time::{self, MissedTickBehavior};
use tracing::{error, info, warn};

/// One check.
pub(crate) struct Checker {
    name: String,
    look: Look,
    interval: Duration,
    threshold: u32,
    failures: u32,
    health: Health,
}

enum Look {
    File(std::path::PathBuf),
    Http {
        client: Client,
        url: reqwest::Url,
        status: u16,
    },
    Tcp {
        address: String,
        timeout: Duration,
    },
}

impl Checker {
    /// Prepares a check; what it finds is noted in `health`.
    ///
    /// # Errors
    /// If a client for HTTP cannot be made.
    pub(crate) fn new(check: &Check, health: Health) -> Result<Self, Failure> {
        let look = match &check.of {
            Checked::File(path) => Look::File(path.clone()),
            Checked::Tcp { address, timeout } => Look::Tcp {
                address: address.clone(),
                timeout: *timeout,
            },
            Checked::Http {
                url,
                headers,
                status,
                timeout,
            } => {
                let mut fields = HeaderMap::new();
                for field in headers {
                    let name = HeaderName::from_bytes(field.name().as_bytes())
                        .expect("the configuration has checked it");
                    let value = HeaderValue::from_str(field.value())
                        .expect("the configuration has checked it");
                    fields.append(name, value);
                }
                let client = Client::builder()
                    .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
                    .default_headers(fields)
                    .timeout(*timeout);
                let client = match url.reveal().scheme() {
                    // What the system trusts does not matter, and need not be there.
                    "http" => client.tls_certs_only([]),
                    _ => client,
                };
                Look::Http {
                    client: client.build().map_err(|error| Failure::of(&error, None))?,
                    url: url.reveal().clone(),
                    status: *status,
                }
            }
        };
        Ok(Self {
            name: check.of.to_string(),
            look,
            interval: check.interval,
            threshold: check.threshold,
            failures: 0,
            health,
        })
    }

    /// Looks again and again, until the future is dropped.
    pub(crate) async fn run(mut self) {
        let mut ticks = time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // The first comes at once: a server that is to be out of service is so
            // from its start.
            ticks.tick().await;
            let seen = self.look.once().await;
            self.take(seen);
        }
    }

    fn take(&mut self, seen: Result<(), String>) {
        let name = self.name.as_str();
        let Err(trouble) = seen else {
            if self.failures >= self.threshold {
                info!(check.name = name, "a check succeeds again");
            }
            self.failures = 0;
            self.health.note(name, None);
            return;
        };
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.threshold {
            warn!(
                check.name = name,
                trouble,
                failures = self.failures,
                "a check failed"
            );
            return;
        }
        if self.failures == self.threshold {
            error!(
                check.name = name,
                trouble, "a check fails: requests are refused"
            );
        }
        self.health.note(name, Some(trouble));
    }
}

impl Look {
    async fn once(&self) -> Result<(), String> {
        match self {
            Self::File(path) => file(path),
            Self::Http {
                client,
                url,
                status,
            } => {
                let answer = client.head(url.clone()).send().await;
                // The URL may hold secrets.
                let answer = answer.map_err(|error| error.without_url().to_string())?;
                let found = answer.status().as_u16();
                if found == *status {
                    Ok(())
                } else {
                    Err(format!("answers with status {found}, expected {status}"))
                }
            }
            Self::Tcp { address, timeout } => {
                match time::timeout(*timeout, TcpStream::connect(address)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(format!("cannot be connected to: {error}")),
                    Err(_) => Err(format!("has not answered for {timeout:?}")),
                }
            }
        }
    }
}

/// Fails if the file is there, and if that cannot be told.
fn file(path: &Path) -> Result<(), String> {
    match fs_err::metadata(path) {
        Ok(_) => Err("file exists".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checker(of: Checked, threshold: u32) -> Checker {
        let check = Check {
            of,
            interval: Check::INTERVAL,
            threshold,
        };
        Checker::new(&check, Health::default()).unwrap()
    }

    #[tokio::test]
    async fn a_file_takes_the_server_out_of_service() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("down");
        let mut checker = checker(Checked::File(path.clone()), 1);
        let name = path.display().to_string();
        for _ in 0..2 {
            let seen = checker.look.once().await;
            checker.take(seen);
            assert!(checker.health.troubles().is_empty());
            fs_err::write(&path, "").unwrap();
            let seen = checker.look.once().await;
            checker.take(seen);
            assert_eq!(checker.health.troubles()[&name], "file exists");
            fs_err::remove_file(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn a_server_has_to_accept_and_to_answer_as_it_should() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tcp = || Checked::Tcp {
            address: address.to_string(),
            timeout: Check::TIMEOUT,
        };
        assert_eq!(checker(tcp(), 1).look.once().await, Ok(()));
        let http = |status| Checked::Http {
            url: format!("http://{address}/health?s3cret").parse().unwrap(),
            headers: Vec::new(),
            status,
            timeout: Check::TIMEOUT,
        };
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            // The first connection was the one without a request.
            drop(listener.accept().await.unwrap());
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"HEAD /health?s3cret "));
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        });
        assert_eq!(checker(http(204), 1).look.once().await, Ok(()));
        let error = checker(http(200), 1).look.once().await.unwrap_err();
        assert!(error.contains("204"), "{error}");
        let error = checker(http(204), 1).look.once().await.unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
        assert!(checker(tcp(), 1).look.once().await.is_err());
    }

    #[test]
    fn failures_are_counted() {
        let mut checker = checker(Checked::File("/down".into()), 2);
        checker.take(Err("a".to_owned()));
        assert!(checker.health.troubles().is_empty());
        checker.take(Ok(()));
        checker.take(Err("b".to_owned()));
        assert!(checker.health.troubles().is_empty());
        checker.take(Err("c".to_owned()));
        assert_eq!(checker.health.troubles()["/down"], "c");
    }
}
