//! Making robots and taking them back: what `tidegate token` does to the file.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::document;
use super::error::RobotsError;
use super::password::{self, RobotId};
use super::robot::{Limits, Robot};
use crate::attempt::Identity;
use crate::htpasswd::UserName;
use crate::staged;

/// A robot that is to be made.
#[derive(Debug, Clone)]
pub struct NewRobot {
    /// The user name that goes with the password. It need not be one of the
    /// password file, and is another's password where it is.
    pub user: UserName,
    /// What it may do.
    pub limits: Limits,
    /// From when on the password is wrong. `None`: it stays.
    pub expires: Option<OffsetDateTime>,
    /// What it is for.
    pub description: String,
}

/// The robots of a file, in the order in which they were made. A file that is
/// not there has none.
///
/// # Errors
/// If it cannot be read, or is not what [`create`] writes.
pub fn list(path: &Path) -> Result<Vec<Robot>, RobotsError> {
    document::read(path)
}

/// Makes a robot, and its password: nobody will learn that again.
///
/// Whoever reads the file sees the old content or the new. Two who write at the
/// same time wait for each other. A new file gets mode 0600 and, where that is
/// possible, the owner of its directory, so that a server reads what root made.
///
/// # Errors
/// If the file cannot be read or written; it is then as it was.
pub fn create(path: &Path, new: NewRobot) -> Result<(Robot, Zeroizing<String>), RobotsError> {
    change(path, |robots| {
        let id = loop {
            let id = RobotId::random();
            if robots.iter().all(|robot| robot.id != id) {
                break id;
            }
        };
        let (secret, password) = password::make(id);
        let robot = Robot {
            id,
            user: Identity::new(new.user.as_str()),
            limits: new.limits,
            created: now_in_seconds(),
            expires: new.expires,
            description: new.description,
            password,
        };
        robots.push(robot.clone());
        Ok((robot, secret))
    })
}

/// Takes robots back, all of them or none.
///
/// # Errors
/// If one of them is not there, or the file cannot be read or written; it is
/// then as it was.
pub fn revoke(path: &Path, ids: &[RobotId]) -> Result<Vec<Robot>, RobotsError> {
    change(path, |robots| {
        if let Some(&id) = ids
            .iter()
            .find(|id| robots.iter().all(|robot| robot.id != **id))
        {
            return Err(RobotsError::Unknown {
                path: path.to_owned(),
                id,
            });
        }
        Ok(robots
            .extract_if(.., |robot| ids.contains(&robot.id))
            .collect())
    })
}

/// Reads, changes and writes the file, under a lock. A lock on the file itself
/// would be one on the file that is replaced.
fn change<T>(
    path: &Path,
    change: impl FnOnce(&mut Vec<Robot>) -> Result<T, RobotsError>,
) -> Result<T, RobotsError> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |error| RobotsError::Write { path, error }
    };
    let target = staged::follow_links(path).map_err(unwritable(path))?;
    let _lock = lock(&target).map_err(unwritable(&target))?;
    let mut robots = document::read(&target)?;
    let changed = change(&mut robots)?;
    let is_new = !target.exists();
    let text = document::text(&robots);
    staged::replace(&target, ".robots-", text.as_bytes()).map_err(unwritable(&target))?;
    if is_new {
        belong_to_directory(&target);
    }
    Ok(changed)
}

fn lock(target: &Path) -> io::Result<fs::File> {
    let path = beside(target);
    let is_new = !path.exists();
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)?;
    file.lock()?;
    if is_new {
        belong_to_directory(&path);
    }
    Ok(file)
}

/// `auth/.robots.json.lock`
fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    staged::directory_of(target).join(format!(".{name}.lock"))
}

/// Gives a new file to whom its directory belongs, which root alone may do; for
/// everybody else it is theirs already or stays with who made it.
fn belong_to_directory(path: &Path) {
    if let Ok(directory) = fs::metadata(staged::directory_of(path)) {
        let (user, group) = (Some(directory.uid()), Some(directory.gid()));
        let _ = std::os::unix::fs::chown(path, user, group);
    }
}

fn now_in_seconds() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tidegate_failure::Explain as _;

    use super::*;

    fn new(user: &str) -> NewRobot {
        NewRobot {
            user: UserName::parse(user).unwrap(),
            limits: Limits {
                repositories: vec!["team/**".parse().unwrap()],
                actions: "pull,push".parse().unwrap(),
            },
            expires: None,
            description: String::new(),
        }
    }

    #[test]
    fn a_robot_is_made_listed_and_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("robots.json");
        assert_eq!(list(&path).unwrap(), []);
        let (ci, password) = create(&path, new("ci")).unwrap();
        let (cd, _) = create(&path, new("cd")).unwrap();
        assert_eq!(list(&path).unwrap(), [ci.clone(), cd.clone()]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&password[13..]), "{text}");

        let revoked = revoke(&path, &[ci.id()]).unwrap();
        assert_eq!(revoked, std::slice::from_ref(&ci));
        assert_eq!(list(&path).unwrap(), std::slice::from_ref(&cd));
        // All or none.
        let error = revoke(&path, &[cd.id(), ci.id()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{}` has no robot {}", path.display(), ci.id())
        );
        assert_eq!(error.hint().unwrap(), "tidegate token list");
        assert_eq!(list(&path).unwrap(), [cd]);
    }

    #[test]
    fn those_who_write_at_the_same_time_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("robots.json");
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| create(&path, new("ci")).unwrap());
            }
        });
        assert_eq!(list(&path).unwrap().len(), 16);
    }

    #[test]
    fn a_file_that_is_not_understood_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("robots.json");
        fs::write(&path, "{\"version\": 2, \"robots\": []}").unwrap();
        assert!(create(&path, new("ci")).is_err());
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"version\": 2, \"robots\": []}"
        );
        let nowhere = directory.path().join("no/such/robots.json");
        let error = create(&nowhere, new("ci")).unwrap_err();
        assert!(
            error.hint().unwrap().starts_with("make the directory"),
            "{error}"
        );
    }
}
