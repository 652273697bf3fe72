//! The file at the end: appended to, opened again when it was moved away.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;

/// Lines on their way into a file.
pub(super) struct LogFile {
    path: PathBuf,
    open: Option<Open>,
    lines: Vec<u8>,
    /// How much of `lines` is in the file.
    written: usize,
}

struct Open {
    file: fs::File,
    /// Device and inode: by these it is seen that the path leads elsewhere.
    is: (u64, u64),
}

impl LogFile {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let mut file = Self {
            path,
            open: None,
            lines: Vec::new(),
            written: 0,
        };
        file.open = Some(file.open_now()?);
        Ok(file)
    }

    /// Lines that are still to be written.
    pub(super) fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }

    /// Whether any are.
    pub(super) fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Closes the file; the next line opens it anew.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Writes what is still to be written, whole lines into one file each.
    ///
    /// # Errors
    /// If not all could be written; the rest waits for the next call.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let open = match self.open.take() {
            Some(open) if self.is_at_path(&open) => open,
            _ => {
                let torn = &self.lines[..self.written];
                // A line that was begun in the other file is whole in this one.
                self.written = torn
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |at| at + 1);
                self.open_now()?
            }
        };
        let open = self.open.insert(open);
        while self.written < self.lines.len() {
            match open.file.write(&self.lines[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.lines.clear();
        self.written = 0;
        Ok(())
    }

    fn is_at_path(&self, open: &Open) -> bool {
        fs::metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == open.is)
    }

    fn open_now(&self) -> io::Result<Open> {
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        let mut file = options.open(&self.path)?;
        let metadata = file.metadata()?;
        // Half a line that an earlier process has left must not spoil the next.
        if metadata.is_file() && metadata.len() > 0 && self.ends_within_a_line() {
            file.write_all(b"\n")?;
        }
        Ok(Open {
            file,
            is: (metadata.dev(), metadata.ino()),
        })
    }

    fn ends_within_a_line(&self) -> bool {
        let last = || -> io::Result<u8> {
            let mut file = fs::File::open(&self.path)?;
            file.seek(SeekFrom::End(-1))?;
            let mut byte = [0];
            file.read_exact(&mut byte)?;
            Ok(byte[0])
        };
        last().is_ok_and(|byte| byte != b'\n')
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    fn append(file: &mut LogFile, line: &str) {
        file.lines().extend_from_slice(line.as_bytes());
        file.write().unwrap();
    }

    #[test]
    fn it_is_appended_to_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        append(&mut LogFile::open(path.clone()).unwrap(), "one\n");
        append(&mut LogFile::open(path.clone()).unwrap(), "two\n");
        assert_eq!(read(&path), "one\ntwo\n");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(LogFile::open(directory.path().join("no/audit.log")).is_err());
    }

    #[test]
    fn it_is_opened_again_when_it_was_moved_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let old = directory.path().join("audit.log.1");
        let mut file = LogFile::open(path.clone()).unwrap();
        append(&mut file, "one\n");
        fs::rename(&path, &old).unwrap();
        append(&mut file, "two\n");
        // logrotate makes the new file itself.
        let older = directory.path().join("audit.log.2");
        fs::rename(&path, &older).unwrap();
        fs::write(&path, "").unwrap();
        append(&mut file, "three\n");
        fs::remove_file(&path).unwrap();
        append(&mut file, "four\n");
        assert_eq!(read(&old), "one\n");
        assert_eq!(read(&older), "two\n");
        assert_eq!(read(&path), "four\n");
    }

    #[test]
    fn half_a_line_is_ended_before_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        fs::write(&path, "one\ntw").unwrap();
        append(&mut LogFile::open(path.clone()).unwrap(), "three\n");
        assert_eq!(read(&path), "one\ntw\nthree\n");
    }

    #[test]
    fn a_line_begun_in_one_file_is_whole_in_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let mut file = LogFile::open(path.clone()).unwrap();
        file.lines().extend_from_slice(b"one\ntwo\n");
        file.written = "one\nt".len();
        fs::remove_file(&path).unwrap();
        file.write().unwrap();
        assert_eq!(read(&path), "two\n");
        assert!(!file.has_lines());
    }

    #[test]
    fn what_cannot_be_written_waits() {
        let mut file = LogFile::open("/dev/full".into()).unwrap();
        file.lines().extend_from_slice(b"one\n");
        assert!(file.write().is_err());
        assert!(file.has_lines());
        let directory = tempfile::tempdir().unwrap();
        file.path = directory.path().join("audit.log");
        file.write().unwrap();
        assert_eq!(read(&file.path), "one\n");
    }
}
