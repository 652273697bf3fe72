//! Installing programs with the system's package manager, when that is
//! permitted without asking: as root, or where sudo wants no password.

use std::process::Command;

use crate::error::Error;
use crate::{process, say};

/// A package manager that this knows how to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Debian, Ubuntu.
    Apt,
    /// Fedora, RHEL and its kin from version 8.
    Dnf,
    /// RHEL and its kin before that.
    Yum,
    /// openSUSE, SLES.
    Zypper,
    /// Arch.
    Pacman,
    /// Alpine.
    Apk,
}

/// A program that is needed, and the packages that bring it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// What is missing if it is, in the user's words.
    pub(crate) name: &'static str,
    /// How to tell that it is there.
    pub(crate) presence: Presence,
    /// What brings it.
    pub(crate) packages: Packages,
}

/// How to tell that a program is there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Presence {
    /// A command of the program's name is found.
    Found,
    /// This function says so.
    Check(fn() -> bool),
}

/// The packages that bring a program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Packages {
    /// They have the same names everywhere.
    Everywhere(&'static [&'static str]),
    /// They are known for Debian and its kin only.
    Debian(&'static [&'static str]),
    /// Their names differ.
    Each(fn(Manager) -> &'static [&'static str]),
}

impl Program {
    /// A command that Debian has in `package`.
    pub(crate) const fn in_debian(name: &'static str, package: &'static [&'static str]) -> Self {
        Self {
            name,
            presence: Presence::Found,
            packages: Packages::Debian(package),
        }
    }

    fn is_present(&self) -> bool {
        match self.presence {
            Presence::Found => process::find(self.name).is_some(),
            Presence::Check(check) => check(),
        }
    }

    /// The packages to ask `manager` for; none if they are not known.
    pub(crate) fn packages(&self, manager: Manager) -> &'static [&'static str] {
        match self.packages {
            Packages::Everywhere(packages) => packages,
            Packages::Debian(packages) if manager == Manager::Apt => packages,
            Packages::Debian(_) => &[],
            Packages::Each(of) => of(manager),
        }
    }
}

/// Sees to it that all of `programs` are there.
pub(crate) fn ensure(programs: &[Program]) -> Result<(), Error> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|program| program.name).collect();
    let plan = Manager::detect().and_then(|manager| Plan::new(manager, &missing));
    let (Some(plan), Some(rights)) = (&plan, Rights::held()) else {
        return Err(Error::Missing {
            programs: names,
            install: plan.map(|plan| plan.to_type()),
        });
    };
    say::title(&format!("installing what is missing: {}", names.join(", ")));
    let line = plan.to_type();
    say::note(&line);
    plan.carry_out(rights)?;
    let names: Vec<_> = self::missing(&missing).iter().map(|p| p.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::StillMissing {
        programs: names,
        install: line,
    })
}

fn missing(programs: &[Program]) -> Vec<Program> {
    programs
        .iter()
        .copied()
        .filter(|program| !program.is_present())
        .collect()
}

impl Manager {
    /// All of them. dnf stands before yum: where both exist, yum is a link to
    /// dnf.
    pub(crate) const ALL: [Self; 6] = [
        Self::Apt,
        Self::Dnf,
        Self::Yum,
        Self::Zypper,
        Self::Pacman,
        Self::Apk,
    ];

    fn detect() -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|manager| process::find(manager.install_words()[0]).is_some())
    }

    /// The command that refreshes the list of packages, where installing does
    /// not do that by itself.
    fn refresh_words(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Apt => Some(&["apt-get", "update"]),
            _ => None,
        }
    }

    fn install_words(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &["apt-get", "install", "-y", "--no-install-recommends"],
            Self::Dnf => &["dnf", "install", "-y"],
            Self::Yum => &["yum", "install", "-y"],
            Self::Zypper => &["zypper", "--non-interactive", "install"],
            Self::Pacman => &["pacman", "-S", "--needed", "--noconfirm"],
            Self::Apk => &["apk", "add", "--update-cache"],
        }
    }
}

