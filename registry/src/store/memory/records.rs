//! Small objects: a line of JSON, and after it perhaps bytes.
//!
//! Every record holds a number that is used once, so that whoever writes one
//! changes its ETag, also if it says the same as before. To claim a thing is
//! to write its record again; to remove what nobody claims is to delete the
//! record that was seen.

use std::io;
use std::time::SystemTime;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bucket::{Bucket, BucketError, Condition, ETag};
use crate::store::StoreError;

/// How often a change may find that somebody else was faster.
pub(super) const ATTEMPTS: usize = 256;

/// A record as it was read.
#[derive(Debug)]
pub(super) struct Seen<T> {
    pub(super) value: T,
    /// What comes after the line.
    pub(super) body: Bytes,
    pub(super) etag: ETag,
    /// When it was written, and not before.
    pub(super) written: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    nonce: Uuid,
    #[serde(flatten)]
    value: T,
}

/// Reads a record. `None` if it is not there.
///
/// # Errors
///
/// [`StoreError::Damaged`] if the object is no such record.
pub(super) async fn read<T: DeserializeOwned>(
    bucket: &Bucket,
    key: &str,
) -> Result<Option<Seen<T>>, StoreError> {
    let object = match bucket.get(key, None).await {
        Err(BucketError::NoSuchKey { .. }) => return Ok(None),
        result => result?,
    };
    let (value, body) = parse(&object.bytes).map_err(|problem| StoreError::Damaged {
        location: key.to_owned(),
        problem,
    })?;
    Ok(Some(Seen {
        value,
        body,
        etag: object.head.etag,
        written: object.head.last_modified + bucket.resolution(),
    }))
}

/// Writes a record, whatever is there.
pub(super) async fn write(
    bucket: &Bucket,
    key: &str,
    value: &impl Serialize,
) -> Result<(), StoreError> {
    bucket.put(key, text(value, b"")?, None).await?;
    Ok(())
}

/// Writes a record where there is none. `None` if there is one.
pub(super) async fn create(
    bucket: &Bucket,
    key: &str,
    value: &impl Serialize,
    body: &[u8],
) -> Result<Option<ETag>, StoreError> {
    let put = bucket.put(key, text(value, body)?, Some(Condition::Absent));
    unless_changed(put.await)
}

/// Replaces the record that was seen. `None` if it is another one by now.
pub(super) async fn replace(
    bucket: &Bucket,
    key: &str,
    seen: &ETag,
    value: &impl Serialize,
    body: &[u8],
) -> Result<Option<ETag>, StoreError> {
    let put = bucket.put(key, text(value, body)?, Some(Condition::Match(seen)));
    unless_changed(put.await)
}

/// Deletes the record that was seen. False if it is another one by now.
pub(super) async fn remove(bucket: &Bucket, key: &str, seen: &ETag) -> Result<bool, StoreError> {
    Ok(unless_changed(bucket.delete(key, Some(seen)).await)?.is_some())
}

/// How long a record is, line and body.
pub(super) fn length(value: &impl Serialize) -> Result<u64, StoreError> {
    Ok(text(value, b"")?.len() as u64)
}

/// What is to be said when [`ATTEMPTS`] did not suffice.
pub(super) fn contended(key: &str) -> StoreError {
    StoreError::Io(io::Error::other(format!(
        "object {key}: it is being changed all the time"
    )))
}

fn unless_changed<T>(result: Result<T, BucketError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(BucketError::PreconditionFailed { .. } | BucketError::NoSuchKey { .. }) => Ok(None),
        result => Ok(Some(result?)),
    }
}

fn text(value: &impl Serialize, body: &[u8]) -> Result<Bytes, StoreError> {
    let line = Line {
        nonce: Uuid::new_v4(),
        value,
    };
    let mut text = serde_json::to_vec(&line).map_err(io::Error::other)?;
    text.push(b'\n');
    text.extend_from_slice(body);
    Ok(text.into())
}

fn parse<T: DeserializeOwned>(object: &Bytes) -> Result<(T, Bytes), String> {
    let end = object
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or("the record has no end of line")?;
    let line: Line<T> = serde_json::from_slice(&object[..end])
        .map_err(|error| format!("the record cannot be read: {error}"))?;
    Ok((line.value, object.slice(end + 1..)))
}

impl From<BucketError> for StoreError {
    fn from(error: BucketError) -> Self {
        Self::Io(io::Error::other(error))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Value {
        text: String,
        number: Option<u64>,
    }

    #[tokio::test]
    async fn the_same_value_never_has_the_same_etag() {
        let bucket = Bucket::new(Default::default());
        let value = Value {
            text: "x".into(),
            number: None,
        };
        let first = create(&bucket, "k", &value, b"").await.unwrap().unwrap();
        assert_eq!(create(&bucket, "k", &value, b"").await.unwrap(), None);
        let second = replace(&bucket, "k", &first, &value, b"").await.unwrap();
        assert_ne!(second.as_ref(), Some(&first));
        assert_eq!(
            replace(&bucket, "k", &first, &value, b"").await.unwrap(),
            None
        );
        assert!(!remove(&bucket, "k", &first).await.unwrap());
        assert!(remove(&bucket, "k", &second.unwrap()).await.unwrap());
        assert!(read::<Value>(&bucket, "k").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_record_is_named() {
        let bucket = Bucket::new(Default::default());
        for object in ["", "{}", "{}\n", "{\"nonce\":1}\n"] {
            bucket.put("a/key", object.into(), None).await.unwrap();
            let error = read::<Value>(&bucket, "a/key").await.unwrap_err();
            assert!(
                matches!(&error, StoreError::Damaged { location, .. } if location == "a/key"),
                "{object:?}: {error}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text_: String, number: Option<u64>, body: Vec<u8>) {
            let value = Value { text: text_, number };
            let (read, rest) = parse::<Value>(&text(&value, &body).unwrap()).unwrap();
            prop_assert_eq!((read, rest.to_vec()), (value, body));
        }

        #[test]
        fn never_panics(object: Vec<u8>) {
            let _ = parse::<Value>(&object.into());
        }
    }
}
