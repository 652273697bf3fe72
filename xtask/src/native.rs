//! What the native dependencies need to be built.
//!
//! - `aws-lc-sys` compiles C and assembly with the C compiler alone on the
//!   usual targets, and falls back to cmake on the others.
//! - `tikv-jemalloc-sys` runs a configure script and `make`.
//! - `libz-ng-sys`, which pingora brings, always runs cmake.
//!
//! None of them needs bindgen, Perl, Go or NASM here. A linker is needed too,
//! but whoever runs this has one, or this could not have been built.

use std::process::Command;

use crate::error::Error;
use crate::install::{Manager, Packages, Presence, Program, ensure};
use crate::process;

/// Sees to it that the workspace can be built.
pub(crate) fn ensure_build_tools() -> Result<(), Error> {
    ensure(&[COMPILER, MAKE, CMAKE])
}

const COMPILER: Program = Program {
    name: "a C compiler with the system's headers",
    presence: Presence::Check(compiler_works),
    packages: Packages::Each(|manager| match manager {
        Manager::Apt => &["gcc", "libc6-dev"],
        Manager::Dnf | Manager::Yum | Manager::Zypper => &["gcc", "glibc-devel"],
        Manager::Pacman => &["gcc"],
        Manager::Apk => &["gcc", "linux-headers", "musl-dev"],
    }),
};

const MAKE: Program = Program {
    name: "make",
    presence: Presence::Check(|| process::find(GNU_MAKE).is_some()),
    packages: Packages::Everywhere(&["make"]),
};

/// As jemalloc's build script calls it.
const GNU_MAKE: &str = if cfg!(any(
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)) {
    "gmake"
} else {
    "make"
};

const CMAKE: Program = Program {
    name: "cmake",
    presence: Presence::Check(|| {
        process::find(variable("CMAKE").unwrap_or_else(|| "cmake".to_owned())).is_some()
    }),
    packages: Packages::Everywhere(&["cmake"]),
};

/// Asks the compiler to read headers: on some systems it comes without the
/// C library's, or without the kernel's, which aws-lc includes.
fn compiler_works() -> bool {
    let words = compiler_words(variable("CC").as_deref());
    let mut compiler = Command::new(&words[0]);
    compiler.args(&words[1..]).args(["-E", "-x", "c"]);
    compiler.args(["-include", "stdlib.h"]);
    if cfg!(target_os = "linux") {
        compiler.args(["-include", "linux/random.h"]);
    }
    process::succeeds(compiler.arg("/dev/null"))
}

/// The compiler that the build scripts take; `CC` may hold a wrapper or flags.
fn compiler_words(cc: Option<&str>) -> Vec<String> {
    let words: Vec<String> = cc
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if words.is_empty() {
        return vec!["cc".to_owned()];
    }
    words
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{CMAKE, COMPILER, MAKE, compiler_words, compiler_works};
    use crate::install::Manager;

    #[test]
    fn the_compiler_that_built_this_is_found() {
        assert!(compiler_works());
    }

    #[test]
    fn a_wrapped_compiler_is_called_with_its_wrapper() {
        assert_eq!(compiler_words(None), ["cc"]);
        assert_eq!(compiler_words(Some("  ")), ["cc"]);
        assert_eq!(
            compiler_words(Some("ccache clang -m64")),
            ["ccache", "clang", "-m64"]
        );
    }

    #[test]
    fn every_manager_has_a_package_for_every_tool() {
        for manager in Manager::ALL {
            for program in [COMPILER, MAKE, CMAKE] {
                assert!(
                    !program.packages(manager).is_empty(),
                    "{manager:?} has none for {}",
                    program.name
                );
            }
        }
    }
}
