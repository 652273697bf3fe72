//! Commands that are waited for.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::Pid;

use crate::error::Error;
use crate::interrupt::{self, Foreground};

/// Runs `command` with this process's output.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let mut child = start(command.stdin(Stdio::null()))?;
    let guard = Foreground::enter(leader(&child));
    let status = child.wait()?;
    drop(guard);
    succeeded(command, status, String::new())
}

/// Runs `command` and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    Ok(outputs(command)?.0)
}

/// Runs `command` and returns what it wrote to standard output and to standard
/// error.
pub(crate) fn outputs(command: &mut Command) -> Result<(String, String), Error> {
    let child = start(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )?;
    finish(command, child)
}

/// Starts `command` with its output kept for [`finish`].
pub(crate) fn start_quiet(command: &mut Command) -> Result<Child, Error> {
    start(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )
}

/// Waits for what [`start_quiet`] started.
pub(crate) fn finish(command: &Command, child: Child) -> Result<(String, String), Error> {
    let guard = Foreground::enter(leader(&child));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output()?;
    drop(guard);
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    succeeded(command, status, stderr.clone())?;
    Ok((String::from_utf8_lossy(&stdout).into_owned(), stderr))
}

/// Whether `command` runs and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    run(command).is_ok()
}

/// Becomes `command`; returns only if that fails.
pub(crate) fn become_command(command: &mut Command) -> Error {
    let source = command.exec();
    Error::Start {
        command: shown(command),
        source,
    }
}

/// The file that runs when `program` is typed, if there is one.
pub(crate) fn find(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let program = Path::new(program.as_ref());
    if program.components().count() > 1 {
        return is_executable(program).then(|| program.to_owned());
    }
    // Debian keeps servers in sbin, which is not in every user's PATH.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

/// `program`, wherever it is found.
pub(crate) fn command(program: &str) -> Command {
    find(program).map_or_else(|| Command::new(program), Command::new)
}

/// `command` as it would be typed.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn leader(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn start(command: &mut Command) -> Result<Child, Error> {
    interrupt::check()?;
    command
        .process_group(0)
        .spawn()
        .map_err(|source| Error::Start {
            command: shown(command),
            source,
        })
}

fn succeeded(command: &Command, status: ExitStatus, stderr: String) -> Result<(), Error> {
    interrupt::check()?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: shown(command),
        status,
        stderr,
    })
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+.,/:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{find, output, run, shown};
    use crate::error::Error;

    #[test]
    fn a_command_is_shown_as_a_shell_would_take_it() {
        let mut command = Command::new("printf");
        command.args(["%s", "two words", "", "it's"]);
        assert_eq!(shown(&command), r"printf %s 'two words' '' 'it'\''s'");
    }

    #[test]
    fn the_output_is_returned() {
        let got = output(Command::new("printf").arg("%s").arg("a b")).unwrap();
        assert_eq!(got, "a b");
    }

    #[test]
    fn a_failure_names_the_command_its_status_and_its_complaint() {
        let error = output(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sh -c 'echo why >&2; exit 3'` failed: exit status: 3\n    why"
        );
    }

    #[test]
    fn a_missing_program_is_told_from_a_failing_one() {
        let error = run(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert!(matches!(error, Error::Start { .. }), "{error:?}");
        assert!(matches!(
            run(&mut Command::new("false")).unwrap_err(),
            Error::Command { .. }
        ));
    }

    #[test]
    fn programs_are_found_as_the_shell_finds_them() {
        assert!(find("sh").unwrap().is_absolute());
        assert!(find("/nonexistent/sh").is_none());
        assert!(find("no-program-has-this-name").is_none());
        assert!(find(env!("CARGO_MANIFEST_DIR")).is_none(), "a directory");
    }
}
