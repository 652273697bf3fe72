//! What stays because something leads to it.

use super::*;

/// A multi-arch image with a nested index, an attestation of one of its images
/// and a signature of that; and an image with a layer in common.
async fn family(world: &World, tag: Option<&str>) {
    let base = world.blob("a", "base").await;
    let top = world.blob("a", "top").await;
    let amd = world
        .put("a", "amd", image_of("amd config", &[base, top]))
        .await;
    let arm = world.put("a", "arm", image_of("arm config", &[base])).await;
    let nested = world.put("a", "nested", index_of(&[amd])).await;
    let index = index_of(&[nested, arm]).tagged(tag);
    world.put("a", "index", index).await;
    let sbom = image_of("sbom config", &[]).about(amd);
    let sbom = world.put("a", "sbom", sbom).await;
    let signature = image_of("signature config", &[]).about(sbom);
    world.put("a", "signature", signature).await;
    let other = image_of("other config", &[base]);
    world.put("a", "other", other).await;
}

#[tokio::test]
async fn without_delete_untagged_every_manifest_stays() {
    for world in World::each() {
        family(&world, None).await;
        world.blob("a", "stale").await;
        assert_eq!(
            world.gone_later(&options()).await,
            ["a has blob stale", "content stale"]
        );
    }
}

#[tokio::test]
async fn a_tag_keeps_all_that_its_manifest_leads_to() {
    for world in World::each() {
        family(&world, Some("v1")).await;
        assert_eq!(
            world.gone_later(&deleting_untagged()).await,
            [
                "a has blob other config",
                "a has manifest other",
                "content other",
                "content other config",
            ]
        );
        assert_eq!(world.gone_later(&deleting_untagged()).await, [""; 0]);
    }
}

#[tokio::test]
async fn without_a_tag_everything_goes() {
    for world in World::each() {
        family(&world, None).await;
        world.gone_later(&deleting_untagged()).await;
        assert_eq!(world.all().await, BTreeSet::new());
    }
}

#[tokio::test]
async fn what_is_known_by_sha512_is_followed() {
    for world in World::each() {
        let layer = world.blob_by(Algorithm::Sha512, "a", "layer").await;
        let image = image_of("config", &[layer]).by_sha512();
        let image = world.put("a", "image", image).await;
        let children = &[image];
        world
            .put("a", "index", index_of(children).by_sha512().tagged("t"))
            .await;
        let about = image_of("about config", &[]).about(image).by_sha512();
        world.put("a", "about", about).await;
        assert_eq!(world.gone_later(&deleting_untagged()).await, [""; 0]);
        let tag = "t".parse().unwrap();
        world.store.delete_tag(&name("a"), &tag).await.unwrap();
        world.gone_later(&deleting_untagged()).await;
        assert_eq!(world.all().await, BTreeSet::new());
    }
}

#[tokio::test]
async fn both_links_of_a_layer_stay_or_go() {
    for world in World::each() {
        let kept = world.blob_by(Algorithm::Sha512, "a", "kept").await;
        world.blob_by(Algorithm::Sha512, "a", "stale").await;
        let image = image_of("config", &[kept]).tagged("t");
        world.put("a", "image", image).await;
        assert_eq!(
            world.gone_later(&options()).await,
            [
                "a has blob stale",
                "a has blob stale by sha512",
                "content stale"
            ]
        );
    }
}

/// A layer that may be elsewhere can be pushed, and one of BuildKit's cache is
/// listed as if it were a manifest.
#[tokio::test]
async fn unusual_layers_are_layers() {
    for world in World::each() {
        let cached = world.blob("a", "cached").await;
        let foreign = world.blob("a", "foreign").await;
        world
            .put("a", "cache", index_of(&[cached]).tagged("cache"))
            .await;
        let config = world.blob("a", "config").await;
        let document = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "x", "digest": config, "size": 6},
            "layers": [{
                "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "digest": foreign, "size": 7, "urls": ["https://example.com/layer"],
            }],
        });
        put_document(&world, "a", &document).await;
        assert_eq!(world.gone_later(&options()).await, [""; 0]);
    }
}

#[tokio::test]
async fn layers_of_schema_1_are_layers() {
    for world in World::each() {
        let layer = world.blob("a", "layer").await;
        let document = json!({
            "schemaVersion": 1, "name": "a", "tag": "t", "architecture": "amd64",
            "fsLayers": [{"blobSum": layer}], "history": [{"v1Compatibility": "{}"}],
        });
        put_document(&world, "a", &document).await;
        assert_eq!(world.gone_later(&deleting_untagged()).await, [""; 0]);
    }
}

/// Whatever another registry left out: the manifest counts, not the link.
#[tokio::test]
async fn content_that_a_manifest_refers_to_needs_no_link() {
    for world in World::each() {
        let layer = world.blob("a", "layer").await;
        let image = image_of("config", &[layer]).tagged("t");
        world.put("a", "image", image).await;
        world.store.delete_blob(&name("a"), &layer).await.unwrap();
        assert_eq!(world.gone_later(&options()).await, [""; 0]);
    }
}

#[tokio::test]
async fn what_another_repository_has_is_not_touched() {
    for world in World::each() {
        for repo in ["a", "b/c"] {
            let layer = world.blob(repo, "layer").await;
            let tag = (repo == "b/c").then_some("t");
            let image = image_of("config", &[layer]).tagged(tag);
            world.put(repo, "image", image).await;
        }
        assert_eq!(
            world.gone_later(&deleting_untagged()).await,
            [
                "a has blob config",
                "a has blob layer",
                "a has manifest image"
            ]
        );
    }
}

/// An index may list its own subject.
#[tokio::test]
async fn a_circle_stays_or_goes_as_a_whole() {
    for world in World::each() {
        let image = world.put("a", "image", image_of("config", &[])).await;
        let circle = index_of(&[image]).about(image);
        world.put("a", "index", circle).await;
        let about = image_of("config", &[]).about(image).tagged("t");
        let about = world.put("a", "about", about).await;
        let gone = world.gone_later(&deleting_untagged()).await;
        assert_eq!(
            gone,
            [
                "a has manifest image",
                "a has manifest index",
                "a has referrer index",
                "content image",
                "content index",
            ]
        );
        assert!(world.store.manifest(&name("a"), &about).await.is_ok());
    }
}

async fn put_document(world: &World, repo: &str, document: &Value) {
    let bytes = serde_json::to_vec(document).unwrap();
    let new = NewManifest {
        digest: Algorithm::Sha256.digest(&bytes),
        bytes: bytes.into(),
        subject: None,
        tags: vec!["document".parse().unwrap()],
    };
    world.store.put_manifest(&name(repo), new).await.unwrap();
}
