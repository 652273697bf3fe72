use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::super::layout::TAG_LINK;
use super::super::opened::Opened;
use super::super::{Filesystem, Shared, manifests};
use super::*;
use crate::oci::{Algorithm, Tag};
use crate::store::{Missing, TagPage};

fn with_repositories(names: &[RepoName]) -> (tempfile::TempDir, Arc<Shared>) {
    let root = tempfile::tempdir().unwrap();
    let shared = Filesystem::new(root.path()).shared;
    for name in names {
        put(&shared, name);
    }
    (root, shared)
}

fn link(shared: &Shared, name: &RepoName) -> PathBuf {
    let digest = Algorithm::Sha256.digest(b"m");
    shared.layout.revision_link(name, &digest)
}

fn put(shared: &Shared, name: &RepoName) {
    let link = link(shared, name);
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    fs::write(link, b"").unwrap();
}

fn put_tag(shared: &Shared, repo: &RepoName, tag: &Tag) {
    let link = shared.layout.tag_current_link(repo, tag);
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    fs::write(link, b"").unwrap();
}

/// Makes every directory look as if nobody had changed it for long, so that
/// it is remembered.
pub(in super::super) fn settle(directory: &Path) {
    for name in directory_names(directory).unwrap() {
        settle(&directory.join(name));
    }
    let old = SystemTime::now() - Duration::from_secs(60);
    fs::File::open(directory)
        .unwrap()
        .set_modified(old)
        .unwrap();
}

fn names(page: &Page<RepoName>) -> Vec<&str> {
    page.items.iter().map(RepoName::as_str).collect()
}

#[test]
fn ghosts_are_not_listed() {
    let (_root, shared) = with_repositories(&["a".parse().unwrap()]);
    let layout = &shared.layout;
    let deleted = layout.revision_link(&"b".parse().unwrap(), &Algorithm::Sha256.digest(b"m"));
    fs::create_dir_all(deleted.parent().unwrap()).unwrap();
    let layers = layout.layer_link(&"c/d".parse().unwrap(), &Algorithm::Sha256.digest(b"l"));
    fs::create_dir_all(layers.parent().unwrap()).unwrap();
    fs::create_dir_all(layout.repositories().join("UPPER")).unwrap();
    fs::write(layout.repositories().join("file"), b"").unwrap();
    let page = repositories(&shared, None, 10).unwrap();
    assert_eq!((names(&page), page.more), (vec!["a"], false));
}

#[test]
fn an_empty_root_has_no_repositories() {
    let (_root, shared) = with_repositories(&[]);
    let page = repositories(&shared, None, 10).unwrap();
    assert_eq!(
        page,
        Page {
            items: vec![],
            more: false
        }
    );
}

#[test]
fn repositories_on_a_disk_that_is_mounted_later_are_seen() {
    let (root, shared) = with_repositories(&["a".parse().unwrap()]);
    let disk = root.path().join("disk");
    symlink(&disk, shared.layout.repositories().join("b")).unwrap();
    settle(root.path());
    // The second time, the directory of repositories is not read.
    for _ in 0..2 {
        let page = repositories(&shared, None, 10).unwrap();
        assert_eq!(names(&page), ["a"]);
    }
    fs::create_dir(&disk).unwrap();
    put(&shared, &"b/c".parse().unwrap());
    let page = repositories(&shared, None, 10).unwrap();
    assert_eq!(names(&page), ["a", "b/c"]);
}

#[test]
fn a_repository_without_tags_is_empty_and_one_without_manifests_unknown() {
    let repo: RepoName = "a".parse().unwrap();
    let (_root, shared) = with_repositories(std::slice::from_ref(&repo));
    assert!(tags(&shared, &repo, None, 10).unwrap().items.is_empty());
    let other = "b".parse().unwrap();
    let error = tags(&shared, &other, None, 10).unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Missing::Repository(name)) if name == other));
}

/// All that is listed, a page after the other.
fn pages<T: ToString>(
    limit: usize,
    page: impl Fn(Option<&str>) -> Result<Page<T>, StoreError>,
) -> Vec<T> {
    let mut listed: Vec<T> = Vec::new();
    loop {
        let after = listed.last().map(T::to_string);
        let page = page(after.as_deref()).unwrap();
        assert!(page.items.len() == limit || !page.more);
        listed.extend(page.items);
        if !page.more {
            return listed;
        }
    }
}

