//! What the S3 API reference says of each call.

use super::*;

fn bucket() -> Bucket {
    Bucket::new(BucketOptions {
        min_part: 4,
        page: 2,
        ..BucketOptions::default()
    })
}

async fn put(bucket: &Bucket, key: &str, bytes: &'static str) -> ETag {
    bucket.put(key, bytes.into(), None).await.unwrap()
}

fn absent(key: &str) -> BucketError {
    BucketError::NoSuchKey { key: key.into() }
}

fn changed(key: &str) -> BucketError {
    BucketError::PreconditionFailed { key: key.into() }
}

#[tokio::test]
async fn objects_are_put_read_and_deleted() {
    let bucket = bucket();
    assert_eq!(bucket.get("k", None).await.unwrap_err(), absent("k"));
    assert_eq!(bucket.head("k").await, Err(absent("k")));
    let etag = put(&bucket, "k", "0123456789").await;
    let object = bucket.get("k", Some(2..5)).await.unwrap();
    assert_eq!(object.bytes, "234");
    assert_eq!((object.head.size, &object.head.etag), (10, &etag));
    assert_eq!(bucket.head("k").await.unwrap(), object.head);
    for range in [8..11, 10..12, 3..3] {
        let error = bucket.get("k", Some(range)).await.unwrap_err();
        assert!(
            matches!(error, BucketError::InvalidRange { size: 10, .. }),
            "{error}"
        );
    }
    bucket.delete("k", None).await.unwrap();
    bucket.delete("k", None).await.unwrap();
    assert_eq!(bucket.keys(), [""; 0]);
}

#[tokio::test]
async fn conditions_decide_what_is_written() {
    let bucket = bucket();
    let first = bucket.put("k", "1".into(), Some(Condition::Absent)).await;
    let first = first.unwrap();
    let again = bucket.put("k", "2".into(), Some(Condition::Absent)).await;
    assert_eq!(again, Err(changed("k")));
    let second = bucket.put("k", "2".into(), Some(Condition::Match(&first)));
    let second = second.await.unwrap();
    let late = bucket.put("k", "3".into(), Some(Condition::Match(&first)));
    assert_eq!(late.await, Err(changed("k")));
    assert_eq!(bucket.delete("k", Some(&first)).await, Err(changed("k")));
    assert_eq!(bucket.get("k", None).await.unwrap().bytes, "2");
    bucket.delete("k", Some(&second)).await.unwrap();
    // A deletion of nothing succeeds, a replacement of nothing does not.
    bucket.delete("k", Some(&second)).await.unwrap();
    let gone = bucket.put("k", "4".into(), Some(Condition::Match(&second)));
    assert_eq!(gone.await, Err(absent("k")));
}

#[tokio::test]
async fn an_etag_tells_bytes_and_not_puts() {
    let bucket = bucket();
    let first = put(&bucket, "k", "same").await;
    bucket.advance(Duration::from_secs(60));
    assert_eq!(put(&bucket, "k", "same").await, first);
    assert_ne!(put(&bucket, "k", "other").await, first);
}

#[tokio::test]
async fn times_are_the_services_own_and_as_exact_as_it_says() {
    let bucket = Bucket::new(BucketOptions {
        resolution: Duration::from_secs(1),
        ..BucketOptions::default()
    });
    put(&bucket, "k", "").await;
    let before = bucket.head("k").await.unwrap().last_modified;
    let since = before.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since.subsec_nanos(), 0);
    bucket.advance(Duration::from_secs(10));
    put(&bucket, "k", "").await;
    let after = bucket.head("k").await.unwrap().last_modified;
    assert!(after >= before + Duration::from_secs(10));
}

#[tokio::test]
async fn lists_are_sorted_rolled_up_and_paged() {
    let bucket = bucket();
    for key in ["b", "a/2/x", "a/1", "a/2/y", "a/2", "a/3/z", "A", "a"] {
        put(&bucket, key, "").await;
    }
    let page = |list: List<'static>| {
        let bucket = bucket.clone();
        async move {
            let page = bucket.list(list).await.unwrap();
            let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            (keys.join(" "), page.prefixes.join(" "), page.next)
        }
    };
    let list = List {
        prefix: "a/",
        delimiter: Some('/'),
        ..List::default()
    };
    let (keys, prefixes, next) = page(list.clone()).await;
    assert_eq!((keys.as_str(), prefixes.as_str()), ("a/1 a/2", ""));
    let list = List {
        continuation: next,
        ..list
    };
    let last = page(list).await;
    assert_eq!(last, (String::new(), "a/2/ a/3/".into(), None));

    let list = List {
        start_after: Some("a/2/"),
        max_keys: Some(1),
        ..List::default()
    };
    let (keys, _, next) = page(list.clone()).await;
    assert_eq!(keys, "a/2/x");
    let list = List {
        continuation: next,
        ..list
    };
    assert_eq!(page(list).await.0, "a/2/y");
    let nothing = List {
        max_keys: Some(0),
        ..List::default()
    };
    assert_eq!(page(nothing).await, (String::new(), String::new(), None));
}

