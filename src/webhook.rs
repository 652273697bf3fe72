//! What brings events to the receiver of a webhook.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, redirect};
use tidegate_config::{Webhook, WebhookName};
use tidegate_failure::Explain;
use tidegate_registry::events::{self, Courier, Undelivered};

/// Sends events over HTTP.
pub(crate) struct HttpCourier {
    client: Client,
    url: reqwest::Url,
}

/// A webhook that cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// The cause names the file.
    #[error("`registry.webhook` \"{name}\": `ca`: {source}")]
    Read {
        name: WebhookName,
        source: io::Error,
    },
    #[error("`registry.webhook` \"{name}\": `ca`: {} holds no certificate, expected PEM", path.display())]
    NoCertificate { name: WebhookName, path: PathBuf },
    #[error("`registry.webhook` \"{name}\": {problem}")]
    Client { name: WebhookName, problem: String },
}

impl Explain for WebhookError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } | Self::NoCertificate { .. } => Some(
                "name the certificate of the CA that signed the receiver's, or leave `ca` out \
                 where the system trusts it"
                    .to_owned(),
            ),
            Self::Client { .. } => None,
        }
    }
}

impl HttpCourier {
    /// Makes a client as the settings say; it connects when it is needed.
    ///
    /// # Errors
    ///
    /// If the file of the CA cannot be used.
    pub(crate) fn new(webhook: &Webhook) -> Result<Self, WebhookError> {
        let mut client = Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers(webhook))
            // A POST that is sent elsewhere becomes a GET, or takes the secrets
            // of the headers along.
            .redirect(redirect::Policy::none())
            .timeout(webhook.timeout);
        if webhook.url.reveal().scheme() == "http" {
            // What the system trusts does not matter, and need not be there.
            client = client.tls_certs_only([]);
        } else if let Some(path) = &webhook.ca {
            client = client.tls_certs_merge(certificates(webhook, path.clone())?);
        }
        let client = client.build().map_err(|error| WebhookError::Client {
            name: webhook.name.clone(),
            problem: said(error),
        })?;
        Ok(Self {
            client,
            url: webhook.url.reveal().clone(),
        })
    }
}

fn headers(webhook: &Webhook) -> HeaderMap {
    const CHECKED: &str = "the settings hold tokens and printable ASCII only";
    let mut headers = HeaderMap::new();
    for field in &webhook.headers {
        let name: HeaderName = field.name().parse().expect(CHECKED);
        let mut value: HeaderValue = field.value().parse().expect(CHECKED);
        value.set_sensitive(true);
        headers.append(name, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(events::CONTENT_TYPE));
    headers
}

fn certificates(webhook: &Webhook, path: PathBuf) -> Result<Vec<Certificate>, WebhookError> {
    let name = || webhook.name.clone();
    let content = fs_err::read(&path).map_err(|source| WebhookError::Read {
        name: name(),
        source,
    })?;
    match Certificate::from_pem_bundle(&content) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(WebhookError::NoCertificate { name: name(), path }),
    }
}

#[async_trait]
impl Courier for HttpCourier {
    async fn deliver(&self, document: Bytes) -> Result<StatusCode, Undelivered> {
        let request = self.client.post(self.url.clone()).body(document);
        let unreachable = |error| Undelivered::Unreachable(said(error));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            Ok(status)
        } else {
            Err(Undelivered::Refused(status))
        }
    }
}

/// An error with its causes, in one line and without the URL.
pub(crate) fn said(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
