//! The manifests of a repository and what they lead to.
//!
//! A repository may have a hundred thousand manifests with a dozen layers each,
//! most of them in common. So every digest is kept once, and the rest are
//! numbers.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::oci::{Digest, References};
use crate::store::ManifestEntry;

/// The place of a manifest among those of its repository.
pub(super) type Node = usize;

/// The manifests of a repository.
#[derive(Default)]
pub(super) struct Graph {
    digests: IndexSet<Digest>,
    manifests: Vec<Manifest>,
    /// By all their digests.
    named: HashMap<u32, Node>,
    /// By the subject that they name.
    referrers: HashMap<u32, Vec<Node>>,
}

struct Manifest {
    /// The digest under which its content is kept, then the others.
    names: Vec<u32>,
    blobs: Vec<u32>,
    /// Listed by an index: manifests, or blobs.
    children: Vec<u32>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Undecided,
    Stays,
    Gone,
}

impl Graph {
    /// Adds a manifest of the inventory.
    pub(super) fn add(&mut self, entry: &ManifestEntry, references: &References) {
        let node = self.manifests.len();
        let names = self.numbers([&entry.digest].into_iter().chain(&entry.aliases));
        for name in &names {
            self.named.insert(*name, node);
        }
        for subject in self.numbers(&references.subject) {
            self.referrers.entry(subject).or_default().push(node);
        }
        let blobs = self.numbers(&references.blobs);
        let children = self.numbers(&references.children);
        self.manifests.push(Manifest {
            names,
            blobs,
            children,
            state: State::Undecided,
        });
    }

    /// The manifest that has a digest, by any algorithm.
    pub(super) fn find(&self, digest: &Digest) -> Option<Node> {
        let number = number(self.digests.get_index_of(digest)?);
        self.named.get(&number).copied()
    }

    /// The digest under which the content of a manifest is kept.
    pub(super) fn digest(&self, node: Node) -> &Digest {
        let names = &self.manifests[node].names;
        self.named_by(names[0])
    }

