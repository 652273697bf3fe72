//! Robots: passwords for programs, each with rights of its own.
//!
//! [`create`], [`list`] and [`revoke`] are what `tidegate token` does to the
//! file, [`Robots`] is what a server makes of it.

mod document;
mod edit;
mod error;
mod password;
mod robot;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tidegate_config::FileStamp;
use time::OffsetDateTime;

pub use self::edit::{NewRobot, create, list, revoke};
pub use self::error::RobotsError;
use self::password::Shown;
pub use self::password::{NotAnId, RobotId};
pub use self::robot::{Limits, Robot};
use crate::attempt::{Attempt, Outcome};
use crate::verifier::Verifier;

/// The robots of a file that may change at any time.
pub struct Robots {
    path: PathBuf,
    by_id: ArcSwap<HashMap<RobotId, Arc<Robot>>>,
    stamp: Mutex<FileStamp>,
}

/// What became of a robot's password.
#[derive(Debug, Clone)]
pub enum RobotLogin {
    /// It is right.
    Accepted(Arc<Robot>),
    /// It is not, or not any more: answer 401.
    Refused(Option<RobotId>),
    /// It is not, and there were too many before: answer 429.
    Throttled {
        /// Whose password it would be.
        claimed: Option<RobotId>,
        /// When to try again.
        retry_after: std::time::Duration,
    },
}

/// A robot's password that is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongPassword {
    /// Whose it would be, if the text was made as one: there may have been such
    /// a robot.
    pub claimed: Option<RobotId>,
}

impl Robots {
    /// Reads the file. One that is not there has no robots yet.
    ///
    /// # Errors
    /// If it cannot be read, or is not what [`create`] writes.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RobotsError> {
        let path = path.into();
        // Before the file is read: what changes meanwhile is then seen as a
        // change afterwards.
        let stamp = FileStamp::of(&path);
        let robots = list(&path)?;
        Ok(Self {
            path,
            by_id: ArcSwap::from_pointee(by_id(robots)),
            stamp: Mutex::new(stamp),
        })
    }

    /// Whose password this is. `None` if it is no robot's, by its looks.
    ///
    /// A SHA-256, about a microsecond.
    ///
    /// # Errors
    /// If it looks like one and is not right: unknown, taken back, expired or
    /// another user's.
    #[must_use]
    pub fn find(
        &self,
        user: &str,
        password: &str,
        now: OffsetDateTime,
    ) -> Option<Result<Arc<Robot>, WrongPassword>> {
        let id = match password::shown(password) {
            Shown::Other => return None,
            Shown::Damaged => return Some(Err(WrongPassword { claimed: None })),
            Shown::Whole(id) => id,
        };
        let by_id = self.by_id.load();
        let robot = by_id.get(&id).filter(|robot| {
            robot.password.matches(password) && robot.user.name() == user && !robot.is_expired(now)
        });
        let wrong = WrongPassword { claimed: Some(id) };
        Some(robot.cloned().ok_or(wrong))
    }

    /// Does the same, and counts what is wrong with the wrong passwords of the
    /// password file. `None` if it is no robot's password.
    ///
    /// What is right is never throttled, and what is wrong is counted for the
    /// address and for nobody's name: 160 random bits are not found by trying,
    /// whoever holds one robot's password must not use it to have what they
    /// tried with a user's forgiven, and builds come from ever new addresses, so
    /// that strangers could keep a robot out whose id they have seen.
    pub async fn log_in(&self, attempt: Attempt<'_>, passwords: &Verifier) -> Option<RobotLogin> {
        let now = OffsetDateTime::now_utc();
        let wrong = match self.find(attempt.user, attempt.password, now)? {
            Ok(robot) => return Some(RobotLogin::Accepted(robot)),
            Err(wrong) => wrong,
        };
        let claimed = wrong.claimed;
        Some(match passwords.count_wrong_robot(attempt.client).await {
            Outcome::Throttled { retry_after } => RobotLogin::Throttled {
                claimed,
                retry_after,
            },
            _ => RobotLogin::Refused(claimed),
        })
    }

    /// The robot that a token of this process names by its
    /// [subject](Robot::subject), if it is still there and not expired.
    #[must_use]
    pub fn of_subject(&self, subject: &str, now: OffsetDateTime) -> Option<Arc<Robot>> {
        let (user, id) = subject.rsplit_once(':')?;
        let by_id = self.by_id.load();
        let robot = by_id.get(&id.parse().ok()?)?;
        let is_meant = robot.user.name() == user && !robot.is_expired(now);
        is_meant.then(|| Arc::clone(robot))
    }

    /// Reads the file again if it has changed since it was last read, or tried;
    /// tells how many robots there are. `None` if not. Costs one `stat`; meant to
    /// be called each second.
    pub fn reload_if_changed(&self) -> Option<Result<usize, RobotsError>> {
        let mut stamp = self.lock_stamp();
        let present = FileStamp::of(&self.path);
        if *stamp == present {
            return None;
        }
        *stamp = present;
        Some(self.read_again())
    }

    /// Reads the file again, and tells how many robots there are.
    ///
    /// # Errors
    /// As [`Robots::open`]; the robots from before stay.
    pub fn reload(&self) -> Result<usize, RobotsError> {
        let mut stamp = self.lock_stamp();
        *stamp = FileStamp::of(&self.path);
        self.read_again()
    }

    /// To be called with `stamp` locked, so that of two reloads the later wins.
    fn read_again(&self) -> Result<usize, RobotsError> {
        let robots = list(&self.path)?;
        let number = robots.len();
        self.by_id.store(Arc::new(by_id(robots)));
        Ok(number)
    }

    fn lock_stamp(&self) -> MutexGuard<'_, FileStamp> {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a password shows its sender to be.
pub(crate) fn kind_of(password: &str) -> crate::audit::Shown {
    match password::shown(password) {
        Shown::Other => crate::audit::Shown::Password,
        Shown::Damaged => crate::audit::Shown::Robot(None),
        Shown::Whole(id) => crate::audit::Shown::Robot(Some(id)),
    }
}

fn by_id(robots: Vec<Robot>) -> HashMap<RobotId, Arc<Robot>> {
    let pairs = robots.into_iter().map(|robot| (robot.id, Arc::new(robot)));
    pairs.collect()
}

impl fmt::Debug for Robots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Robots")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
