//! Fetches the keys of a token server, and fetches them again.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use reqwest::{Client, redirect};
use tidegate_auth::token::{TokenConfigError, TokenVerifier};
use tidegate_failure::Failure;
use tracing::{info, warn};

/// How often the keys are fetched anyway.
const INTERVAL: Duration = Duration::from_secs(15 * 60);

/// How long to wait at least from one time to the next: whoever likes may send
/// tokens with keys that nobody knows.
const PAUSE: Duration = Duration::from_secs(10);

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest key set that is read, in bytes.
const LONGEST: usize = 1024 * 1024;

/// Fetches keys for a verifier that is told a URL.
pub(crate) struct KeyFetcher {
    client: Client,
    url: String,
    verifier: Arc<TokenVerifier>,
    pause: Duration,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answers {0}")]
    Refused(StatusCode),
    #[error("it sends more than {LONGEST} bytes")]
    TooLong,
    #[error("it sends no text in UTF-8")]
    Encoding,
    #[error(transparent)]
    Keys(#[from] TokenConfigError),
}

impl KeyFetcher {
    /// `None` if the verifier's keys come from elsewhere.
    ///
    /// # Errors
    /// If what the system trusts cannot be read.
    pub(crate) fn new(verifier: &Arc<TokenVerifier>) -> Result<Option<Self>, Failure> {
        let Some(url) = verifier.jwks_url() else {
            return Ok(None);
        };
        let mut client = Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            // Elsewhere may be in the clear.
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE);
        if url.starts_with("http:") {
            // What the system trusts does not matter, and need not be there.
            client = client.tls_certs_only([]).no_proxy();
        }
        Ok(Some(Self {
            client: client.build().map_err(|e| Failure::of(&e, None))?,
            url: url.to_owned(),
            verifier: Arc::clone(verifier),
            pause: PAUSE,
        }))
    }

    /// Fetches the keys now, then from time to time, and when a token comes whose
    /// key is not known. What cannot be fetched leaves those from before.
    pub(crate) async fn run(self) {
        // What was said last is not said again.
        let mut said = None;
        let mut has_keys = false;
        loop {
            let fetched = self.fetch().await.map_err(|error| error.to_string());
            has_keys |= fetched.is_ok();
            if said.as_ref() != Some(&fetched) {
                self.say(&fetched);
                said = Some(fetched);
            }
            tokio::time::sleep(self.pause).await;
            // Without any, nobody can come in: it is tried again at once.
            if has_keys {
                let asked = self.verifier.unknown_key();
                // Whether it was asked or the time is over does not matter.
                let _ = tokio::time::timeout(INTERVAL, asked).await;
            }
        }
    }

    fn say(&self, fetched: &Result<usize, String>) {
        match fetched {
            Ok(keys) => {
                info!(auth.keys = keys, url = %self.url, "fetched the token server's keys");
            }
            Err(error) => warn!(
                url = %self.url,
                "the token server's keys could not be fetched: {error}; those that were there \
                 before stay"
            ),
        }
    }

    /// Says how many keys are believed now.
    async fn fetch(&self) -> Result<usize, FetchError> {
        let unreachable = |error| FetchError::Unreachable(crate::webhook::said(error));
        let request = self.client.get(&self.url).send();
        let mut response = request.await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Refused(response.status()));
        }
        let mut text = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            if text.len() + part.len() > LONGEST {
                return Err(FetchError::TooLong);
            }
            text.extend_from_slice(&part);
        }
        let text = String::from_utf8(text).map_err(|_| FetchError::Encoding)?;
        Ok(self.verifier.replace_jwks(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_config::token::{Algorithm, JwksSource, TokenAuth};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    /// A token server that answers in its own way, and who fetches from it.
    async fn server() -> (TcpListener, KeyFetcher) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let verifier = TokenVerifier::open(&TokenAuth {
            realm: "https://auth.example/token".to_owned(),
            service: "service".to_owned(),
            issuer: "issuer".to_owned(),
            root_cert_bundle: None,
            jwks: Some(JwksSource::Url(url.parse().unwrap())),
            algorithms: Algorithm::ALL.to_vec(),
            auto_redirect: None,
        });
        let fetcher = KeyFetcher::new(&Arc::new(verifier.unwrap())).unwrap();
        (listener, fetcher.unwrap())
    }

    /// Answers the next request.
    async fn answer(listener: &TcpListener, status: &str, body: &str) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        assert!(request.starts_with(b"GET /jwks HTTP/1.1\r\n"));
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLocation: /jwks\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // A client that has seen enough hangs up.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.as_bytes()).await;
    }

    #[tokio::test]
    async fn what_cannot_be_fetched_leaves_the_keys_alone() {
        let (listener, fetcher) = server().await;
        let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(LONGEST));
        for (status, body, said) in [
            ("200 OK", KEYS, None),
            ("500 Internal Server Error", "", Some("it answers 500")),
            ("302 Found", "", Some("it answers 302")),
            ("200 OK", "<html>", Some("no JSON Web Key Set")),
            ("200 OK", r#"{"keys":[]}"#, Some("no key in it")),
            ("200 OK", &long, Some("more than 1048576 bytes")),
            ("200 OK", KEYS, None),
        ] {
            let (fetched, ()) = tokio::join!(fetcher.fetch(), answer(&listener, status, body));
            match (fetched, said) {
                (Ok(keys), None) => assert_eq!(keys, 1),
                (Err(error), Some(said)) => {
                    assert!(error.to_string().contains(said), "{error}");
                }
                (fetched, _) => panic!("{status} {body:.40}: {fetched:?}"),
            }
        }
        drop(listener);
        let error = fetcher.fetch().await.unwrap_err().to_string();
        assert!(error.contains("it cannot be reached"), "{error}");
    }

    #[tokio::test]
    async fn a_token_with_another_key_has_them_fetched() {
        let (listener, fetcher) = server().await;
        let fetcher = KeyFetcher {
            pause: Duration::ZERO,
            ..fetcher
        };
        let verifier = Arc::clone(&fetcher.verifier);
        let running = tokio::spawn(fetcher.run());
        // Without any key, it is tried until there is one.
        answer(&listener, "503 Service Unavailable", "").await;
        answer(&listener, "200 OK", KEYS).await;
        // {"alg":"EdDSA","kid":"another"}
        let token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImFub3RoZXIifQ.e30.AA";
        assert!(verifier.verify(token).is_err());
        answer(&listener, "200 OK", KEYS).await;
        running.abort();
    }
}
