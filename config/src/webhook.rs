//! Who is told of what happens in the registry: `[[registry.webhook]]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::header::HeaderField;

/// One `[[registry.webhook]]`: a receiver of events, as distribution's
/// `notifications.endpoints`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called in logs and metrics, and the directory of its queue.
    pub name: WebhookName,
    /// Where events are sent to.
    pub url: ReceiverUrl,
    /// Sent with every event.
    pub headers: Vec<HeaderField>,
    /// The CA that vouches for the receiver, PEM, beside those that the system
    /// trusts.
    pub ca: Option<PathBuf>,
    /// How long the receiver may take to answer.
    pub timeout: Duration,
    /// After how many failures in a row the receiver counts as down.
    pub threshold: u32,
    /// The pause after a failure. For a receiver that is down it doubles with
    /// each one, up to five minutes.
    pub backoff: Duration,
    /// What the receiver is not told of.
    pub ignore: Ignored,
    /// Whether an event lists what a manifest refers to: distribution's
    /// `notifications.events.includereferences`.
    pub references: bool,
    /// What waits for the receiver.
    pub queue: Queue,
}

/// Events that are not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Those of these actions.
    pub actions: Vec<Action>,
    /// Those about content of these types.
    pub media_types: Vec<String>,
}

/// The bounds of a queue; where one is reached, the oldest event is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The directory that holds a directory for each webhook. `None`: beside
    /// the registry's data.
    pub directory: Option<PathBuf>,
    /// How many events may wait.
    pub events: usize,
    /// How many bytes they may have.
    pub bytes: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            directory: None,
            events: 100_000,
            bytes: 64 << 20,
        }
    }
}

/// What happened, in the words of distribution's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Content was fetched, or asked after.
    Pull,
    /// Content or a tag was stored.
    Push,
    /// A blob of one repository became one of another.
    Mount,
    /// Content or a tag was removed.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pull, Self::Push, Self::Mount, Self::Delete];

    /// Its name in events and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Mount => "mount",
            Self::Delete => "delete",
        }
    }
}

/// The name of a webhook: also the name of a directory, and so without
/// anything that means more than itself in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebhookName(String);

impl WebhookName {
    const LONGEST: usize = 64;

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WebhookName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        match text.as_bytes() {
            [first, ..] if text.len() <= Self::LONGEST && *first != b'.' => {}
            _ => return Err("a name has 1 to 64 characters and does not begin with a dot"),
        }
        if text.bytes().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name is made of letters, digits, `-`, `_` and `.`")
        }
    }
}

/// Where events are sent to. User, password, path and query may be what lets
/// one in there: shown are scheme, host and port alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiverUrl(Url);

impl ReceiverUrl {
    /// The whole of it, with its secrets: for the request, never for a log.
    #[must_use]
    pub fn reveal(&self) -> &Url {
        &self.0
    }
}

impl FromStr for ReceiverUrl {
    type Err = &'static str;

    /// The errors do not show the text: it may hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| "no URL")?;
        match (url.scheme(), url.host()) {
            ("http" | "https", Some(_)) => Ok(Self(url)),
            _ => Err("a receiver is reached by http:// or https://"),
        }
    }
}

impl fmt::Display for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverUrl({self}/…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_shows_no_secret() {
        let url: ReceiverUrl = "https://me:s3cret@hooks.example:8443/s3cret?token=s3cret"
            .parse()
            .unwrap();
        assert_eq!(url.to_string(), "https://hooks.example:8443");
        assert_eq!(
            format!("{url:?}"),
            "ReceiverUrl(https://hooks.example:8443/…)"
        );
        assert!(url.reveal().as_str().contains("s3cret"));
        for bad in ["", "hooks.example", "ftp://h/", "file:///tmp", "https://"] {
            assert!(bad.parse::<ReceiverUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_the_name_of_a_file() {
        for good in ["ci", "Team_1.build-2", &"x".repeat(64)] {
            assert_eq!(good.parse::<WebhookName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".x", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<WebhookName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_name_with_a_path_in_it(text: String) {
            if let Ok(name) = text.parse::<WebhookName>() {
                let path = std::path::Path::new(name.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert_eq!(path.file_name().unwrap(), name.as_str());
            }
        }

        #[test]
        fn any_text_is_a_url_or_none(text: String) {
            let _ = text.parse::<ReceiverUrl>();
        }
    }
}
