//! What cannot be read limits what goes, and ends nothing.

use super::*;

/// In `a`: a tagged image, an image without a tag and a stale layer. In `b`: a
/// stale layer of its own. All of it rests.
struct Damageable {
    world: World,
    tagged: Digest,
    untagged: Digest,
    layer: Digest,
    long: Digest,
}

impl Damageable {
    async fn new() -> Self {
        let world = World::on_disk();
        let layer = world.blob("a", "layer").await;
        let long = world.blob_by(Algorithm::Sha512, "a", "long").await;
        let image = image_of("config", &[layer, long]).tagged("t");
        let tagged = world.put("a", "tagged", image).await;
        let untagged = world
            .put("a", "untagged", image_of("old config", &[]))
            .await;
        world.blob("a", "stale").await;
        world.blob("b", "other").await;
        Self {
            world,
            tagged,
            untagged,
            layer,
            long,
        }
    }

    fn link(&self, below: &str, digest: &Digest) -> PathBuf {
        let algorithm = digest.algorithm().as_str();
        self.world.root().join(format!(
            "repositories/a/{below}/{algorithm}/{}/link",
            digest.hex()
        ))
    }

    fn data(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.world
            .root()
            .join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    async fn collected(&self) -> (Vec<String>, Report) {
        self.world.age();
        let run = async {
            collect(&*self.world.store, &deleting_untagged(), &|_| {})
                .await
                .unwrap()
        };
        self.world.gone(run).await
    }
}

const OTHERS: [&str; 2] = ["b has blob other", "content other"];
const STALE: [&str; 2] = ["a has blob stale", "content stale"];
/// What goes of an image whose layers stay.
const MANIFEST: [&str; 2] = ["a has manifest untagged", "content untagged"];
const UNTAGGED: [&str; 4] = [
    "a has blob old config",
    "a has manifest untagged",
    "content old config",
    "content untagged",
];

#[tokio::test]
async fn without_damage_all_that_nobody_uses_goes() {
    let (gone, report) = Damageable::new().await.collected().await;
    let mut expected = [&OTHERS[..], &STALE, &UNTAGGED].concat();
    expected.sort_unstable();
    assert_eq!(gone, expected);
    assert_eq!(report.damaged, []);
}

#[tokio::test]
async fn what_is_damaged_is_reported_and_protects_its_repository() {
    type File = fn(&Damageable) -> PathBuf;
    type Row = (
        &'static str,
        File,
        Option<&'static [u8]>,
        &'static [&'static str],
    );
    // What is done to which file, and what of `a` goes all the same.
    let table: [Row; 10] = [
        (
            "an empty tag",
            |d| {
                d.world
                    .root()
                    .join("repositories/a/_manifests/tags/t/current/link")
            },
            Some(b""),
            &STALE,
        ),
        (
            "a torn tag",
            |d| {
                d.world
                    .root()
                    .join("repositories/a/_manifests/tags/t/current/link")
            },
            Some(b"sha256:12"),
            &STALE,
        ),
        (
            "an empty revision",
            |d| d.link("_manifests/revisions", &d.tagged),
            Some(b""),
            &[],
        ),
        (
            "an empty layer link",
            |d| d.link("_layers", &d.layer),
            Some(b""),
            &MANIFEST,
        ),
        (
            "an empty layer link by sha512",
            |d| d.link("_layers", &d.long),
            Some(b""),
            &MANIFEST,
        ),
        ("an empty manifest", |d| d.data(&d.tagged), Some(b""), &[]),
        (
            "a manifest of another digest",
            |d| d.data(&d.tagged),
            Some(b"{\"schemaVersion\":2}"),
            &[],
        ),
        ("no manifest", |d| d.data(&d.tagged), None, &[]),
        (
            "an empty manifest without a tag",
            |d| d.data(&d.untagged),
            Some(b""),
            &[],
        ),
        (
            "a name that makes no sense",
            |d| {
                d.world
                    .root()
                    .join("repositories/a/_layers/sha256/abc/link")
            },
            Some(b""),
            &[
                STALE[0],
                STALE[1],
                UNTAGGED[0],
                UNTAGGED[1],
                UNTAGGED[2],
                UNTAGGED[3],
            ],
        ),
    ];
    for (what, file, content, expected) in table {
        let damageable = Damageable::new().await;
        let file = file(&damageable);
        match content {
            Some(content) => {
                fs_err::create_dir_all(file.parent().unwrap()).unwrap();
                fs_err::write(&file, content).unwrap();
            }
            None => fs_err::remove_file(&file).unwrap(),
        }
        // Nothing of it is in the memory of a store that was opened anew.
        let world = World {
            store: Arc::new(Filesystem::new(
                damageable.world.directory.as_ref().unwrap().path(),
            )),
            ..damageable.world
        };
        let damageable = Damageable {
            world,
            ..damageable
        };
        let (gone, report) = damageable.collected().await;
        let mut all = [&OTHERS[..], expected].concat();
        all.sort_unstable();
        assert_eq!(gone, all, "{what}");
        assert_eq!(report.damaged.len(), 1, "{what}: {:?}", report.damaged);
        assert_eq!(report.damaged[0].repo, name("a"), "{what}");
    }
}

/// A manifest that was deleted while it was to be read is no damage.
#[tokio::test]
async fn what_was_deleted_meanwhile_is_not_damaged() {
    let damageable = Damageable::new().await;
    let world = &damageable.world;
    world.age();
    let link = damageable.link("_manifests/revisions", &damageable.untagged);
    let observer = |event: &Event<'_>| {
        if matches!(event, Event::Tag { .. }) {
            fs_err::remove_file(&link).unwrap();
        }
    };
    let report = collect(&*world.store, &looking_at_tags(), &observer)
        .await
        .unwrap();
    assert_eq!(report.damaged, []);
}

/// A link is empty for a moment while docker-registry writes it.
#[tokio::test]
async fn what_was_damaged_meanwhile_protects_its_repository() {
    let damageable = Damageable::new().await;
    let world = &damageable.world;
    world.age();
    let link = damageable.link("_manifests/revisions", &damageable.untagged);
    let gone = world
        .gone_meanwhile(looking_at_tags(), |event| {
            if matches!(event, Event::Tag { .. }) {
                fs_err::write(&link, b"").unwrap();
            }
        })
        .await;
    // It is not listed as long as its link is broken; what it needs stays.
    let expected = [&MANIFEST[..1], &OTHERS].concat();
    assert_eq!(gone.iter().collect::<Vec<_>>(), expected);
}

/// Between the inventory and the manifests, rules look at tags.
fn looking_at_tags() -> Options {
    let mut options = deleting_untagged();
    options.retention = vec![tidegate_config::RetentionRule {
        repositories: "**".parse().unwrap(),
        keep_newest: Some(5),
        keep_pulled_within: None,
        keep_pushed_within: None,
        keep_tags: None,
    }];
    options
}