/// What will be installed.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    manager: Manager,
    packages: Vec<&'static str>,
}

impl Plan {
    /// `None` if the manager has no package for one of the programs.
    fn new(manager: Manager, programs: &[Program]) -> Option<Self> {
        let mut packages = Vec::new();
        for program in programs {
            let of_program = program.packages(manager);
            if of_program.is_empty() {
                return None;
            }
            packages.extend_from_slice(of_program);
        }
        packages.sort_unstable();
        packages.dedup();
        Some(Self { manager, packages })
    }

    fn install(&self) -> Vec<&'static str> {
        [self.manager.install_words(), &self.packages].concat()
    }

    /// The one line that does the same by hand.
    fn to_type(&self) -> String {
        let prefix = if is_root() { "" } else { "sudo " };
        let refresh = self
            .manager
            .refresh_words()
            .map_or_else(String::new, |words| {
                format!("{prefix}{} && ", words.join(" "))
            });
        format!("{refresh}{prefix}{}", self.install().join(" "))
    }

    fn carry_out(&self, rights: Rights) -> Result<(), Error> {
        if let Some(words) = self.manager.refresh_words() {
            // One unreachable source among many fails the refresh, while the
            // packages may come from another.
            if let Err(error) = process::run(&mut rights.command(words)) {
                say::note(&format!("{error}; going on with the lists there are"));
            }
        }
        process::run(&mut rights.command(&self.install()))
    }
}

/// How this process may change the system.
#[derive(Debug, Clone, Copy)]
enum Rights {
    Root,
    Sudo,
}

impl Rights {
    fn held() -> Option<Self> {
        if is_root() {
            return Some(Self::Root);
        }
        process::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Self::Sudo)
    }

    fn command(self, words: &[&str]) -> Command {
        // sudo drops the environment, so that `env` sets it on the far side.
        let quiet = ["env", "DEBIAN_FRONTEND=noninteractive"];
        let sudo: &[&str] = match self {
            Self::Root => &[],
            Self::Sudo => &["sudo", "-n"],
        };
        let all = [sudo, &quiet, words].concat();
        let mut command = Command::new(all[0]);
        command.args(&all[1..]);
        command
    }
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::{Manager, Packages, Plan, Presence, Program, Rights, missing};
    use crate::process::shown;

    const ABSENT: Program = Program {
        name: "absent",
        presence: Presence::Check(|| false),
        packages: Packages::Each(|manager| match manager {
            Manager::Apt => &["second", "first"],
            Manager::Apk => &["one"],
            _ => &[],
        }),
    };

    #[test]
    fn only_what_is_missing_is_installed() {
        let programs = [Program::in_debian("sh", &["dash"]), ABSENT];
        let names: Vec<_> = missing(&programs).iter().map(|p| p.name).collect();
        assert_eq!(names, ["absent"]);
    }

    #[test]
    fn each_package_is_named_once() {
        let plan = Plan::new(Manager::Apt, &[ABSENT, ABSENT]).unwrap();
        assert_eq!(plan.packages, ["first", "second"]);
        assert!(
            plan.to_type()
                .ends_with("apt-get install -y --no-install-recommends first second"),
            "{}",
            plan.to_type()
        );
        assert!(plan.to_type().contains("apt-get update && "));
    }

    #[test]
    fn nothing_is_planned_where_a_package_is_unknown() {
        assert_eq!(Plan::new(Manager::Pacman, &[ABSENT]), None);
    }

    #[test]
    fn sudo_never_asks() {
        let plan = Plan::new(Manager::Apk, &[ABSENT]).unwrap();
        assert_eq!(
            shown(&Rights::Sudo.command(&plan.install())),
            "sudo -n env DEBIAN_FRONTEND=noninteractive apk add --update-cache one"
        );
        assert_eq!(
            shown(&Rights::Root.command(&plan.install())),
            "env DEBIAN_FRONTEND=noninteractive apk add --update-cache one"
        );
    }
}
