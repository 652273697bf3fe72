//! Hashing all content.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::state::{self, State};
use super::{Finding, Kind, Observer, Options, Report, ScrubError};
use crate::oci::{Digest, Hasher};
use crate::store::{Blob, Content, Maintain, StoreError};

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
                Outcome::Corrupt(actual) => {
                    Some(corrupt(&**store, options, &content, actual).await?)
                }
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
    let outcome = match actual(&**store, &content.digest, pace).await {
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

/// The digest that content has; `None` if it is not there.
async fn actual(
    store: &dyn Maintain,
    digest: &Digest,
    pace: &Arc<Pace>,
) -> Result<Option<Digest>, StoreError> {
    let blob = match store.content(digest).await {
        Err(StoreError::NotFound(_)) => return Ok(None),
        result => result?,
    };
    let (hasher, pace) = (Hasher::new(digest.algorithm()), Arc::clone(pace));
    let (runtime, ended) = (Handle::current(), CancellationToken::new());
    // Nobody waits for a whole layer to be read when a server is to stop.
    let _end = ended.clone().drop_guard();
    // Hashing is work for a thread, however many the runtime has.
    let hashed = spawn_blocking(move || {
        let hashing = hash(&*blob, hasher, &pace);
        runtime.block_on(ended.run_until_cancelled(hashing))
    });
    let hashed = hashed
        .await
        .map_err(|failure| StoreError::Io(failure.into()))?;
    hashed.transpose()
}

async fn hash(blob: &dyn Blob, mut hasher: Hasher, pace: &Pace) -> Result<Digest, StoreError> {
    let mut frames = blob.read(0..blob.size());
    while let Some(frame) = frames.try_next().await? {
        hasher.update(&frame);
        pace.take(frame.len() as u64).await;
    }
    Ok(hasher.finish())
}

/// Looks again at what seems to be corrupt, since it may have been replaced
/// meanwhile, and moves it aside.
async fn corrupt(
    store: &dyn Maintain,
    options: &Options,
    content: &Content,
    actual: Digest,
) -> Result<Finding, ScrubError> {
    let problem = if options.quarantine {
        match store.quarantine(&content.digest).await {
            Ok(place) => format!("the content has digest {actual}; it was moved to {place}"),
            Err(StoreError::NotFound(_)) => {
                format!("the content had digest {actual}; it has been removed since")
            }
            Err(error) => return Err(error.into()),
        }
    } else {
        format!("the content has digest {actual}")
    };
    Ok(Finding {
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
