//! `ListObjectsV2`: keys in byte order, by prefix, a page at a time; with a
//! delimiter, what follows it is rolled up into one entry.

use std::time::SystemTime;

use super::{Bucket, BucketError, Contents, ETag};

/// What to list.
#[derive(Debug, Clone, Default)]
pub(in crate::store::memory) struct List<'a> {
    /// How the keys begin.
    pub(in crate::store::memory) prefix: &'a str,
    /// Keys in which it follows the prefix are rolled up, to where it ends.
    pub(in crate::store::memory) delimiter: Option<char>,
    /// The key after which to begin.
    pub(in crate::store::memory) start_after: Option<&'a str>,
    /// `NextContinuationToken` of the page before.
    pub(in crate::store::memory) continuation: Option<String>,
    /// The most entries; the service may give fewer.
    pub(in crate::store::memory) max_keys: Option<usize>,
}

/// One page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store::memory) struct Listing {
    pub(in crate::store::memory) objects: Vec<Listed>,
    /// `CommonPrefixes`: what was rolled up, with the delimiter.
    pub(in crate::store::memory) prefixes: Vec<String>,
    /// What to ask for the next page with, if there is one.
    pub(in crate::store::memory) next: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::memory) struct Listed {
    pub(in crate::store::memory) key: String,
    pub(in crate::store::memory) size: u64,
    pub(in crate::store::memory) etag: ETag,
    pub(in crate::store::memory) last_modified: SystemTime,
}

impl Bucket {
    /// `ListObjectsV2`
    pub(in crate::store::memory) async fn list(
        &self,
        list: List<'_>,
    ) -> Result<Listing, BucketError> {
        self.call(|contents, options| {
            let most = list.max_keys.unwrap_or(usize::MAX).min(options.page);
            Ok(contents.list(&list, most))
        })
        .await
    }
}

impl Contents {
    fn list(&self, list: &List<'_>, most: usize) -> Listing {
        let mut page = Listing::default();
        let mut last = list.continuation.clone();
        for (key, object) in self.objects.range(list.prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(list.prefix) else {
                break;
            };
            if list.start_after.is_some_and(|after| key.as_str() <= after) {
                continue;
            }
            let end = list.delimiter.and_then(|delimiter| {
                let at = rest.find(delimiter)?;
                Some(list.prefix.len() + at + delimiter.len_utf8())
            });
            let entry = end.map_or(key.as_str(), |end| &key[..end]);
            // A prefix stands for all keys below it, of which the page before
            // has shown what there is.
            if last.as_deref().is_some_and(|last| entry <= last) {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == most {
                // No page of nothing leads to another one.
                page.next = last.filter(|_| most > 0);
                return page;
            }
            last = Some(entry.to_owned());
            if end.is_some() {
                page.prefixes.push(entry.to_owned());
            } else {
                page.objects.push(Listed {
                    key: key.clone(),
                    size: object.head.size,
                    etag: object.head.etag.clone(),
                    last_modified: object.head.last_modified,
                });
            }
        }
        page
    }
}
