//! What goes, when, and what is said about it.

use tidegate_config::{ImmutableRule, RetentionRule};

use super::*;

#[tokio::test]
async fn what_is_fresh_stays_and_is_counted() {
    for world in World::each() {
        world.blob("a", "stale").await;
        world.put("a", "untagged", index_of(&[])).await;
        let now = async {
            collect(&*world.store, &deleting_untagged(), &|_| {})
                .await
                .unwrap()
        };
        let (gone, report) = world.gone(now).await;
        assert_eq!(gone, [""; 0]);
        assert_eq!((report.marked, report.resting_blobs), (2, 0));
        world
            .store
            .delete_blob(&name("a"), &Algorithm::Sha256.digest(b"stale"))
            .await
            .unwrap();
        let now = async {
            collect(&*world.store, &deleting_untagged(), &|_| {})
                .await
                .unwrap()
        };
        let (gone, report) = world.gone(now).await;
        assert_eq!(gone, [""; 0]);
        assert_eq!((report.resting_blobs, report.resting_bytes), (1, 5));
    }
}

#[tokio::test]
async fn no_grace_is_shorter_than_a_claim_needs() {
    for world in World::each() {
        world.blob("a", "stale").await;
        let options = Options {
            grace: Duration::ZERO,
            ..options()
        };
        let later = SystemTime::now() + MINIMUM_GRACE - Duration::from_millis(500);
        let run = async {
            collect_at(&*world.store, &options, &|_| {}, later)
                .await
                .unwrap()
        };
        assert_eq!(world.gone(run).await.0, [""; 0]);
    }
}

#[tokio::test]
async fn a_dry_run_says_what_goes_and_leaves_it() {
    for world in World::each() {
        world.blob("a", "stale").await;
        let layer = world.blob("a", "layer").await;
        let image = image_of("config", &[layer]);
        world.put("a", "untagged", image).await;
        world.put("a", "tagged", index_of(&[]).tagged("t")).await;
        world
            .store
            .begin_upload(&name("a"))
            .await
            .unwrap()
            .suspend()
            .await
            .unwrap();
        let dry = Options {
            dry_run: true,
            uploads_after: Some(DAY),
            ..deleting_untagged()
        };
        let before = world.all().await;
        let said = Mutex::new(Vec::new());
        let later = SystemTime::now() + 10 * DAY;
        let observer = |event: &Event<'_>| said.lock().unwrap().push(format!("{event:?}"));
        let would = collect_at(&*world.store, &dry, &observer, later)
            .await
            .unwrap();
        assert_eq!(world.all().await, before);
        assert!(would.dry_run);

        let wet = Options {
            dry_run: false,
            ..dry
        };
        let did = Mutex::new(Vec::new());
        let observer = |event: &Event<'_>| did.lock().unwrap().push(format!("{event:?}"));
        let report = collect_at(&*world.store, &wet, &observer, later)
            .await
            .unwrap();
        assert_eq!(said.into_inner().unwrap(), did.into_inner().unwrap());
        let figures = |report: &Report| {
            [
                report.repositories,
                report.marked,
                report.manifests,
                report.layers,
                report.blobs,
                report.bytes,
                report.uploads,
            ]
        };
        assert_eq!(figures(&would), figures(&report));
        assert_eq!(figures(&report)[..5], [1, 1, 1, 3, 4]);
        assert_eq!(report.uploads, 1);
        assert!(report.bytes > 16);
    }
}

#[tokio::test]
async fn uploads_that_rest_go() {
    for world in World::each() {
        let mut upload = world.store.begin_upload(&name("a")).await.unwrap();
        upload.write(Bytes::from_static(b"part")).await.unwrap();
        upload.suspend().await.unwrap();
        let with = |after| Options {
            uploads_after: after,
            ..options()
        };
        assert_eq!(world.gone_later(&with(None)).await, [""; 0]);
        assert_eq!(world.gone_later(&with(Some(11 * DAY))).await, [""; 0]);
        assert_eq!(
            world.gone_later(&with(Some(9 * DAY))).await,
            ["a has an upload"]
        );
    }
}

#[tokio::test]
async fn where_uploads_alone_go_the_rest_stays() {
    for world in World::each() {
        let layer = world.blob("a", "layer").await;
        world.blob("a", "stale").await;
        world
            .put("a", "untagged", image_of("config", &[layer]))
            .await;
        let upload = world.store.begin_upload(&name("a")).await.unwrap();
        upload.suspend().await.unwrap();
        let options = Options {
            uploads_after: Some(DAY),
            uploads_only: true,
            ..deleting_untagged()
        };
        assert_eq!(world.gone_later(&options).await, ["a has an upload"]);
        assert_ne!(world.gone_later(&deleting_untagged()).await, [""; 0]);
    }
}

/// On disk, the directories of a repository go when it has been empty for long.
#[tokio::test]
async fn an_empty_repository_goes() {
    let world = World::on_disk();
    let image = world
        .put("team/app/base", "image", image_of("config", &[]))
        .await;
    world
        .put("team/other", "kept", index_of(&[]).tagged("t"))
        .await;
    world
        .store
        .delete_manifest(&name("team/app/base"), &image)
        .await
        .unwrap();
    world.gone_later(&options()).await;
    world.gone_later(&options()).await;
    let repositories = world.root().join("repositories/team");
    assert!(!repositories.join("app").exists());
    assert!(
        repositories
            .join("other/_manifests/tags/t/current/link")
            .exists()
    );
}

