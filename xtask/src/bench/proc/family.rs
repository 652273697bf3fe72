//! The processes of a server, and their files in `/proc` (proc(5)), which may be
//! gone at any time.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::bench::proc::unexpected;
use crate::error::Error;

/// A line of `/proc/PID/stat`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) id: u32,
    parent: u32,
    /// User and system time, its own and that of children waited for.
    pub(crate) cpu_ticks: u64,
}

/// `roots` and all processes that descend from them.
pub(crate) fn family(roots: &[u32]) -> Result<Vec<Stat>, Error> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir("/proc")? {
        let file = entry?.path().join("stat");
        if !is_of_a_process(&file) {
            continue;
        }
        if let Some(line) = read(&file)? {
            all.push(
                parse_stat(&line)
                    .ok_or_else(|| unexpected(&file, &line, "the fields of proc(5)"))?,
            );
        }
    }
    Ok(descendants(&all, roots))
}

/// A file of a process; `None` if the process has ended.
pub(crate) fn read(file: &Path) -> io::Result<Option<String>> {
    unless_ended(file, OFlags::RDONLY, |mut file| {
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    })
}

/// Writes to a file of a process, if the process has not ended.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    unless_ended(file, OFlags::WRONLY, |mut file| file.write_all(bytes))?;
    Ok(())
}

/// Opens a file of a process and does something with it. Either fails in its
/// own way if the process has ended: while somebody has yet to wait for it, the
/// file is there and tells nothing.
fn unless_ended<T>(
    file: &Path,
    flags: OFlags,
    with: impl FnOnce(File) -> io::Result<T>,
) -> io::Result<Option<T>> {
    let opened = rustix::fs::open(file, flags | OFlags::CLOEXEC, Mode::empty());
    let done = opened
        .map_err(io::Error::from)
        .and_then(|opened| with(opened.into()));
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if has_ended(&error) => Ok(None),
        Err(error) => {
            let message = format!("{}: {error}", file.display());
            Err(io::Error::new(error.kind(), message))
        }
    }
}

fn has_ended(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::SRCH]
        .iter()
        .any(|ended| error.raw_os_error() == Some(ended.raw_os_error()))
}

fn is_of_a_process(stat: &Path) -> bool {
    stat.parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn descendants(all: &[Stat], roots: &[u32]) -> Vec<Stat> {
    let mut known: HashSet<u32> = roots.iter().copied().collect();
    loop {
        let before = known.len();
        for process in all {
            if known.contains(&process.parent) {
                known.insert(process.id);
            }
        }
        if known.len() == before {
            break;
        }
    }
    all.iter()
        .copied()
        .filter(|process| known.contains(&process.id))
        .collect()
}

fn parse_stat(line: &str) -> Option<Stat> {
    // The second field is the command's name in parentheses, and may itself
    // contain spaces and parentheses.
    let (id, rest) = line.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3, the state, is the first of these.
    let field = |number: usize| fields.get(number - 3).copied();
    let mut cpu_ticks = 0_u64;
    for number in 14..=17 {
        // cutime and cstime are signed in the kernel's format.
        let ticks: i64 = field(number)?.parse().ok()?;
        cpu_ticks = cpu_ticks.checked_add(u64::try_from(ticks).ok()?)?;
    }
    Some(Stat {
        id: id.parse().ok()?,
        parent: field(4)?.parse().ok()?,
        cpu_ticks,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use rustix::fs::OFlags;
    use rustix::io::Errno;

    use super::{Stat, descendants, parse_stat, read, unless_ended};

    const LINE: &str = "4242 (ngi) nx (1) S 17 4242 4242 0 -1 4194560 1 2 3 4 \
        100 20 3 4 20 0 1 0 5000 1000 200 18446744073709551615 1 1 0 0 0 0 0 0 0";

    #[test]
    fn the_name_may_hold_spaces_and_parentheses() {
        assert_eq!(
            parse_stat(LINE),
            Some(Stat {
                id: 4242,
                parent: 17,
                cpu_ticks: 127
            })
        );
    }

    #[test]
    fn a_short_line_is_refused() {
        assert_eq!(parse_stat("4242 (nginx) S 17 4242"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_family_is_found_in_any_order() {
        let process = |id, parent| Stat {
            id,
            parent,
            cpu_ticks: 0,
        };
        let all = [
            process(9, 8),
            process(8, 5),
            process(5, 1),
            process(6, 1),
            process(7, 6),
        ];
        let ids: Vec<_> = descendants(&all, &[5]).iter().map(|p| p.id).collect();
        assert_eq!(ids, [9, 8, 5]);
        assert_eq!(descendants(&all, &[77]), []);
    }

    #[test]
    fn what_has_ended_is_no_failure() {
        assert_eq!(read(Path::new("/proc/0/status")).unwrap(), None);
        let failing = |errno: Errno| {
            let null = Path::new("/dev/null");
            unless_ended(null, OFlags::RDONLY, |_| Err::<(), _>(errno.into()))
        };
        assert_eq!(failing(Errno::SRCH).unwrap(), None);
        let other = failing(Errno::IO).unwrap_err().to_string();
        assert!(other.starts_with("/dev/null: "), "{other}");
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in "\\PC*") {
            let _ = parse_stat(&line);
        }

        #[test]
        fn every_name_is_skipped(name in "[ -~]{0,15}") {
            let line = format!("7 ({name}) R 3 1 1 0 0 0 0 0 0 0 1 2 3 4 20");
            prop_assert_eq!(parse_stat(&line), Some(Stat { id: 7, parent: 3, cpu_ticks: 10 }));
        }
    }
}
