//! Hashing all content.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use super::hashing::digest_of;
use super::pace::Pace;
use super::state::{self, State};
use super::{Finding, Kind, Observer, Options, Report, ScrubError};
use crate::oci::Digest;
use crate::store::{Content, Maintain, StoreError};

/// How much content is asked for at once.
const PAGE: usize = 256;

/// How often it is written down how far it has come.
const SAVED_EVERY: Duration = Duration::from_secs(5);

/// Hashes all content after what an earlier run has come to.
pub(super) async fn hash_all(
    store: &Arc<dyn Maintain>,
    options: &Options,
    observer: &dyn Observer,
    report: &mut Report,
) -> Result<(), ScrubError> {
    let mut state = match &options.state {
        Some(path) => state::load(path)?,
        None => State::default(),
    };
    report.resumed = state.last.is_some();
    let pace = Arc::new(Pace::new(options.rate));
    let mut saved = Instant::now();
    'pages: loop {
        let page = store.contents(state.last.as_ref(), PAGE).await?;
        let hashes = page.items.into_iter().map(|content| {
            let (store, pace) = (Arc::clone(store), Arc::clone(&pace));
            async move { check(&store, content, &pace).await }
        });
        // In order, so that everything up to one of them is known to be done.
        let mut hashes = stream::iter(hashes).buffered(options.threads.get());
        while let Some((content, outcome)) = hashes.next().await {
            let finding = match outcome {
                Outcome::Right => None,
                Outcome::Corrupt(actual) => corrupt(&**store, options, &content, actual).await,
                Outcome::Unreadable(error) => Some(unreadable(&content.digest, &error)),
            };
            if let Some(finding) = finding {
                observer.found(&finding);
                state.findings.push(finding);
            }
            state.contents += 1;
            state.bytes += content.size;
            state.last = Some(content.digest);
            observer.hashed(&content.digest, state.contents, state.bytes);
            let stops = observer.stops();
            if let Some(path) = &options.state
                && (stops || saved.elapsed() >= SAVED_EVERY)
            {
                state::save(path, &state)?;
                saved = Instant::now();
            }
            if stops {
                break 'pages;
            }
        }
        if !page.more {
            break;
        }
    }
    // If what follows is interrupted, the hashing need not be done again.
    if let Some(path) = &options.state {
        state::save(path, &state)?;
    }
    report.contents = state.contents;
    report.bytes = state.bytes;
    report.findings.append(&mut state.findings);
    Ok(())
}

enum Outcome {
    /// It is what its digest says, or was removed meanwhile.
    Right,
    /// It has another digest.
    Corrupt(Digest),
    Unreadable(StoreError),
}

async fn check(
    store: &Arc<dyn Maintain>,
    content: Content,
    pace: &Arc<Pace>,
) -> (Content, Outcome) {
    let algorithm = content.digest.algorithm();
    let outcome = match digest_of(&**store, &content.digest, algorithm, pace).await {
        Ok(Some(actual)) if actual != content.digest => Outcome::Corrupt(actual),
        Ok(Some(_)) => Outcome::Right,
        // An empty file counts as not there, but it is.
        Ok(None) if content.size == 0 && !content.digest.is_of_nothing() => {
            Outcome::Corrupt(content.digest.algorithm().digest(b""))
        }
        Ok(None) => Outcome::Right,
        Err(error) => Outcome::Unreadable(error),
    };
    (content, outcome)
}

/// Has what seems to be corrupt moved aside. `None` if a push has replaced it
/// meanwhile, which the store finds out by reading it once more.
async fn corrupt(
    store: &dyn Maintain,
    options: &Options,
    content: &Content,
    actual: Digest,
) -> Option<Finding> {
    let problem = if options.quarantine {
        match store.quarantine(&content.digest).await {
            Ok(Some(place)) => {
                format!("the content has digest {actual}; it was moved to {place}")
            }
            Ok(None) => return None,
            Err(StoreError::NotFound(_)) => {
                format!("the content had digest {actual}; it has been removed since")
            }
            // There may be more that is wrong, on such a disk.
            Err(error) => {
                format!("the content has digest {actual}; it cannot be moved aside: {error}")
            }
        }
    } else {
        format!("the content has digest {actual}")
    };
    Some(Finding {
        kind: Kind::Corrupt,
        subject: content.digest.to_string(),
        problem,
        mend: "push an image that has it again".to_owned(),
    })
}

fn unreadable(digest: &Digest, error: &StoreError) -> Finding {
    Finding {
        kind: Kind::Unreadable,
        subject: digest.to_string(),
        problem: error.to_string(),
        mend: "look after the disk; then push an image that has it again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use bytes::Bytes;
    use fs_err as fs;

    use super::*;
    use crate::oci::Algorithm;
    use crate::store::{Filesystem, Store};

    const BYTES: &[u8] = b"layer";

    async fn push(store: &Filesystem) {
        let repo = "a".parse().unwrap();
        let mut upload = store.begin_upload(&repo).await.unwrap();
        upload.write(Bytes::from_static(BYTES)).await.unwrap();
        let digest = Algorithm::Sha256.digest(BYTES);
        upload.commit(&digest).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_push_has_replaced_since_it_was_read_stays() {
        let root = tempfile::tempdir().unwrap();
        let store = Filesystem::new(root.path());
        let digest = Algorithm::Sha256.digest(BYTES);
        let options = Options {
            quarantine: true,
            rate: None,
            threads: NonZeroUsize::MIN,
            state: None,
        };
        push(&store).await;
        let base = root.path().join("docker/registry/v2");
        let hex = digest.hex();
        let data = base.join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
        let aside = base.join("_quarantine/sha256");
        let seen = store.contents(None, 1).await.unwrap().items.remove(0);
        for (round, bytes) in [(1, "torn"), (2, "la")] {
            fs::write(&data, bytes).unwrap();
            let actual = Algorithm::Sha256.digest(bytes.as_bytes());
            push(&store).await;
            let found = corrupt(&store, &options, &seen, actual).await;
            assert_eq!(found, None);
            assert_eq!(fs::read(&data).unwrap(), BYTES);

            fs::write(&data, bytes).unwrap();
            let found = corrupt(&store, &options, &seen, actual).await.unwrap();
            assert_eq!(found.kind, Kind::Corrupt);
            assert!(!data.exists());
            // What was moved aside before is kept.
            assert_eq!(fs::read_dir(&aside).unwrap().count(), round);
            push(&store).await;
        }
        assert_eq!(fs::read(aside.join(&hex)).unwrap(), b"torn");
        assert_eq!(fs::read(aside.join(format!("{hex}.2"))).unwrap(), b"la");
    }
}