#[tokio::test]
async fn rules_say_which_tags_stay() {
    for world in World::each() {
        for (repo, known, tag) in [
            ("team/app", "one", "v1"),
            ("team/app", "two", "b"),
            ("team/app", "three", "c"),
            ("app", "four", "d"),
        ] {
            world.put(repo, known, index_of(&[]).tagged(tag)).await;
        }
        let rule = RetentionRule {
            repositories: "team/**".parse().unwrap(),
            keep_newest: None,
            keep_pulled_within: None,
            keep_pushed_within: Some(DAY),
            keep_tags: Some("^c".parse().unwrap()),
        };
        let options = Options {
            retention: vec![rule],
            immutable: vec![ImmutableRule {
                repositories: "**".parse().unwrap(),
                tags: "v*".parse().unwrap(),
            }],
            ..deleting_untagged()
        };
        assert_eq!(
            world.gone_later(&options).await,
            [
                "content two",
                "team/app has manifest two",
                "team/app has tag b"
            ]
        );
    }
}

/// Pulls are counted from the first look on, and a pull keeps a tag.
#[tokio::test]
async fn a_tag_that_is_pulled_stays() {
    let world = World::on_disk();
    for tag in ["pulled", "forgotten"] {
        world.put("a", tag, index_of(&[]).tagged(tag)).await;
    }
    world.age();
    let rule = RetentionRule {
        repositories: "**".parse().unwrap(),
        keep_newest: None,
        keep_pulled_within: Some(DAY),
        keep_pushed_within: None,
        keep_tags: None,
    };
    let options = Options {
        retention: vec![rule],
        ..options()
    };
    let dry = Options {
        dry_run: true,
        ..options.clone()
    };
    for options in [&dry, &options, &options] {
        let run = async { collect(&*world.store, options, &|_| {}).await.unwrap() };
        assert_eq!(world.gone(run).await.0, [""; 0]);
    }
    world.age();
    world
        .store
        .note_pull(&name("a"), &"pulled".parse().unwrap())
        .await
        .unwrap();
    let run = async { collect(&*world.store, &options, &|_| {}).await.unwrap() };
    assert_eq!(world.gone(run).await.0, ["a has tag forgotten"]);
}

/// A tag that is pushed again after it was looked at has its turn next time.
#[tokio::test]
async fn a_tag_that_is_pushed_meanwhile_stays() {
    let world = World::on_disk();
    world.put("a", "old", index_of(&[]).tagged("t")).await;
    world.put("a", "new", index_of(&[]).tagged("u")).await;
    let link = world
        .root()
        .join("repositories/a/_manifests/tags/t/current/link");
    world.age();
    let rule = RetentionRule {
        repositories: "**".parse().unwrap(),
        keep_newest: None,
        keep_pulled_within: None,
        keep_pushed_within: Some(DAY),
        keep_tags: None,
    };
    let options = Options {
        retention: vec![rule],
        ..options()
    };
    let observer = |event: &Event<'_>| {
        if matches!(event, Event::Tag { tag, .. } if tag.as_str() == "t") {
            let content = fs_err::read(&link).unwrap();
            fs_err::write(&link, content).unwrap();
        }
    };
    let run = async { collect(&*world.store, &options, &observer).await.unwrap() };
    assert_eq!(world.gone(run).await.0, ["a has tag u"]);
}

/// docker-registry deletes a manifest without knowing what else leads to it.
#[tokio::test]
async fn what_leads_to_a_manifest_that_is_gone_goes() {
    let world = World::on_disk();
    let subject = world.put("a", "subject", index_of(&[]).tagged("t")).await;
    let about = image_of("config", &[]).about(subject).by_sha512();
    world.put("a", "about", about).await;
    let kept = image_of("config", &[]).about(subject);
    world.put("a", "kept", kept).await;
    let revisions = world
        .root()
        .join("repositories/a/_manifests/revisions/sha256");
    let about = world.named_content("about").hex();
    fs_err::remove_file(revisions.join(about).join("link")).unwrap();
    world.age();
    let run = async { collect(&*world.store, &options(), &|_| {}).await.unwrap() };
    let (gone, _) = world.gone(run).await;
    assert_eq!(gone, ["a has referrer about by sha512", "content about"]);
    let aliases = world.root().join("repositories/a/_aliases/digests/sha512");
    let links = below(&aliases).into_iter().filter(|path| path.is_file());
    assert_eq!(links.count(), 0);
}

/// What leads to manifests is remembered while many are removed: neither does a
/// tag that came since lose its manifest, nor does one keep it that has gone.
#[tokio::test]
async fn what_is_remembered_of_tags_is_not_believed_too_long() {
    let world = World::on_disk();
    let repo = name("a");
    let mut manifests = Vec::new();
    for known in ["first", "tagged", "moved"] {
        let tag = (known == "moved").then_some("moved");
        manifests.push(world.put("a", known, index_of(&[]).tagged(tag)).await);
    }
    world.age();
    let since = SystemTime::now() - DAY;
    let expire = async |at: usize| {
        let expired = world.store.expire_manifest(&repo, &manifests[at], since);
        expired.await.unwrap()
    };
    assert!(expire(0).await);
    world.put("a", "tagged", index_of(&[]).tagged("t")).await;
    assert!(!expire(1).await);
    assert!(!expire(2).await);
    let tag = "moved".parse().unwrap();
    world.store.delete_tag(&repo, &tag).await.unwrap();
    assert!(expire(2).await);
    assert!(world.store.manifest(&repo, &manifests[1]).await.is_ok());
}
