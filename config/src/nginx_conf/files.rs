//! Where the text of a configuration comes from, and what it includes.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use globset::GlobBuilder;

use super::lexer::Source;
use super::tree::{self, Directive};
use crate::diagnostic::Diagnostic;

/// How often a file may include one that includes one.
const MAX_INCLUDES: usize = 16;
/// How much text is read in all, in bytes.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// Files that can be read, on a disk or not.
pub trait NginxFiles {
    /// The content of a file.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files that a pattern with `*`, `?` or `[…]` means, sorted.
    ///
    /// # Errors
    /// A directory cannot be read that is there.
    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>>;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct DiskFiles;

impl NginxFiles for DiskFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs_err::read(path)
    }

    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![PathBuf::new()];
        for component in pattern.components() {
            let text = component.as_os_str().to_string_lossy();
            if !matches!(component, Component::Normal(_)) || !is_pattern(&text) {
                for path in &mut found {
                    path.push(component);
                }
                continue;
            }
            let glob = GlobBuilder::new(&text)
                .literal_separator(true)
                .build()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?
                .compile_matcher();
            let mut inside = Vec::new();
            for directory in found {
                inside.extend(names_in(&directory)?.into_iter().filter_map(|name| {
                    // As in a shell, a star is not about hidden files.
                    let is_hidden = name.starts_with('.') && !text.starts_with('.');
                    (!is_hidden && glob.is_match(&name)).then(|| directory.join(name))
                }));
            }
            found = inside;
        }
        found.retain(|path| path.exists());
        found.sort();
        Ok(found)
    }
}

fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Reads a file with all that it includes. What is included stands behind its
/// `include`. Relative names are taken from the directory of the main file.
pub(super) struct Reader<'a> {
    files: &'a dyn NginxFiles,
    base: PathBuf,
    next_id: usize,
    text_left: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a dyn NginxFiles, main: &Path) -> Self {
        Self {
            files,
            base: main.parent().unwrap_or(Path::new("")).to_owned(),
            next_id: 0,
            text_left: MAX_TEXT,
        }
    }

    /// The directives of the main file, whose content is at hand.
    ///
    /// # Errors
    /// Something in it, or in what it includes, cannot be read.
    pub(super) fn read(
        &mut self,
        main: &Path,
        text: &str,
    ) -> Result<Vec<Directive>, Box<Diagnostic>> {
        self.directives(Rc::new(Source::new(main, text)), 0)
    }

    fn directives(
        &mut self,
        source: Rc<Source>,
        depth: usize,
    ) -> Result<Vec<Directive>, Box<Diagnostic>> {
        self.text_left = self
            .text_left
            .checked_sub(source.text.len())
            .ok_or_else(|| source.mistake(0..1, "too much text is included"))?;
        let directives = tree::parse(&source, &mut self.next_id)?;
        self.expanded(directives, depth)
    }

    fn expanded(
        &mut self,
        directives: Vec<Directive>,
        depth: usize,
    ) -> Result<Vec<Directive>, Box<Diagnostic>> {
        let mut expanded = Vec::with_capacity(directives.len());
        for mut directive in directives {
            if let Some(block) = directive.block.take() {
                directive.block = Some(self.expanded(block, depth)?);
            }
            let included = if directive.name() == "include" {
                self.included(&directive, depth)?
            } else {
                Vec::new()
            };
            expanded.push(directive);
            expanded.extend(included);
        }
        Ok(expanded)
    }

    fn included(
        &mut self,
        include: &Directive,
        depth: usize,
    ) -> Result<Vec<Directive>, Box<Diagnostic>> {
        let [name] = include.words.as_slice() else {
            return Err(include.mistake("`include` takes one file or pattern"));
        };
        if include.block.is_some() {
            return Err(include.mistake("`include` has no block: it ends with `;`"));
        }
        if depth == MAX_INCLUDES {
            return Err(include.mistake_in(0, "files include one another too deep"));
        }
        let path = self.base.join(&name.text);
        let failed = |path: &Path, problem: &dyn std::fmt::Display| {
            include.mistake_in(0, format!("`{}` cannot be read: {problem}", path.display()))
        };
        let paths = if is_pattern(&name.text) {
            self.files
                .matching(&path)
                .map_err(|error| failed(&path, &error.kind()))?
        } else {
            vec![path]
        };
        let mut included = Vec::new();
        for path in paths {
            let bytes = self
                .files
                .read(&path)
                .map_err(|error| failed(&path, &error.kind()))?;
            let text = String::from_utf8(bytes).map_err(|_| failed(&path, &"it is not UTF-8"))?;
            included.extend(self.directives(Rc::new(Source::new(&path, &text)), depth + 1)?);
        }
        Ok(included)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_files_in_order_without_hidden_ones() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".c.conf", "d.txt"] {
            fs_err::write(directory.path().join(name), "").unwrap();
        }
        let found = DiskFiles
            .matching(&directory.path().join("*.conf"))
            .unwrap();
        assert_eq!(
            found,
            ["a.conf", "b.conf"].map(|name| directory.path().join(name))
        );
        let none = DiskFiles
            .matching(&directory.path().join("none/*.conf"))
            .unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn a_file_that_includes_itself_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("nginx.conf");
        fs_err::write(&main, "include nginx.conf;\n").unwrap();
        let mut reader = Reader::new(&DiskFiles, &main);
        let mistake = reader.read(&main, "include nginx.conf;").unwrap_err();
        assert_eq!(mistake.message(), "files include one another too deep");
    }
}
