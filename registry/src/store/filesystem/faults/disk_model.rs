//! A disk as POSIX promises it to be: what was not synced may be lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::super::disk::script::Step;

/// What is in memory, and what of it has reached the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    inodes: Vec<Inode>,
    /// Names as programs see them.
    names: BTreeMap<PathBuf, usize>,
    /// Names as they are after a loss of power.
    durable: BTreeMap<PathBuf, usize>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    is_file: bool,
    content: Vec<u8>,
    /// The content as it was synced last.
    durable: Vec<u8>,
}

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy)]
pub(super) enum Crash<'a> {
    /// The process is killed: all that it did is there.
    Kill,
    /// Nothing that was not synced is there.
    PowerNothing,
    /// All names have reached the disk, and contents only if synced.
    PowerNames,
    /// Each name that was not synced has reached the disk or has not, as the
    /// function says, which is given the number of the name.
    PowerSome(&'a dyn Fn(usize) -> bool),
}

impl Model {
    /// A disk on which `root` is.
    pub(super) fn new(root: &Path) -> Self {
        let mut model = Self::default();
        let inode = model.add(false);
        model.names.insert(root.into(), inode);
        model.durable.insert(root.into(), inode);
        model
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::CreateDir(path) => self.create(path, false),
            Step::CreateFile(path) => self.create(path, true),
            Step::Write { path, offset, data } => {
                let content = &mut self.at(path).content;
                let end = *offset as usize + data.len();
                content.resize(content.len().max(end), 0);
                content[*offset as usize..end].copy_from_slice(data);
            }
            Step::Truncate { path, length } => self.at(path).content.truncate(*length as usize),
            Step::Sync(path) => {
                let inode = self.at(path);
                inode.durable = inode.content.clone();
            }
            Step::SyncDirectory(path) => {
                let is_in = |name: &Path| name.parent() == Some(path);
                self.durable.retain(|name, _| !is_in(name));
                let names = self.names.iter().filter(|(name, _)| is_in(name));
                self.durable
                    .extend(names.map(|(name, inode)| (name.clone(), *inode)));
            }
            Step::Rename(from, to) => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                }
            }
            Step::RemoveFile(path) => {
                self.names.remove(path);
            }
            Step::RemoveDir(path) => {
                let is_empty = !self.names.keys().any(|name| name.parent() == Some(path));
                if is_empty {
                    self.names.remove(path);
                }
            }
            Step::RemoveTree(path) => self.names.retain(|name, _| !name.starts_with(path)),
            Step::Touch(_) => {}
        }
    }

    /// Writes what is left after a crash below `target`, where `root` is.
    pub(super) fn write(&self, crash: Crash<'_>, root: &Path, target: &Path) {
        let names = match crash {
            Crash::Kill | Crash::PowerNames => self.names.clone(),
            Crash::PowerNothing => self.durable.clone(),
            Crash::PowerSome(survives) => {
                let mut names = self.durable.clone();
                let mut changed: Vec<&PathBuf> = self
                    .names
                    .keys()
                    .chain(self.durable.keys())
                    .filter(|name| self.names.get(*name) != self.durable.get(*name))
                    .collect();
                changed.sort();
                changed.dedup();
                for (number, name) in changed.into_iter().enumerate() {
                    match self.names.get(name) {
                        _ if !survives(number) => {}
                        Some(inode) => drop(names.insert(name.clone(), *inode)),
                        None => drop(names.remove(name)),
                    }
                }
                names
            }
        };
        // In the order of paths: a parent comes before what is in it. What is
        // in a directory without a name is lost.
        for (name, inode) in names {
            let path = target.join(name.strip_prefix(root).unwrap());
            let inode = &self.inodes[inode];
            if !path.parent().is_some_and(Path::is_dir) {
                continue;
            }
            if !inode.is_file {
                if !path.is_dir() {
                    fs::create_dir(path).unwrap();
                }
                continue;
            }
            let content = match crash {
                Crash::Kill => &inode.content,
                _ => &inode.durable,
            };
            fs::write(path, content).unwrap();
        }
    }

    fn create(&mut self, path: &Path, is_file: bool) {
        if !self.names.contains_key(path) {
            let inode = self.add(is_file);
            self.names.insert(path.into(), inode);
        }
    }

    fn add(&mut self, is_file: bool) -> usize {
        self.inodes.push(Inode {
            is_file,
            ..Inode::default()
        });
        self.inodes.len() - 1
    }

    fn at(&mut self, path: &Path) -> &mut Inode {
        let inode = self.names[path];
        &mut self.inodes[inode]
    }
}