#[tokio::test]
async fn a_list_goes_on_while_keys_come_and_go() {
    let bucket = bucket();
    for key in ["a!1", "a!2", "b!1", "c!1"] {
        put(&bucket, key, "").await;
    }
    let list = List {
        delimiter: Some('!'),
        ..List::default()
    };
    let first = bucket.list(list.clone()).await.unwrap();
    assert_eq!(first.prefixes, ["a!", "b!"]);
    bucket.delete("b!1", None).await.unwrap();
    put(&bucket, "a!3", "").await;
    put(&bucket, "bb!1", "").await;
    let list = List {
        continuation: first.next,
        ..list
    };
    assert_eq!(bucket.list(list).await.unwrap().prefixes, ["bb!", "c!"]);
}

#[tokio::test]
async fn parts_become_an_object_when_they_are_completed() {
    let bucket = bucket();
    let id = bucket.create_multipart("k").await.unwrap();
    let first = PartNumber::FIRST;
    let third = first.next().next();
    let last = bucket.upload_part("k", id, third, "end".into());
    let last = last.await.unwrap();
    let replaced = bucket.upload_part("k", id, first, "old ".into());
    let replaced = replaced.await.unwrap();
    let begin = bucket.upload_part("k", id, first, "begin ".into());
    let begin = begin.await.unwrap();
    assert_eq!(bucket.head("k").await, Err(absent("k")));
    assert_eq!(bucket.list_multiparts("k").await.unwrap().len(), 1);

    let complete = async |parts: &[&Part]| {
        let parts: Vec<Part> = parts.iter().copied().cloned().collect();
        bucket.complete_multipart("k", id, &parts).await
    };
    let number = first;
    assert_eq!(
        complete(&[&replaced, &last]).await,
        Err(BucketError::InvalidPart {
            key: "k".into(),
            number
        })
    );
    assert_eq!(
        complete(&[&last, &begin]).await,
        Err(BucketError::InvalidPartOrder { key: "k".into() })
    );
    complete(&[&begin, &last]).await.unwrap();
    assert_eq!(bucket.get("k", None).await.unwrap().bytes, "begin end");
    let gone = BucketError::NoSuchUpload {
        key: "k".into(),
        id,
    };
    assert_eq!(complete(&[&begin, &last]).await, Err(gone.clone()));
    assert_eq!(bucket.abort_multipart("k", id).await, Err(gone));
    assert_eq!(bucket.open_multiparts(), 0);
}

#[tokio::test]
async fn only_the_last_part_may_be_small() {
    let bucket = bucket();
    let id = bucket.create_multipart("k").await.unwrap();
    let first = PartNumber::FIRST;
    let mut parts = Vec::new();
    for (number, bytes) in [(first, "sml"), (first.next(), "large")] {
        let part = bucket.upload_part("k", id, number, bytes.into()).await;
        parts.push(part.unwrap());
    }
    let error = bucket.complete_multipart("k", id, &parts).await;
    assert_eq!(
        error,
        Err(BucketError::EntityTooSmall {
            key: "k".into(),
            number: first,
            size: 3,
            least: 4
        })
    );
    bucket
        .complete_multipart("k", id, &parts[..1])
        .await
        .unwrap();
    assert_eq!(bucket.get("k", None).await.unwrap().bytes, "sml");
}

#[tokio::test]
async fn a_client_fails_when_it_is_to_and_others_do_not() {
    let bucket = bucket();
    let other = bucket.another_client();
    bucket.fail_call(1, Fault::Refused);
    put(&bucket, "a", "").await;
    let refused = bucket.put("b", Bytes::new(), None).await;
    assert_eq!(refused, Err(BucketError::Unavailable));
    put(&bucket, "c", "").await;
    bucket.fail_call(0, Fault::AnswerLost);
    let lost = bucket.put("d", Bytes::new(), None).await;
    assert_eq!(lost, Err(BucketError::Unavailable));
    bucket.fail_from(0);
    for _ in 0..2 {
        assert_eq!(bucket.head("a").await, Err(BucketError::Unavailable));
    }
    assert!(other.head("d").await.is_ok());
    bucket.heal();
    assert!(bucket.head("d").await.is_ok());
    assert_eq!(bucket.keys(), ["a", "c", "d"]);
}
