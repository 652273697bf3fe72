//! What processes have used, as Linux tells it in `/proc` (proc(5)).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// What the processes of a server hold in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Memory {
    /// The sum of their resident sets, in MiB. A page that several share
    /// counts for each.
    pub(crate) resident_mib: f64,
    /// The sum of their proportional sets, in MiB. A shared page counts once.
    pub(crate) proportional_mib: f64,
}

/// CPU time of `roots`, of all processes that descend from them, and of those
/// that have ended and were waited for, in seconds.
pub(crate) fn cpu_seconds(roots: &[u32]) -> Result<f64, Error> {
    let ticks = family(roots)?.iter().map(|process| process.cpu_ticks).sum();
    Ok(seconds(ticks))
}

/// What the machine's CPUs have done since it was started, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Machine {
    /// Anything at all, work for other virtual machines included.
    pub(crate) busy: f64,
    /// Waiting for something to do, or for a disk.
    pub(crate) idle: f64,
}

/// What the machine's CPUs have done so far.
pub(crate) fn machine() -> Result<Machine, Error> {
    let file = PathBuf::from("/proc/stat");
    let text = fs_err::read_to_string(&file)?;
    parse_machine(&text).ok_or_else(|| unexpected(&file, &text, "a line `cpu` with 8 numbers"))
}

fn seconds(ticks: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 ticks are millions of years"
    )]
    let ticks = ticks as f64;
    #[expect(clippy::cast_precision_loss, reason = "it is 100, or near")]
    let rate = rustix::param::clock_ticks_per_second() as f64;
    ticks / rate
}

/// Memory of `roots` and of all processes that descend from them.
pub(crate) fn memory(roots: &[u32]) -> Result<Memory, Error> {
    let mut sum = Memory::default();
    for process in family(roots)? {
        let file = PathBuf::from(format!("/proc/{}/smaps_rollup", process.id));
        let text = fs_err::read_to_string(&file)?;
        let memory = parse_rollup(&text).ok_or_else(|| unexpected(&file, &text, "Rss and Pss"))?;
        sum.resident_mib += memory.resident_mib;
        sum.proportional_mib += memory.proportional_mib;
    }
    Ok(sum)
}

/// The most that `roots` and their descendants have held at once, in MiB: the
/// sum of the peaks of each.
pub(crate) fn peak_mib(roots: &[u32]) -> Result<f64, Error> {
    let mut sum = 0.0;
    for process in family(roots)? {
        let file = PathBuf::from(format!("/proc/{}/status", process.id));
        let text = fs_err::read_to_string(&file)?;
        sum += kib(&text, "VmHWM:").ok_or_else(|| unexpected(&file, &text, "VmHWM"))? / 1024.0;
    }
    Ok(sum)
}

/// Lets the peaks of `roots` and their descendants begin at what they hold
/// now.
pub(crate) fn forget_peak(roots: &[u32]) -> Result<(), Error> {
    for process in family(roots)? {
        fs_err::write(format!("/proc/{}/clear_refs", process.id), "5")?;
    }
    Ok(())
}

/// What `roots` and their descendants have read from disks so far, in bytes:
/// what the page cache had does not count.
pub(crate) fn read_bytes(roots: &[u32]) -> Result<u64, Error> {
    let mut sum = 0;
    for process in family(roots)? {
        let file = PathBuf::from(format!("/proc/{}/io", process.id));
        let text = fs_err::read_to_string(&file)?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("read_bytes: "));
        sum += line
            .and_then(|bytes| bytes.trim().parse::<u64>().ok())
            .ok_or_else(|| unexpected(&file, &text, "read_bytes"))?;
    }
    Ok(sum)
}

/// A line of `/proc/PID/stat`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    id: u32,
    parent: u32,
    /// User and system time, its own and that of children waited for.
    cpu_ticks: u64,
}

fn family(roots: &[u32]) -> Result<Vec<Stat>, Error> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir("/proc")? {
        let file = entry?.path().join("stat");
        if !is_of_a_process(&file) {
            continue;
        }
        match fs_err::read_to_string(&file) {
            Ok(line) => all.push(
                parse_stat(&line)
                    .ok_or_else(|| unexpected(&file, &line, "the fields of proc(5)"))?,
            ),
            Err(error) if has_ended(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(descendants(&all, roots))
}

fn is_of_a_process(stat: &Path) -> bool {
    stat.parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The file is there until the process has ended, and reading it fails if
/// that happens between opening and reading.
fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
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

fn parse_machine(text: &str) -> Option<Machine> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        // What follows, time of guests, is contained in the first two.
        .take(8)
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let [user, nice, system, idle, io_wait, irq, soft_irq, steal] = ticks[..] else {
        return None;
    };
    let sum = |ticks: &[u64]| ticks.iter().copied().map(seconds).sum();
    Some(Machine {
        busy: sum(&[user, nice, system, irq, soft_irq, steal]),
        idle: sum(&[idle, io_wait]),
    })
}

fn parse_rollup(text: &str) -> Option<Memory> {
    Some(Memory {
        resident_mib: kib(text, "Rss:")? / 1024.0,
        proportional_mib: kib(text, "Pss:")? / 1024.0,
    })
}

/// The value of `key` in the kernel's `key: 1234 kB` lines.
fn kib(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn unexpected(file: &Path, got: &str, expected: &'static str) -> Error {
    Error::File {
        path: file.to_owned(),
        got: got.chars().take(80).collect(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Machine, Memory, Stat, cpu_seconds, descendants, machine, memory, parse_machine,
        parse_rollup, parse_stat, peak_mib, read_bytes,
    };

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
    fn memory_is_read_in_mib() {
        let text = "00400000-7fff0000 ---p 00000000 00:00 0 [rollup]\n\
            Rss:                2048 kB\nPss:                1536 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(
            parse_rollup(text),
            Some(Memory {
                resident_mib: 2.0,
                proportional_mib: 1.5
            })
        );
        assert_eq!(parse_rollup("Rss: 2048 kB\n"), None);
    }

    #[test]
    fn guests_are_not_counted_twice() {
        let ticks = rustix::param::clock_ticks_per_second();
        let text = format!(
            "cpu  {ticks} {ticks} {ticks} {} {ticks} {ticks} {ticks} {ticks} {ticks} 0\ncpu0 1\n",
            4 * ticks
        );
        let expected = Machine {
            busy: 6.0,
            idle: 5.0,
        };
        assert_eq!(parse_machine(&text), Some(expected));
        assert_eq!(parse_machine("cpu  1 2 3\n"), None);
        assert_eq!(parse_machine("intr 1\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_machine_has_been_at_work() {
        assert!(machine().unwrap().busy > 0.0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_used_time_and_memory() {
        let own = [std::process::id()];
        let before = cpu_seconds(&own).unwrap();
        assert!(memory(&own).unwrap().resident_mib > 0.1);
        assert!(cpu_seconds(&own).unwrap() >= before);
        assert!(peak_mib(&own).unwrap() > 0.1);
        assert!(read_bytes(&own).is_ok());
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in "\\PC*") {
            let _ = parse_stat(&line);
            let _ = parse_machine(&format!("cpu {line}"));
            let _ = parse_rollup(&line);
        }

        #[test]
        fn every_name_is_skipped(name in "[ -~]{0,15}") {
            let line = format!("7 ({name}) R 3 1 1 0 0 0 0 0 0 0 1 2 3 4 20");
            prop_assert_eq!(parse_stat(&line), Some(Stat { id: 7, parent: 3, cpu_ticks: 10 }));
        }
    }
}
