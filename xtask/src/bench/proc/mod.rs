//! What processes have used, as Linux tells it in `/proc` (proc(5)).

mod family;

use std::path::{Path, PathBuf};

use crate::bench::proc::family::{family, read, write};
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
    for memory in of_each(roots, "smaps_rollup", "Rss and Pss", parse_rollup)? {
        sum.resident_mib += memory.resident_mib;
        sum.proportional_mib += memory.proportional_mib;
    }
    Ok(sum)
}

/// The most that `roots` and their descendants have held at once, in MiB: the
/// sum of the peaks of each.
pub(crate) fn peak_mib(roots: &[u32]) -> Result<f64, Error> {
    let peaks = of_each(roots, "status", "VmHWM", parse_peak_mib)?;
    Ok(peaks.iter().sum())
}

/// Lets the peaks of `roots` and their descendants begin at what they hold
/// now.
pub(crate) fn forget_peak(roots: &[u32]) -> Result<(), Error> {
    for process in family(roots)? {
        let file = PathBuf::from(format!("/proc/{}/clear_refs", process.id));
        write(&file, b"5")?;
    }
    Ok(())
}

/// What `roots` and their descendants have read from disks so far, in bytes:
/// what the page cache had does not count.
pub(crate) fn read_bytes(roots: &[u32]) -> Result<u64, Error> {
    let bytes = of_each(roots, "io", "read_bytes", |text| {
        let mut lines = text.lines();
        let bytes = lines.find_map(|line| line.strip_prefix("read_bytes: "))?;
        bytes.trim().parse::<u64>().ok()
    })?;
    Ok(bytes.iter().sum())
}

/// What `parse` finds in the file `name` of `roots` and of each of their
/// descendants. One that ends meanwhile has nothing.
fn of_each<T>(
    roots: &[u32],
    name: &str,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    for process in family(roots)? {
        let file = PathBuf::from(format!("/proc/{}/{name}", process.id));
        if let Some(text) = read(&file)? {
            found.push(parse(&text).ok_or_else(|| unexpected(&file, &text, expected))?);
        }
    }
    Ok(found)
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

/// The peak of a process whose `status` is `text`, in MiB; nothing where it has
/// given back its memory, as one that is ending has.
fn parse_peak_mib(text: &str) -> Option<f64> {
    if text.starts_with("Name:") && !text.lines().any(|line| line.starts_with("Vm")) {
        return Some(0.0);
    }
    Some(kib(text, "VmHWM:")? / 1024.0)
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
        Machine, Memory, cpu_seconds, forget_peak, machine, memory, parse_machine, parse_peak_mib,
        parse_rollup, peak_mib, read_bytes,
    };

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
    fn a_process_that_is_ending_has_no_peak() {
        let running = "Name:\tsh\nState:\tS (sleeping)\nVmPeak:\t 4096 kB\nVmHWM:\t 2048 kB\n";
        assert_eq!(parse_peak_mib(running), Some(2.0));
        let ending = "Name:\tsh\nState:\tZ (zombie)\nThreads:\t1\n";
        assert_eq!(parse_peak_mib(ending), Some(0.0));
        assert_eq!(parse_peak_mib("Name:\tsh\nVmPeak:\t 4096 kB\n"), None);
        assert_eq!(parse_peak_mib(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn one_that_is_not_waited_for_counts_without_memory() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let own = [child.id()];
        // Ended, and there until somebody waits for it.
        while !fs_err::read_to_string(format!("/proc/{}/stat", child.id()))
            .unwrap()
            .contains(") Z ")
        {
            std::thread::yield_now();
        }
        assert_eq!(peak_mib(&own).unwrap(), 0.0);
        assert_eq!(memory(&own).unwrap(), Memory::default());
        forget_peak(&own).unwrap();
        child.wait().unwrap();
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
            let _ = parse_machine(&format!("cpu {line}"));
            let _ = parse_rollup(&line);
            let _ = parse_peak_mib(&line);
        }
    }
}