fn one_by_one(page: TagPage) -> Page<Tag> {
    let items = page.items.to_vec();
    let more = page.more;
    Page { items, more }
}

/// Pages end anywhere: within a directory, and between a name and what is below.
#[test]
fn pages_of_a_long_list_follow_each_other() {
    let name = |number: usize| match number % 4 {
        0 => format!("user-{number}"),
        1 => format!("user-{}/app", number - 1),
        2 => format!("user-{}-b/c/d", number - 2),
        _ => format!("group-{}/app-{number}", number % 3),
    };
    let mut expected: Vec<RepoName> = (0..1200)
        .map(|number| name(number).parse().unwrap())
        .collect();
    let (_root, shared) = with_repositories(&expected);
    expected.sort_unstable();
    for which in (0..expected.len()).step_by(7).rev() {
        let deleted = expected.remove(which);
        fs::remove_file(link(&shared, &deleted)).unwrap();
    }
    for limit in [1, 250, 2000] {
        let listed = pages(limit, |after| repositories(&shared, after, limit));
        assert_eq!(listed, expected, "{limit}");
    }
}

#[test]
fn pages_of_many_tags_follow_each_other() {
    let repo: RepoName = "a".parse().unwrap();
    let (_root, shared) = with_repositories(&[]);
    let mut expected = Vec::new();
    for number in 0..1000 {
        let tag: Tag = format!("{number:04}").parse().unwrap();
        put_tag(&shared, &repo, &tag);
        if number % 7 == 0 {
            fs::remove_file(shared.layout.tag_current_link(&repo, &tag)).unwrap();
        } else {
            expected.push(tag);
        }
    }
    for limit in [250, 2000] {
        // Looked for, looked for to be kept, and kept.
        for _ in 0..3 {
            let listed = pages(limit, |after| {
                tags(&shared, &repo, after, limit).map(one_by_one)
            });
            assert_eq!(listed, expected, "{limit}");
            settle(&shared.layout.tags(&repo));
        }
    }
}

fn listed(shared: &Shared, repo: &RepoName) -> Vec<String> {
    let page = tags(shared, repo, None, 10).unwrap();
    page.items.iter().map(str::to_owned).collect()
}

#[test]
fn a_link_that_comes_without_a_trace_is_seen() {
    let repo: RepoName = "a".parse().unwrap();
    let (_root, shared) = with_repositories(&[]);
    put_tag(&shared, &repo, &"there".parse().unwrap());
    let late: Tag = "late".parse().unwrap();
    let current = shared.layout.tag(&repo, &late).join("current");
    fs::create_dir_all(&current).unwrap();
    settle(&shared.layout.tags(&repo));
    for _ in 0..2 {
        assert_eq!(listed(&shared, &repo), ["there"]);
    }
    fs::write(current.join("link"), b"").unwrap();
    assert_eq!(listed(&shared, &repo), ["late", "there"]);
}

/// What the module says of a deletion that another process does not finish.
#[test]
fn half_a_deletion_elsewhere_is_seen_with_the_next_change_or_when_it_is_done_again() {
    let repo: RepoName = "a".parse().unwrap();
    let (_root, shared) = with_repositories(&[]);
    let names = ["half", "whole"].map(|name| name.parse::<Tag>().unwrap());
    for again in [false, true] {
        names.iter().for_each(|tag| put_tag(&shared, &repo, tag));
        settle(&shared.layout.tags(&repo));
        assert_eq!(listed(&shared, &repo), ["half", "whole"]);
        fs::remove_file(shared.layout.tag_current_link(&repo, &names[0])).unwrap();
        assert_eq!(listed(&shared, &repo), ["half", "whole"]);
        if again {
            let error = manifests::delete_tag(&shared, &repo, &names[0]).unwrap_err();
            assert!(matches!(error, StoreError::NotFound(_)), "{error}");
        } else {
            fs::create_dir(shared.layout.tags(&repo).join("new")).unwrap();
        }
        assert_eq!(listed(&shared, &repo), ["whole"]);
    }
}

