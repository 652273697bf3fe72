//! Several ranges in one answer: `multipart/byteranges` (RFC 9110 §14.6).

use std::collections::VecDeque;
use std::ops::Range;

use uuid::Uuid;

use super::body::{Body, Part};
use crate::store::Blob;

/// The value of `Content-Type`, and the body.
pub(super) fn byteranges(blob: &dyn Blob, ranges: Vec<Range<u64>>) -> (String, Body) {
    let boundary = Uuid::new_v4().simple().to_string();
    let mut parts = VecDeque::with_capacity(2 * ranges.len() + 1);
    for range in ranges {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: {}\r\n\r\n",
            content_range(&range, blob.size()),
        );
        parts.push_back(Part::Bytes(head.into()));
        parts.push_back(Part::Stream(
            blob.read(range.clone()),
            range.end - range.start,
        ));
    }
    parts.push_back(Part::Bytes(format!("\r\n--{boundary}--\r\n").into()));
    (
        format!("multipart/byteranges; boundary={boundary}"),
        Body::parts(parts),
    )
}

/// The value of `Content-Range` for a range that is not empty.
pub(super) fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end - 1)
}
