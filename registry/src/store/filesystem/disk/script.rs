//! What a test wants to happen on disk: a step that fails, or a record of all
//! of them. Nothing is really synced meanwhile, which would only take time.
//!
//! A script belongs to a thread, and to the threads of the pool that work for
//! it, so that tests run beside each other.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// One change on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Step {
    CreateDir(PathBuf),
    CreateFile(PathBuf),
    Write {
        path: PathBuf,
        offset: u64,
        data: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        length: u64,
    },
    Sync(PathBuf),
    SyncDirectory(PathBuf),
    Rename(PathBuf, PathBuf),
    RemoveFile(PathBuf),
    RemoveDir(PathBuf),
    RemoveTree(PathBuf),
    Touch(PathBuf),
}

/// Which steps fail, and how.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Fault {
    /// The number of the first step that fails.
    pub(in super::super) at: usize,
    /// Whether all that follow fail too, as on a full or broken disk.
    pub(in super::super) lasting: bool,
    /// `EIO` or another number of `errno`.
    pub(in super::super) error: rustix::io::Errno,
}

/// A running script. Ends when it is dropped.
pub(in super::super) struct Script(Shared);

type Shared = Arc<Mutex<State>>;

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    steps: Vec<Step>,
}

thread_local! {
    static CURRENT: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

impl Script {
    /// Lets this thread's steps fail as `fault` says; without one, they are
    /// only recorded.
    pub(in super::super) fn start(fault: Option<Fault>) -> Self {
        let state = State {
            fault,
            steps: Vec::new(),
        };
        let shared = Arc::new(Mutex::new(state));
        CURRENT.set(Some(Arc::clone(&shared)));
        Self(shared)
    }

    /// How many steps were tried.
    pub(in super::super) fn count(&self) -> usize {
        lock(&self.0).steps.len()
    }

    /// The steps that were tried. With a fault, some of them did not happen.
    pub(in super::super) fn steps(&self) -> Vec<Step> {
        lock(&self.0).steps.clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// The script of this thread, to take along to another one.
#[derive(Clone)]
pub(in super::super) struct Taken(Option<Shared>);

impl Taken {
    pub(in super::super) fn along() -> Self {
        Self(CURRENT.with_borrow(Clone::clone))
    }

    pub(in super::super) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(self.0);
        let result = work();
        CURRENT.set(before);
        result
    }
}

/// What becomes of a step: `None` if it is to be done, as usual.
pub(super) fn before(step: impl FnOnce() -> Step) -> Option<io::Result<()>> {
    CURRENT.with_borrow(|current| {
        let mut state = lock(current.as_ref()?);
        let number = state.steps.len();
        let step = step();
        let is_sync = matches!(step, Step::Sync(_) | Step::SyncDirectory(_));
        state.steps.push(step);
        match state.fault {
            Some(fault) if number == fault.at || (fault.lasting && number > fault.at) => {
                Some(Err(fault.error.into()))
            }
            _ if is_sync => Some(Ok(())),
            _ => None,
        }
    })
}

/// As [`before`], for the step that has a result.
pub(super) fn before_creation(path: &Path) -> io::Result<()> {
    before(|| Step::CreateFile(path.into())).unwrap_or(Ok(()))
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().expect("no step panics")
}
