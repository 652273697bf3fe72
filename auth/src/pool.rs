//! How much of the machine passwords may cost.
//!
//! A bcrypt hash takes tens of milliseconds of CPU time that anybody can ask
//! for, so a few run at a time, a bounded number waits in order of arrival, and
//! no client fills the queue for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::Client;

/// Lets hashes run, a bounded number at a time.
#[derive(Debug)]
pub(crate) struct Pool {
    running: Arc<Semaphore>,
    places: Arc<Places>,
}

/// The right to run one hash, given back when dropped. Whoever runs the hash
/// holds it to the end, even if nobody waits for the result any more.
#[derive(Debug)]
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

/// Too many are running and waiting, of this client or in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Those who run and those who wait.
#[derive(Debug)]
struct Places {
    most: usize,
    most_of_one: usize,
    taken: Mutex<HashMap<Client, usize>>,
}

#[derive(Debug)]
struct Place {
    client: Client,
    places: Arc<Places>,
}

impl Pool {
    /// How many may wait: several seconds' work at the default cost on a small
    /// machine, which is as long as clients wait, and little memory.
    const QUEUE: usize = 128;
    /// The part of all places that one client may take.
    const SHARE: usize = 4;

    /// Half of the machine's cores, at least one: the others serve requests
    /// whose credentials are known.
    pub(crate) fn for_this_machine() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::new((cores / 2).max(1), Self::QUEUE)
    }

    fn new(running: usize, queue: usize) -> Self {
        let most = running + queue;
        Self {
            running: Arc::new(Semaphore::new(running)),
            places: Arc::new(Places {
                most,
                most_of_one: (most / Self::SHARE).max(1),
                taken: Mutex::default(),
            }),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn enter(&self, client: Client) -> Result<Seat, Full> {
        let place = Places::take(&self.places, client)?;
        let permit = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        Ok(Seat {
            _permit: permit,
            _place: place,
        })
    }

    /// Takes every seat, so that whoever comes has to wait, until dropped.
    #[cfg(test)]
    pub(crate) fn occupy(&self) -> OwnedSemaphorePermit {
        let all = u32::try_from(self.running.available_permits()).unwrap();
        let running = Arc::clone(&self.running);
        running.try_acquire_many_owned(all).unwrap()
    }
}

impl Places {
    fn take(places: &Arc<Self>, client: Client) -> Result<Place, Full> {
        let mut taken = places.lock();
        if taken.values().sum::<usize>() >= places.most {
            return Err(Full);
        }
        let of_client = taken.entry(client).or_default();
        if *of_client >= places.most_of_one {
            return Err(Full);
        }
        *of_client += 1;
        drop(taken);
        Ok(Place {
            client,
            places: Arc::clone(places),
        })
    }

    /// Nothing panics while the lock is held, and counts stay true if it did.
    fn lock(&self) -> MutexGuard<'_, HashMap<Client, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn client(last: u8) -> Client {
        IpAddr::from([192, 0, 2, last]).into()
    }

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn waiting_ends_when_a_seat_is_given_back() {
        let pool = Pool::new(1, 7);
        let Poll::Ready(Ok(seat)) = poll(std::pin::pin!(pool.enter(client(1)))) else {
            panic!("the first has to wait");
        };
        let mut second = std::pin::pin!(pool.enter(client(2)));
        assert!(poll(second.as_mut()).is_pending());
        drop(seat);
        assert!(matches!(poll(second.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn one_client_cannot_take_the_places_of_the_others() {
        let pool = Pool::new(1, 7);
        let mut first = std::pin::pin!(pool.enter(client(1)));
        let mut second = std::pin::pin!(pool.enter(client(1)));
        let mut third = std::pin::pin!(pool.enter(client(1)));
        let mut other = std::pin::pin!(pool.enter(client(2)));
        let seat = poll(first.as_mut());
        assert!(matches!(seat, Poll::Ready(Ok(_))));
        assert!(poll(second.as_mut()).is_pending());
        assert!(matches!(poll(third.as_mut()), Poll::Ready(Err(Full))));
        assert!(poll(other.as_mut()).is_pending());
    }

    #[test]
    fn the_queue_is_bounded_and_empties() {
        let pool = Pool::new(1, 7);
        let mut waiting: Vec<_> = (0..8).map(|n| Box::pin(pool.enter(client(n)))).collect();
        let seat = poll(waiting[0].as_mut());
        assert!(
            waiting[1..]
                .iter_mut()
                .all(|f| poll(f.as_mut()).is_pending())
        );
        let full = poll(std::pin::pin!(pool.enter(client(9))));
        assert!(matches!(full, Poll::Ready(Err(Full))));

        // Those who stop waiting leave their places, too.
        drop(waiting);
        drop(seat);
        assert!(pool.places.lock().is_empty());
        let again = poll(std::pin::pin!(pool.enter(client(9))));
        assert!(matches!(again, Poll::Ready(Ok(_))));
    }
}