#[test]
fn a_tag_behind_a_symbolic_link_is_looked_for_each_time() {
    let repo: RepoName = "a".parse().unwrap();
    let (root, shared) = with_repositories(&[]);
    put_tag(&shared, &repo, &"here".parse().unwrap());
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("current")).unwrap();
    fs::write(elsewhere.join(TAG_LINK), b"").unwrap();
    symlink(&elsewhere, shared.layout.tags(&repo).join("there")).unwrap();
    settle(&shared.layout.tags(&repo));
    for _ in 0..2 {
        assert_eq!(listed(&shared, &repo), ["here", "there"]);
    }
    fs::remove_dir_all(elsewhere).unwrap();
    assert_eq!(listed(&shared, &repo), ["here"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The walk is a sort of whole names, a filter and a cut.
    #[test]
    fn pages_agree_with_a_sorted_list(
        mut expected in proptest::collection::vec("[ab]([-.]?[ab]){0,2}(/[ab]([-.]?[ab])?){0,2}", 0..12),
        after in "[ab]([-./]?[ab]){0,3}|",
        limit in 0..6_usize,
    ) {
        expected.sort();
        expected.dedup();
        let repos: Vec<RepoName> = expected.iter().map(|name| name.parse().unwrap()).collect();
        let (root, shared) = with_repositories(&repos);
        let after = (!after.is_empty()).then_some(after.as_str());

        expected.retain(|name| after.is_none_or(|after| name.as_str() > after));
        let more = expected.len() > limit;
        expected.truncate(limit);
        // Read fresh, read to be kept, and not read again.
        for _ in 0..3 {
            let page = repositories(&shared, after, limit).unwrap();
            prop_assert_eq!(
                (names(&page), page.more),
                (expected.iter().map(String::as_str).collect(), more)
            );
            settle(root.path());
        }
    }

    /// Whatever another process does between two pages is seen in the next,
    /// but for tags whose deletion it has only begun.
    #[test]
    fn pages_are_never_stale(steps in proptest::collection::vec((0..14_u8, 0..6_usize), 1..32)) {
        let (root, shared) = with_repositories(&[]);
        let repos = ["a", "a-b", "a/b", "a/b/c", "b", "c"].map(|name| name.parse::<RepoName>().unwrap());
        let names = ["1", "2", "3", "latest", "x", "y"].map(|name| name.parse::<Tag>().unwrap());
        let stamp = |shared: &Shared| {
            let directory = Opened::open(&shared.layout.tags(&repos[0])).unwrap();
            directory.and_then(|directory| directory.stamp("").unwrap())
        };
        let mut begun: Vec<&Tag> = Vec::new();
        for (action, which) in steps {
            let tag = shared.layout.tag(&repos[0], &names[which]);
            let before = stamp(&shared);
            match action {
                0 => put(&shared, &repos[which]),
                1 => {
                    put_tag(&shared, &repos[0], &names[which]);
                    begun.retain(|tag| **tag != names[which]);
                }
                // As docker-registry deletes: the link alone, or a tag whole.
                2 => drop(fs::remove_file(link(&shared, &repos[which]))),
                3 => drop(fs::remove_dir_all(tag)),
                // A push and a deletion that were interrupted.
                4 => fs::create_dir_all(tag).unwrap(),
                5 => {
                    drop(fs::remove_file(tag.join(TAG_LINK)));
                    begun.push(&names[which]);
                }
                // What nobody uses any more is tidied up.
                6 => drop(fs::remove_dir_all(shared.layout.manifests(&repos[which]))),
                7 => drop(fs::remove_dir_all(shared.layout.repository(&repos[which]))),
                // A deletion of our own, also of what is gone.
                8 => {
                    let result = manifests::delete_tag(&shared, &repos[0], &names[which]);
                    prop_assert!(matches!(result, Ok(()) | Err(StoreError::NotFound(_))));
                    begun.clear();
                }
                _ => settle(root.path()),
            }
            if stamp(&shared) != before {
                begun.clear();
            }
            let fresh = Filesystem::new(root.path()).shared;
            prop_assert_eq!(repositories(&shared, None, 10).unwrap(), repositories(&fresh, None, 10).unwrap());
            for limit in [2, 10] {
                let all = |shared: &Shared| tags(shared, &repos[0], None, limit).ok().map(|_| {
                    pages(limit, |after| tags(shared, &repos[0], after, limit).map(one_by_one))
                });
                let (mut seen, mut there) = (all(&shared), all(&fresh));
                for listed in [&mut seen, &mut there].into_iter().flatten() {
                    listed.retain(|tag| !begun.contains(&tag));
                }
                prop_assert_eq!(seen, there);
            }
        }
    }
}
