//! From an image of schema 2 to a payload of schema 1.
//!
//! What schema 2 keeps in the configuration, schema 1 keeps in a list of
//! configurations, one for each step of the image's history, the newest first.
//! Only the first is a real one; the others are made up from the history, with
//! identifiers that depend on nothing but the content, so that the same image
//! always becomes the same payload, and the same one that distribution makes.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256, Sha384};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::go_json;
use crate::oci::{Algorithm, Digest, MANIFEST_SIZE_LIMIT, RepoName, Tag};

/// The layer of a step that changed no file: an archive of nothing, gzipped.
/// Every schema 1 client has to find these very bytes.
pub const EMPTY_LAYER: &[u8] = &[
    31, 139, 8, 0, 0, 9, 110, 136, 0, 255, 98, 24, 5, 163, 96, 20, 140, 88, 0, 8, 0, 0, 255, 255,
    46, 175, 181, 239, 0, 4, 0, 0,
];

/// The digest of [`EMPTY_LAYER`].
pub fn empty_layer() -> Digest {
    Algorithm::Sha256.digest(EMPTY_LAYER)
}

/// Makes the payload for an image: its configuration as it is stored, and its
/// layers, the oldest first. `repo` and `tag` are those that it is pulled by,
/// since clients check them.
///
/// # Errors
///
/// If the configuration is not that of an image, or does not fit the layers.
pub fn convert(
    repo: &RepoName,
    tag: &Tag,
    config: &[u8],
    layers: &[Digest],
) -> Result<Vec<u8>, ConvertError> {
    let image: Image = serde_json::from_slice(config).map_err(ConvertError::Config)?;
    let Some((newest, older)) = image.history.split_last() else {
        return Err(ConvertError::NoHistory);
    };
    let rootfs = image.rootfs.ok_or(ConvertError::NoRootFs)?;
    let filled = image.history.iter().filter(|step| !step.empty_layer);
    let counts = [rootfs.diff_ids.len(), filled.count()];
    if counts != [layers.len(); 2] {
        return Err(ConvertError::Layers {
            manifest: layers.len(),
            rootfs: counts[0],
            history: counts[1],
        });
    }
    let empty = empty_layer();
    let mut layers = layers.iter().copied();
    let mut layer_of = |step: &Step| match step.empty_layer {
        true => empty,
        // As many were counted above.
        false => layers.next().unwrap_or(empty),
    };

    let mut parent = String::new();
    let mut entries = Vec::with_capacity(image.history.len());
    let mut size = 0;
    for (position, step) in older.iter().enumerate() {
        let layer = layer_of(step);
        let id = hex_of(&[layer.hex().as_bytes(), b" ", parent.as_bytes()]);
        if let (0, Some(base)) = (
            position,
            rootfs.base_layer.as_deref().filter(|b| !b.is_empty()),
        ) {
            // Windows: the first layer lies on one that is not in the registry.
            parent = hex::encode(&Sha384::digest(base)[..32]);
        }
        let compatibility = go_json::line(&V1Compatibility::of(step, &id, &parent))?;
        size += compatibility.len() + layer.to_string().len();
        if size > MANIFEST_SIZE_LIMIT {
            return Err(ConvertError::TooLarge);
        }
        entries.push((layer, compatibility));
        parent = id;
    }
    let layer = layer_of(newest);
    let id = hex_of(&[
        layer.hex().as_bytes(),
        b" ",
        parent.as_bytes(),
        b" ",
        config,
    ]);
    entries.push((layer, v1_config(config, &id, &parent, newest.empty_layer)?));
    entries.reverse();

    let (fs_layers, history) = entries
        .into_iter()
        .map(|(blob_sum, v1_compatibility)| (Layer { blob_sum }, History { v1_compatibility }))
        .unzip();
    let payload = go_json::indented(
        &Payload {
            schema_version: 1,
            name: repo.as_str(),
            tag: tag.as_str(),
            architecture: &image.architecture,
            fs_layers,
            history,
        },
        "   ",
    )?;
    if payload.len() > MANIFEST_SIZE_LIMIT {
        return Err(ConvertError::TooLarge);
    }
    Ok(payload.into_bytes())
}

/// The manifest that a list has for Linux on amd64, which is what a client
/// that knows no lists is taken to run on. `None` too if the text is no list.
pub fn linux_amd64(list: &[u8]) -> Option<Digest> {
    let list: List = serde_json::from_slice(list).ok()?;
    let fits = |platform: &Platform| platform.architecture == "amd64" && platform.os == "linux";
    list.manifests
        .into_iter()
        .find(|child| child.platform.as_ref().is_some_and(fits))
        .map(|child| child.digest)
}