    /// Has a manifest stay, with all that it leads to: what it lists, what says
    /// something about it, and so on.
    pub(super) fn keep(&mut self, node: Node) {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            if self.manifests[node].state == State::Undecided {
                self.manifests[node].state = State::Stays;
                open.extend(self.next(node));
            }
        }
    }

    /// Has all manifests stay.
    pub(super) fn keep_all(&mut self) {
        for node in 0..self.manifests.len() {
            self.keep(node);
        }
    }

    /// Notes that a manifest is not there any more.
    pub(super) fn gone(&mut self, node: Node) {
        self.manifests[node].state = State::Gone;
    }

    pub(super) fn is_undecided(&self, node: Node) -> bool {
        self.manifests[node].state == State::Undecided
    }

    /// The manifests that stay.
    pub(super) fn staying(&self) -> impl Iterator<Item = Node> {
        let stays = |node: &Node| self.manifests[*node].state == State::Stays;
        (0..self.manifests.len()).filter(stays)
    }

    /// What a manifest refers to that is no manifest of the repository, each
    /// once.
    pub(super) fn blobs(&self, node: Node) -> impl Iterator<Item = &Digest> {
        let manifest = &self.manifests[node];
        let children = manifest.children.iter();
        let listed = children.filter(|child| !self.named.contains_key(*child));
        let all = manifest.blobs.iter().chain(listed);
        let mut all: Vec<u32> = all.copied().collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|number| self.named_by(number))
    }

    /// The manifests of which nothing has been decided, each before what it
    /// leads to.
    ///
    /// An index may list its own subject, and then there is no such order. What
    /// it lists counts more: without that it is broken.
    pub(super) fn undecided(&self) -> Vec<Node> {
        let all = 0..self.manifests.len();
        let mut placed: Vec<bool> = all.clone().map(|node| !self.is_undecided(node)).collect();
        let open: Vec<Node> = all.filter(|node| !placed[*node]).collect();
        // By how many that are not placed yet a manifest is led to, and listed.
        let mut led_to = vec![0_usize; placed.len()];
        let mut listed = vec![0_usize; placed.len()];
        for node in &open {
            self.listed(*node).for_each(|next| listed[next] += 1);
            self.next(*node).for_each(|next| led_to[next] += 1);
        }
        let mut order = Vec::with_capacity(open.len());
        let (mut free, mut unlisted) = (open.clone(), open);
        free.retain(|node| led_to[*node] == 0);
        unlisted.retain(|node| listed[*node] == 0);
        // Without one that is free there is a circle, which is cut where nothing
        // lists the manifest: digests cannot list each other in a circle.
        while let Some(node) = free.pop().or_else(|| unlisted.pop()) {
            if std::mem::replace(&mut placed[node], true) {
                continue;
            }
            order.push(node);
            for next in self.listed(node) {
                listed[next] -= 1;
                if listed[next] == 0 {
                    unlisted.push(next);
                }
            }
            for next in self.next(node) {
                led_to[next] -= 1;
                if led_to[next] == 0 {
                    free.push(next);
                }
            }
        }
        order
    }

    /// What a manifest leads to.
    fn next(&self, node: Node) -> impl Iterator<Item = Node> {
        self.listed(node).chain(self.about(node))
    }

    /// The manifests that a manifest lists.
    fn listed(&self, node: Node) -> impl Iterator<Item = Node> {
        let children = self.manifests[node].children.iter();
        children.filter_map(|child| self.named.get(child).copied())
    }

    /// The manifests that say something about a manifest, by any of its names.
    fn about(&self, node: Node) -> impl Iterator<Item = Node> {
        let names = self.manifests[node].names.iter();
        let about = names.filter_map(|name| self.referrers.get(name));
        about.flatten().copied()
    }

    fn numbers<'a>(&mut self, digests: impl IntoIterator<Item = &'a Digest>) -> Vec<u32> {
        let digests = digests.into_iter();
        digests
            .map(|digest| number(self.digests.insert_full(*digest).0))
            .collect()
    }

    fn named_by(&self, number: u32) -> &Digest {
        &self.digests[number as usize]
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("four thousand million digests do not fit into memory")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    fn digest(of: &str) -> Digest {
        Algorithm::Sha256.digest(of.as_bytes())
    }

    fn long(of: &str) -> Digest {
        Algorithm::Sha512.digest(of.as_bytes())
    }

    fn digests(of: &[&str]) -> Vec<Digest> {
        of.iter().map(|of| digest(of)).collect()
    }

    /// A manifest with a SHA-512 name, which refers to others by their SHA-256.
    fn add(
        graph: &mut Graph,
        name: &str,
        children: &[&str],
        subject: Option<&str>,
        blobs: &[&str],
    ) {
        let entry = ManifestEntry {
            digest: digest(name),
            aliases: vec![long(name)],
            used: SystemTime::UNIX_EPOCH,
        };
        let references = References {
            blobs: digests(blobs),
            children: digests(children),
            subject: subject.map(digest),
        };
        graph.add(&entry, &references);
    }

    fn staying(graph: &Graph, names: &[&str]) -> Vec<String> {
        let names = names.iter().filter(|name| {
            let node = graph.find(&digest(name)).unwrap();
            graph.staying().any(|staying| staying == node)
        });
        names.map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_manifest_leads_to_stays_with_it() {
        let all = [
            "index",
            "nested",
            "amd",
            "arm",
            "sbom",
            "signature",
            "other",
        ];
        let build = || {
            let mut graph = Graph::default();
            add(&mut graph, "index", &["nested", "arm"], None, &[]);
            add(&mut graph, "nested", &["amd"], None, &[]);
            add(&mut graph, "amd", &[], None, &["config", "layer"]);
            add(&mut graph, "arm", &[], None, &["config"]);
            add(&mut graph, "sbom", &[], Some("amd"), &[]);
            add(&mut graph, "signature", &[], Some("sbom"), &[]);
            add(&mut graph, "other", &[], Some("absent"), &[]);
            graph
        };
        for (kept, expected) in [
            (
                "index",
                &["index", "nested", "amd", "arm", "sbom", "signature"][..],
            ),
            ("nested", &["nested", "amd", "sbom", "signature"]),
            ("arm", &["arm"]),
            ("signature", &["signature"]),
            ("other", &["other"]),
        ] {
            for name in [digest(kept), long(kept)] {
                let mut graph = build();
                graph.keep(graph.find(&name).unwrap());
                assert_eq!(staying(&graph, &all), expected, "{kept}");
            }
        }
    }

    #[test]
    fn subjects_and_children_are_known_by_every_digest() {
        let mut graph = Graph::default();
        add(&mut graph, "image", &[], None, &[]);
        let by_long = References {
            children: vec![long("image")],
            subject: Some(long("image")),
            ..References::default()
        };
        let entry = |name| ManifestEntry {
            digest: digest(name),
            aliases: vec![],
            used: SystemTime::UNIX_EPOCH,
        };
        graph.add(&entry("index"), &by_long);
        graph.keep(graph.find(&digest("image")).unwrap());
        assert_eq!(staying(&graph, &["image", "index"]), ["image", "index"]);
    }

    #[test]
    fn an_index_may_list_blobs() {
        let mut graph = Graph::default();
        add(
            &mut graph,
            "cache",
            &["layer", "image"],
            None,
            &["config", "layer"],
        );
        add(&mut graph, "image", &[], None, &[]);
        let node = graph.find(&digest("cache")).unwrap();
        let mut blobs: Vec<_> = graph.blobs(node).copied().collect();
        blobs.sort_unstable();
        let mut expected = digests(&["config", "layer"]);
        expected.sort_unstable();
        assert_eq!(blobs, expected);
    }

    #[test]
    fn what_is_gone_does_not_come_back() {
        let mut graph = Graph::default();
        add(&mut graph, "image", &[], None, &[]);
        add(&mut graph, "signature", &[], Some("image"), &[]);
        let signature = graph.find(&digest("signature")).unwrap();
        graph.gone(signature);
        graph.keep_all();
        assert_eq!(staying(&graph, &["image", "signature"]), ["image"]);
    }

    /// An index before what it lists, also if that is its subject.
    #[test]
    fn a_circle_begins_with_the_index() {
        let mut graph = Graph::default();
        add(&mut graph, "image", &[], None, &[]);
        add(&mut graph, "index", &["image"], Some("image"), &[]);
        add(&mut graph, "signature", &[], Some("index"), &[]);
        let order = graph.undecided();
        assert_eq!(order.len(), 3);
        let place = |name| {
            order
                .iter()
                .position(|node| *node == graph.find(&digest(name)).unwrap())
        };
        assert!(place("index") < place("image"));
    }

    proptest! {
        /// Manifest `n` may list those with smaller numbers, since it holds
        /// their digests, and may have any subject with a smaller number.
        #[test]
        fn each_comes_before_what_it_lists(
            links in proptest::collection::vec((proptest::collection::vec(0..20_usize, 0..3), proptest::option::of(0..20_usize)), 1..20),
            kept in 0..20_usize,
        ) {
            let mut graph = Graph::default();
            let name = |n: usize| format!("manifest {n}");
            for (n, (children, subject)) in links.iter().enumerate() {
                let children: Vec<_> = children.iter().filter(|child| **child < n).map(|child| name(*child)).collect();
                let children: Vec<&str> = children.iter().map(String::as_str).collect();
                let subject = subject.filter(|subject| *subject < n).map(name);
                add(&mut graph, &name(n), &children, subject.as_deref(), &[]);
            }
            if let Some(kept) = graph.find(&digest(&name(kept))) {
                graph.keep(kept);
            }
            let order = graph.undecided();
            prop_assert_eq!(order.len() + graph.staying().count(), links.len());
            for (at, node) in order.iter().enumerate() {
                prop_assert!(graph.listed(*node).all(|child| !order[..at].contains(&child)));
            }
            // Nothing that stays leads to what does not.
            for node in graph.staying() {
                prop_assert!(graph.next(node).all(|next| !order.contains(&next)));
            }
        }
    }
}
