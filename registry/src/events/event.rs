//! One event, in the words of distribution's notifications: receivers that were
//! written for it understand ours.

use std::net::IpAddr;

use serde::{Serialize, Serializer};
use tidegate_config::Action;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::oci::{Descriptor, Digest, ManifestType, RepoName, Tag};

/// The type of the document that an event is sent in.
pub const CONTENT_TYPE: &str = "application/vnd.docker.distribution.events.v1+json";

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Tells this event from all others, also when it is sent again.
    pub id: Uuid,
    /// When it happened.
    #[serde(serialize_with = "rfc3339")]
    pub timestamp: OffsetDateTime,
    /// What happened.
    #[serde(serialize_with = "action")]
    pub action: Action,
    /// To what.
    pub target: Target,
    /// By which request.
    pub request: RequestRecord,
    /// By whom.
    pub actor: Actor,
    /// Where.
    pub source: Source,
}

/// What something happened to. What is not known is not in the document.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// What the content is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<&'static str>,
    /// The content's length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The content's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The same as `size`: its name before there were descriptors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The repository.
    pub repository: String,
    /// Where a blob was mounted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_repository: Option<String>,
    /// Where the content is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The tag that was named, or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What a manifest refers to, for those who want to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Descriptor>,
}

impl Target {
    /// A blob of a repository.
    pub(crate) fn blob(repo: &RepoName, digest: &Digest, size: u64, origin: &str) -> Self {
        Self {
            url: Some(format!("{origin}/v2/{repo}/blobs/{digest}")),
            ..Self::content(repo, digest, "application/octet-stream", size)
        }
    }

    /// A manifest of a repository.
    pub(crate) fn manifest(
        repo: &RepoName,
        digest: &Digest,
        media_type: ManifestType,
        size: usize,
        origin: &str,
    ) -> Self {
        Self {
            url: Some(format!("{origin}/v2/{repo}/manifests/{digest}")),
            ..Self::content(repo, digest, media_type.as_str(), size as u64)
        }
    }

    /// Content that is no more.
    pub(crate) fn digest(repo: &RepoName, digest: &Digest) -> Self {
        Self {
            digest: Some(*digest),
            repository: repo.to_string(),
            ..Self::default()
        }
    }

    /// A tag that is no more.
    pub(crate) fn tag(repo: &RepoName, tag: &Tag) -> Self {
        Self {
            repository: repo.to_string(),
            tag: Some(tag.to_string()),
            ..Self::default()
        }
    }

    fn content(repo: &RepoName, digest: &Digest, media_type: &'static str, size: u64) -> Self {
        Self {
            media_type: Some(media_type),
            size: Some(size),
            length: Some(size),
            ..Self::digest(repo, digest)
        }
    }
}

/// The request that made something happen.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The same for all events of one request.
    pub id: Uuid,
    /// The address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr: Option<IpAddr>,
    /// The host, and port, by which the client came.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The method of the request.
    pub method: String,
    /// What the client calls itself.
    #[serde(rename = "useragent", skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
}

/// Who made something happen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Actor {
    /// The user, if passwords are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Where something happened.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    /// The host and port of the registry.
    pub addr: String,
    /// Tells one run of the registry from all others.
    #[serde(rename = "instanceID")]
    pub instance_id: Uuid,
}

impl Source {
    /// A source of this run.
    #[must_use]
    pub fn new(addr: String) -> Self {
        Self {
            addr,
            instance_id: Uuid::new_v4(),
        }
    }
}

impl Event {
    pub(super) fn now(
        action: Action,
        target: Target,
        request: RequestRecord,
        actor: Actor,
        source: Source,
    ) -> Self {
        Self {
            id: Uuid::new_v4(),
            timestamp: OffsetDateTime::now_utc(),
            action,
            target,
            request,
            actor,
            source,
        }
    }

    /// The event as one line of JSON, without its end.
    pub(super) fn to_line(&self, references: bool) -> Vec<u8> {
        let bare;
        let event = if references || self.target.references.is_empty() {
            self
        } else {
            bare = Self {
                target: Target {
                    references: Vec::new(),
                    ..self.target.clone()
                },
                ..self.clone()
            };
            &bare
        };
        serde_json::to_vec(event).expect("an event of texts and numbers has a JSON form")
    }
}

/// The document that carries one event.
pub(super) fn envelope(line: &[u8]) -> Vec<u8> {
    [br#"{"events":["#, line, b"]}"].concat()
}

fn rfc3339<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time.format(&Rfc3339).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

fn action<S: Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(action.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::Algorithm;

    fn event(target: Target) -> Event {
        let request = RequestRecord {
            id: Uuid::nil(),
            addr: Some([192, 0, 2, 7].into()),
            host: "reg.example:5043".to_owned(),
            method: "PUT".to_owned(),
            user_agent: "docker/28".to_owned(),
        };
        let actor = Actor {
            name: Some("ann".to_owned()),
        };
        Event::now(
            Action::Push,
            target,
            request,
            actor,
            Source::new("host:5043".to_owned()),
        )
    }

    fn sent(event: &Event, references: bool) -> Value {
        let line = event.to_line(references);
        assert!(!line.contains(&b'\n'));
        serde_json::from_slice(&envelope(&line)).unwrap()
    }

    #[test]
    fn the_document_is_distributions() {
        let repo: RepoName = "team/app".parse().unwrap();
        let digest = Algorithm::Sha256.digest(b"{}");
        let mut target = Target::manifest(
            &repo,
            &digest,
            ManifestType::OciManifest,
            392,
            "https://reg.example:5043",
        );
        target.tag = Some("v1".to_owned());
        target.references = vec![Descriptor {
            media_type: "application/vnd.oci.image.config.v1+json".to_owned(),
            digest,
            size: 2,
            urls: vec![],
            artifact_type: None,
            annotations: [].into(),
        }];
        let event = event(target);
        let document = sent(&event, true);
        let expected = json!({"events": [{
            "id": event.id.to_string(),
            "timestamp": event.timestamp.format(&Rfc3339).unwrap(),
            "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "size": 392,
                "digest": digest,
                "length": 392,
                "repository": "team/app",
                "url": format!("https://reg.example:5043/v2/team/app/manifests/{digest}"),
                "tag": "v1",
                "references": [{
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": digest,
                    "size": 2,
                }],
            },
            "request": {
                "id": "00000000-0000-0000-0000-000000000000",
                "addr": "192.0.2.7",
                "host": "reg.example:5043",
                "method": "PUT",
                "useragent": "docker/28",
            },
            "actor": {"name": "ann"},
            "source": {"addr": "host:5043", "instanceID": event.source.instance_id.to_string()},
        }]});
        assert_eq!(document, expected);
        let bare = sent(&event, false);
        assert_eq!(bare["events"][0]["target"].get("references"), None);
        assert_eq!(bare["events"][0]["target"]["size"], 392);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let repo: RepoName = "a".parse().unwrap();
        let deleted = event(Target::tag(&repo, &"v1".parse().unwrap()));
        assert_eq!(
            sent(&deleted, true)["events"][0]["target"],
            json!({"repository": "a", "tag": "v1"})
        );
        let mut anonymous = event(Target::digest(&repo, &Algorithm::Sha256.digest(b"")));
        anonymous.actor = Actor::default();
        anonymous.request.addr = None;
        assert_eq!(sent(&anonymous, true)["events"][0]["actor"], json!({}));
        assert_eq!(
            sent(&anonymous, true)["events"][0]["request"].get("addr"),
            None
        );
    }
}