fn hex_of(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

/// The configuration, as it was in schema 1: with an identifier, and without
/// what the manifest says itself.
fn v1_config(
    config: &[u8],
    id: &str,
    parent: &str,
    empty_layer: bool,
) -> Result<String, ConvertError> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_slice(config).map_err(ConvertError::Config)?;
    let mut texts: BTreeMap<&str, String> = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "rootfs" | "history"))
        .map(|(name, value)| (name.as_str(), go_json::compact(value)))
        .collect();
    texts.insert("id", go_json::line(&id)?);
    if !parent.is_empty() {
        texts.insert("parent", go_json::line(&parent)?);
    }
    if empty_layer {
        texts.insert("throwaway", "true".to_owned());
    }
    let mut object = String::from("{");
    for (name, text) in texts {
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(&go_json::line(&name)?);
        object.push(':');
        object.push_str(&text);
    }
    object.push('}');
    Ok(object)
}

/// As much of an image's configuration as is needed (OCI image-spec, "OCI
/// Image Configuration"; Docker's is the same).
#[derive(Deserialize)]
struct Image {
    #[serde(default, deserialize_with = "null_as_default")]
    architecture: String,
    rootfs: Option<RootFs>,
    #[serde(default, deserialize_with = "null_as_default")]
    history: Vec<Step>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default, deserialize_with = "null_as_default")]
    diff_ids: Vec<String>,
    base_layer: Option<String>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default, deserialize_with = "moment")]
    created: Moment,
    #[serde(default, deserialize_with = "null_as_default")]
    author: String,
    #[serde(default, deserialize_with = "null_as_default")]
    created_by: String,
    #[serde(default, deserialize_with = "null_as_default")]
    comment: String,
    #[serde(default, deserialize_with = "null_as_default")]
    empty_layer: bool,
}

/// A time in the one spelling that Go gives it: without zeros at the end.
#[derive(Serialize)]
struct Moment(String);

impl Default for Moment {
    /// Go's time of nothing.
    fn default() -> Self {
        Self("0001-01-01T00:00:00Z".to_owned())
    }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(Moment::default());
    };
    let wrong = |problem: String| {
        D::Error::custom(format!(
            "`created` is {text:?}, expected RFC 3339: {problem}"
        ))
    };
    let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(|e| wrong(e.to_string()))?;
    let plain = time.format(&Rfc3339).map_err(|e| wrong(e.to_string()))?;
    Ok(Moment(plain))
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
struct List {
    manifests: Vec<Child>,
}

#[derive(Deserialize)]
struct Child {
    digest: Digest,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

// The fields stand in the order in which distribution writes them.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    schema_version: u8,
    name: &'a str,
    tag: &'a str,
    architecture: &'a str,
    fs_layers: Vec<Layer>,
    history: Vec<History>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    blob_sum: Digest,
}

#[derive(Serialize)]
struct History {
    #[serde(rename = "v1Compatibility")]
    v1_compatibility: String,
}

/// The made-up configuration of a step before the last.
#[derive(Serialize)]
struct V1Compatibility<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    parent: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: &'a str,
    created: &'a Moment,
    container_config: ContainerConfig<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    author: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    throwaway: bool,
}

#[derive(Serialize)]
struct ContainerConfig<'a> {
    #[serde(rename = "Cmd")]
    cmd: [&'a str; 1],
}

impl<'a> V1Compatibility<'a> {
    fn of(step: &'a Step, id: &'a str, parent: &'a str) -> Self {
        Self {
            id,
            parent,
            comment: &step.comment,
            created: &step.created,
            container_config: ContainerConfig {
                cmd: [&step.created_by],
            },
            author: &step.author,
            throwaway: step.empty_layer,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Why an image has no form in schema 1.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The configuration is not that of an image.
    #[error("the image's configuration cannot be read: {0}")]
    Config(#[source] serde_json::Error),
    /// Nothing says how the image came to be, on which schema 1 is built.
    #[error("the image's configuration has no history, which schema 1 needs")]
    NoHistory,
    /// Nothing says which layers the configuration is of.
    #[error("the image's configuration has no rootfs")]
    NoRootFs,
    /// The layers are not those of the configuration.
    #[error(
        "the manifest has {manifest} layers, but rootfs.diff_ids has {rootfs} and the history tells of {history}"
    )]
    Layers {
        /// In the manifest.
        manifest: usize,
        /// In the configuration.
        rootfs: usize,
        /// Steps of the history that changed files.
        history: usize,
    },
    /// The result would be larger than any manifest may be.
    #[error(
        "the image's history is too long: in schema 1 the manifest would be larger than {MANIFEST_SIZE_LIMIT} bytes"
    )]
    TooLarge,
    /// The result cannot be written.
    #[error("the manifest cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests;
