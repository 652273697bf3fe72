//! What others do between two steps of a run. The registry is on disk and has
//! rested for ten days; whoever does something holds up the run until it is
//! done.

use std::thread;

use super::*;

/// Does something to the store, from within an observer.
fn aside<T: Send>(work: impl Future<Output = T> + Send) -> T {
    thread::scope(|scope| {
        let done = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(work)
        });
        done.join().unwrap()
    })
}

/// An index without a tag, its image and that image's signature.
async fn family(world: &World) -> (Digest, Digest) {
    let layer = world.blob("a", "layer").await;
    let image = image_of("config", &[layer]);
    let image = world.put("a", "image", image).await;
    world.put("a", "index", index_of(&[image])).await;
    let signature = image_of("signature config", &[]).about(image);
    world.put("a", "signature", signature).await;
    (image, layer)
}

#[tokio::test]
async fn a_manifest_that_is_claimed_keeps_what_it_leads_to() {
    let world = World::on_disk();
    let (image, _) = family(&world).await;
    world.age();
    let gone = world.gone_meanwhile(deleting_untagged(), |event| {
        if matches!(event, Event::ManifestGoes(..)) {
            aside(world.store.claim_manifest(&name("a"), &image)).unwrap();
        }
    });
    let gone = gone.await;
    assert_eq!(
        Vec::from_iter(gone),
        ["a has manifest index", "content index"]
    );
}

#[tokio::test]
async fn a_manifest_that_is_tagged_stays() {
    let world = World::on_disk();
    let repo = name("a");
    let (image, _) = family(&world).await;
    let bytes = world
        .store
        .manifest(&repo, &image)
        .await
        .unwrap()
        .bytes()
        .clone();
    world.age();
    let gone = world.gone_meanwhile(deleting_untagged(), |event| {
        if matches!(event, Event::ManifestGoes(..)) {
            let new = NewManifest {
                digest: image,
                bytes: bytes.clone(),
                subject: None,
                tags: vec!["t".parse().unwrap()],
            };
            aside(world.store.put_manifest(&repo, new)).unwrap();
        }
    });
    assert_eq!(
        Vec::from_iter(gone.await),
        ["a has manifest index", "content index"]
    );
}

#[tokio::test]
async fn a_layer_that_is_claimed_stays_with_its_content() {
    let world = World::on_disk();
    let claimed = world.blob("a", "claimed").await;
    world.blob("a", "stale").await;
    world.put("a", "index", index_of(&[]).tagged("t")).await;
    world.age();
    let gone = world.gone_meanwhile(options(), |event| {
        if matches!(event, Event::ManifestStays(..)) {
            assert_eq!(
                aside(world.store.claim_blob(&name("a"), &claimed)).unwrap(),
                7
            );
        }
    });
    assert_eq!(
        Vec::from_iter(gone.await),
        ["a has blob stale", "content stale"]
    );
}

/// Whatever way it comes back, at the last moment.
#[tokio::test]
async fn content_that_comes_back_stays() {
    let repo = name("b");
    for way in ["commit", "mount", "put"] {
        let world = World::on_disk();
        let layer = world.blob("a", "layer").await;
        let manifest = world.put("a", "image", image_of("config", &[layer])).await;
        let bytes = world
            .store
            .manifest(&name("a"), &manifest)
            .await
            .unwrap()
            .bytes()
            .clone();
        world.age();
        let gone = world.gone_meanwhile(deleting_untagged(), |event| {
            if !matches!(event, Event::Marked { .. }) {
                return;
            }
            aside(async {
                match way {
                    "commit" => {
                        world.blob("b", "layer").await;
                    }
                    "mount" => world.store.mount_blob(None, &repo, &layer).await.unwrap(),
                    _ => {
                        let new = NewManifest {
                            digest: manifest,
                            bytes: bytes.clone(),
                            subject: None,
                            tags: vec![],
                        };
                        world.store.put_manifest(&repo, new).await.unwrap();
                    }
                }
            });
        });
        let gone = gone.await;
        let saved = if way == "put" {
            "content image"
        } else {
            "content layer"
        };
        assert!(!gone.contains(saved), "{way}: {gone:?}");
        assert!(gone.contains("content config"), "{way}: {gone:?}");
        let kept = match way {
            "put" => world.store.manifest(&repo, &manifest).await.is_ok(),
            _ => world.store.blob(&repo, &layer).await.is_ok(),
        };
        assert!(kept, "{way}");
    }
}

/// Somebody who knows no claims, such as docker-registry, links content that has
/// rested in a repository that has been visited: the second look finds it.
#[tokio::test]
async fn a_link_without_a_claim_is_found_by_the_second_look() {
    let world = World::on_disk();
    let layer = world.blob("z", "layer").await;
    world.put("a", "index", index_of(&[]).tagged("t")).await;
    let link = |repo: &str| {
        world.root().join(format!(
            "repositories/{repo}/_layers/sha256/{}/link",
            layer.hex()
        ))
    };
    world.age();
    let gone = world.gone_meanwhile(options(), |event| {
        if matches!(event, Event::LayerGoes(..)) {
            let link = link("a");
            fs_err::create_dir_all(link.parent().unwrap()).unwrap();
            fs_err::write(&link, layer.to_string()).unwrap();
        }
    });
    assert_eq!(Vec::from_iter(gone.await), ["z has blob layer"]);
    assert!(world.store.blob(&name("a"), &layer).await.is_ok());
}

#[tokio::test]
async fn a_manifest_without_a_claim_is_found_by_the_second_look() {
    let world = World::on_disk();
    let layer = world.blob("z", "layer").await;
    world.put("a", "index", index_of(&[]).tagged("t")).await;
    world.age();
    let gone = world.gone_meanwhile(options(), |event| {
        if matches!(event, Event::LayerGoes(..)) {
            let image = image_of("config", &[layer]);
            aside(world.put("a", "image", image));
        }
    });
    assert_eq!(Vec::from_iter(gone.await), ["z has blob layer"]);
}

/// A run that is dropped at any of its steps has harmed nobody, and another one
/// takes up what it has left.
#[tokio::test]
async fn a_run_may_end_anywhere() {
    for polls in (0..60).step_by(3) {
        let world = World::on_disk();
        let layer = world.blob("b", "layer").await;
        let tagged = image_of("config", &[layer]).tagged("t");
        world.put("b", "tagged", tagged).await;
        family(&world).await;
        world.age();
        let options = deleting_untagged();
        {
            let run = collect(&*world.store, &options, &|_| {});
            let mut run = std::pin::pin!(run);
            for _ in 0..polls {
                let step = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(run.as_mut().poll(context).is_ready())
                });
                if step.await {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let all = world.all().await;
        let kept = [
            "b has blob config",
            "b has blob layer",
            "b has manifest tagged",
            "b has tag t",
            "content config",
            "content layer",
            "content tagged",
        ];
        assert!(
            kept.iter().all(|kept| all.contains(*kept)),
            "{polls}: {all:?}"
        );
        collect(&*world.store, &options, &|_| {}).await.unwrap();
        assert_eq!(Vec::from_iter(world.all().await), kept, "{polls}");
    }
}
