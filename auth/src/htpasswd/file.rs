//! From and to the disk.

use std::path::Path;

use fs_err as fs;

use super::document::Document;
use super::error::HtpasswdError;
use crate::staged;

/// Reads a file.
///
/// # Errors
/// If it cannot be read or is not text.
pub fn read(path: &Path) -> Result<Document, HtpasswdError> {
    let bytes = fs::read(path).map_err(|error| HtpasswdError::Read {
        path: path.to_owned(),
        error,
    })?;
    Document::parse(&bytes).map_err(|error| HtpasswdError::Encoding {
        path: path.to_owned(),
        error,
    })
}

/// Writes a file so that whoever reads it, a server that reloads included, sees
/// the old content or the new and nothing between, even after a power cut.
///
/// A symbolic link stays; the file it leads to is replaced. Mode, owner and
/// group stay as they were. A new file gets mode 0600: hashes can be searched
/// by whoever reads them, so widening that is for the operator to decide.
/// Of two writers at a time the later wins.
///
/// # Errors
/// If the directory cannot be written, the owner cannot be kept, or the disk
/// fails. The old file is then as it was.
pub fn write(path: &Path, document: &Document) -> Result<(), HtpasswdError> {
    let target = staged::follow_links(path).map_err(|error| HtpasswdError::Write {
        path: path.to_owned(),
        error,
    })?;
    let text = document.to_text();
    let replaced = staged::replace(&target, ".htpasswd-", text.as_bytes());
    replaced.map_err(|error| HtpasswdError::Write {
        path: target,
        error,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tidegate_failure::Explain as _;

    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("htpasswd");
        write(&path, &document("alice:x\n")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "alice:x\n");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read(&path).unwrap(), document("alice:x\n"));
    }

    #[test]
    fn an_old_file_keeps_its_mode_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("htpasswd");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        write(&path, &document("alice:x\n")).unwrap();
        assert_eq!(mode(&path), 0o640);
        let names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["htpasswd"]);
    }

    #[test]
    fn links_stay_links() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("data")).unwrap();
        symlink("data/users", at("middle")).unwrap();
        symlink(at("middle"), at("link")).unwrap();
        // The first time the target is not there yet.
        for text in ["alice:x\n", "bob:y\n"] {
            write(&at("link"), &document(text)).unwrap();
            assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(at("data/users")).unwrap(), text);
        }
        symlink("loop", at("loop")).unwrap();
        let error = write(&at("loop"), &document("")).unwrap_err();
        assert!(
            error.to_string().ends_with("too many symbolic links"),
            "{error}"
        );
    }

    #[test]
    fn errors_name_the_file_and_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("htpasswd");
        let error = read(&path).unwrap_err();
        let shown = path.display();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot read the htpasswd file: failed to open file `{shown}`: \
                 No such file or directory (os error 2)"
            )
        );
        assert_eq!(
            error.hint().unwrap(),
            format!("make it: tidegate htpasswd -B -c {shown} USER")
        );
        fs::write(&path, b"a:b\nj\xfcrgen:x\n").unwrap();
        assert_eq!(
            read(&path).unwrap_err().to_string(),
            format!("htpasswd file `{shown}`, line 2: expected UTF-8, found the byte 0xfc")
        );
        let nowhere = directory.path().join("no/such/htpasswd");
        assert!(matches!(
            write(&nowhere, &document("")),
            Err(HtpasswdError::Write { .. })
        ));
    }
}
