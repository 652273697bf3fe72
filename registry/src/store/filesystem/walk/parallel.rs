//! Many looks at the disk at once. Everything in here blocks.
//!
//! Whether a link is there takes the kernel a microsecond or two, in which it
//! waits for memory most of the time. A list may have 100,000 links.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder, available_parallelism};

use tokio::sync::Semaphore;

/// What a thread takes at a time.
const CHUNK: usize = 64;

/// What a thread has to do to be worth having: some ten milliseconds of work.
/// Where all processors are busy, the last chunk of a thread may be waited for
/// as long as the system lets others run, which would make a page slower.
const SHARE: usize = 4096;

/// Threads that help with one list.
const MOST_HELPERS: usize = 3;

/// Lists of all requests together have no more helpers than there are further
/// processors: beyond that, they would only be in each other's way.
static HELPERS: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    Semaphore::new(processors - 1)
});

/// What `look` finds for the numbers below `count`, in their order.
///
/// `look` is called from several threads if there is much to do, and is lent a
/// text to work with, which holds whatever its last call left.
///
/// # Errors
///
/// Any of those of `look`; what was not begun by then is left.
pub(super) fn find<T: Send, E: Send>(
    count: usize,
    look: impl Fn(usize, &mut String) -> Result<Option<T>, E> + Sync,
) -> Result<Vec<T>, E> {
    find_with(&HELPERS, SHARE, count, look)
}

fn find_with<T: Send, E: Send>(
    permits: &Semaphore,
    share: usize,
    count: usize,
    look: impl Fn(usize, &mut String) -> Result<Option<T>, E> + Sync,
) -> Result<Vec<T>, E> {
    let task = Task {
        count,
        begun: AtomicUsize::new(0),
        look,
    };
    let helpers = (count / share).saturating_sub(1).min(MOST_HELPERS);
    let mut chunks = thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers)
            .map_while(|_| {
                let permit = permits.try_acquire().ok()?;
                let work = || {
                    let _permit = permit;
                    task.work()
                };
                // Without a further thread it only takes longer.
                Builder::new()
                    .name("list".into())
                    .spawn_scoped(scope, work)
                    .ok()
            })
            .collect();
        let mut chunks = task.work()?;
        for helper in helpers {
            chunks.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(chunks)
    })?;
    chunks.sort_unstable_by_key(|chunk| chunk.start);
    let mut chunks = chunks.into_iter();
    let mut found = chunks.next().map_or_else(Vec::new, |first| first.found);
    chunks.for_each(|chunk| found.extend(chunk.found));
    Ok(found)
}

struct Task<F> {
    count: usize,
    /// Chunks up to here are somebody's.
    begun: AtomicUsize,
    look: F,
}

struct Chunk<T> {
    start: usize,
    found: Vec<T>,
}

impl<T, E, F> Task<F>
where
    F: Fn(usize, &mut String) -> Result<Option<T>, E>,
{
    /// Does chunks until none is left, and returns those.
    fn work(&self) -> Result<Vec<Chunk<T>>, E> {
        let mut chunks = Vec::new();
        let mut text = String::new();
        loop {
            // Nothing but the number itself is shared by it.
            let start = self.begun.fetch_add(CHUNK, Ordering::Relaxed);
            if start >= self.count {
                return Ok(chunks);
            }
            let mut found = Vec::new();
            for number in start..self.count.min(start + CHUNK) {
                match (self.look)(number, &mut text) {
                    Ok(result) => found.extend(result),
                    Err(error) => {
                        self.begun.store(self.count, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
            chunks.push(Chunk { start, found });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Barrier, Mutex};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_in_order(count in 0..2000_usize, modulus in 1..5_usize) {
            let found = find_with(&Semaphore::new(2), CHUNK, count, |number, _| {
                Ok::<_, ()>((number % modulus == 0).then_some(number))
            });
            prop_assert_eq!(found.unwrap(), (0..count).step_by(modulus).collect::<Vec<_>>());
        }

        #[test]
        fn any_error_is_that_of_all(count in 1..2000_usize, which: prop::sample::Index) {
            let wrong = which.index(count);
            let found = find_with(&Semaphore::new(2), CHUNK, count, |number, _| {
                if number == wrong { Err(number) } else { Ok(Some(())) }
            });
            prop_assert_eq!(found, Err(wrong));
        }
    }

    #[test]
    fn helpers_help_and_are_given_back() {
        let permits = Semaphore::new(1);
        let met = Barrier::new(2);
        let threads = Mutex::new(HashSet::new());
        let found = find_with(&permits, CHUNK, 10 * CHUNK, |number, _| {
            if threads.lock().unwrap().insert(thread::current().id()) {
                // Nobody goes on until there are two.
                met.wait();
            }
            Ok::<_, ()>(Some(number))
        });
        assert_eq!(found, Ok((0..10 * CHUNK).collect()));
        assert_eq!(threads.lock().unwrap().len(), 2);
        assert_eq!(permits.available_permits(), 1);
    }

    #[test]
    fn without_helpers_all_is_done_here() {
        let here = thread::current().id();
        let found = find_with(&Semaphore::new(0), CHUNK, 10 * CHUNK, |number, _| {
            assert_eq!(thread::current().id(), here);
            Ok::<_, ()>(Some(number))
        });
        assert_eq!(found, Ok((0..10 * CHUNK).collect()));
    }
}
