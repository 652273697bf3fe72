//! Which of several servers is asked next.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_config::site::UpstreamServer;
use tokio::time::Instant;

/// Shares requests among servers by their weights, smoothly: of two with the
/// weights 2 and 1, `a a b` is never asked as `a a` and then `b` where `a b a`
/// is as good. Servers that fail are left alone for a while.
#[derive(Debug)]
pub(crate) struct Balancer {
    servers: Box<[Server]>,
    state: Mutex<Box<[State]>>,
}

#[derive(Debug)]
struct Server {
    weight: i64,
    is_backup: bool,
    is_down: bool,
    max_fails: u32,
    fail_timeout: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    current: i64,
    /// The weight, less what failures have taken of it.
    effective: i64,
    fails: u32,
    failed_at: Option<Instant>,
}

impl Balancer {
    pub(crate) fn new(servers: &[UpstreamServer]) -> Self {
        let servers = servers.iter().map(|server| Server {
            weight: i64::from(server.weight.max(1)),
            is_backup: server.is_backup,
            is_down: server.is_down,
            max_fails: server.max_fails,
            fail_timeout: server.fail_timeout,
        });
        let servers: Box<[_]> = servers.collect();
        let states = servers.iter().map(|server| State {
            effective: server.weight,
            ..State::default()
        });
        Self {
            state: Mutex::new(states.collect()),
            servers,
        }
    }

    /// The next server that is not among those `tried`; backups only if no other
    /// can be asked. `None` if none is left.
    pub(crate) fn next(&self, tried: &[usize], now: Instant) -> Option<usize> {
        let mut states = self.lock();
        self.best(&mut states, tried, now, false)
            .or_else(|| self.best(&mut states, tried, now, true))
    }

    /// Whether [`Balancer::next`] would find one.
    pub(crate) fn has_another(&self, tried: &[usize], now: Instant) -> bool {
        let states = self.lock();
        let mut servers = self.servers.iter().zip(states.iter()).enumerate();
        servers.any(|(index, (server, state))| {
            !tried.contains(&index) && self.may_be_asked(server, state, now)
        })
    }

    /// `server` could not be reached, or did not answer.
    pub(crate) fn failed(&self, server: usize, now: Instant) {
        let mut states = self.lock();
        let (Some(state), Some(server)) = (states.get_mut(server), self.servers.get(server)) else {
            return;
        };
        if state.is_forgiven(server, now) {
            state.fails = 0;
        }
        state.fails = state.fails.saturating_add(1);
        state.failed_at = Some(now);
        if server.max_fails > 0 {
            let less = server.weight / i64::from(server.max_fails);
            state.effective = (state.effective - less).max(0);
        }
    }

    /// `server` has answered.
    pub(crate) fn answered(&self, server: usize) {
        let mut states = self.lock();
        if let Some(state) = states.get_mut(server) {
            state.fails = 0;
            state.failed_at = None;
        }
    }

    fn best(
        &self,
        states: &mut [State],
        tried: &[usize],
        now: Instant,
        backups: bool,
    ) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, (server, state)) in self.servers.iter().zip(states.iter_mut()).enumerate() {
            if server.is_backup != backups
                || tried.contains(&index)
                || !self.may_be_asked(server, state, now)
            {
                continue;
            }
            state.current += state.effective;
            total += state.effective;
            state.effective = (state.effective + 1).min(server.weight);
            if best.is_none_or(|(_, current)| state.current > current) {
                best = Some((index, state.current));
            }
        }
        let (index, _) = best?;
        states[index].current -= total;
        Some(index)
    }

    /// One that is alone is asked though it failed: there is no other.
    fn may_be_asked(&self, server: &Server, state: &State, now: Instant) -> bool {
        !server.is_down && (self.servers.len() == 1 || !state.is_resting(server, now))
    }

    fn lock(&self) -> MutexGuard<'_, Box<[State]>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_forgiven(&self, server: &Server, now: Instant) -> bool {
        self.failed_at
            .is_none_or(|at| now.saturating_duration_since(at) > server.fail_timeout)
    }

    fn is_resting(&self, server: &Server, now: Instant) -> bool {
        server.max_fails > 0 && self.fails >= server.max_fails && !self.is_forgiven(server, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(weight: u32) -> UpstreamServer {
        UpstreamServer {
            to: "http://127.0.0.1:1".parse().unwrap(),
            weight,
            is_backup: false,
            is_down: false,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
        }
    }

    fn turns(balancer: &Balancer, count: usize) -> Vec<usize> {
        let now = Instant::now();
        (0..count)
            .map(|_| balancer.next(&[], now).unwrap())
            .collect()
    }

    #[test]
    fn weights_are_shared_smoothly() {
        let balancer = Balancer::new(&[server(5), server(1), server(1)]);
        assert_eq!(turns(&balancer, 7), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn one_that_fails_rests_and_comes_back() {
        let balancer = Balancer::new(&[server(1), server(1)]);
        let start = Instant::now();
        balancer.failed(0, start);
        assert_eq!(turns(&balancer, 3), [1, 1, 1]);
        let later = start + Duration::from_secs(11);
        let turns: Vec<_> = (0..4).map(|_| balancer.next(&[], later).unwrap()).collect();
        assert!(turns.contains(&0), "{turns:?}");
        balancer.failed(1, later);
        balancer.answered(1);
        assert!((0..2).any(|_| balancer.next(&[], later) == Some(1)));
    }

    #[test]
    fn a_backup_is_asked_last() {
        let backup = UpstreamServer {
            is_backup: true,
            ..server(9)
        };
        let down = UpstreamServer {
            is_down: true,
            ..server(9)
        };
        let balancer = Balancer::new(&[backup, server(1), down]);
        let now = Instant::now();
        assert_eq!(balancer.next(&[], now), Some(1));
        assert_eq!(balancer.next(&[1], now), Some(0));
        assert_eq!(balancer.next(&[1, 0], now), None);
        balancer.failed(1, now);
        assert_eq!(balancer.next(&[], now), Some(0));
    }

    #[test]
    fn one_alone_is_asked_though_it_failed() {
        let balancer = Balancer::new(&[server(1)]);
        let now = Instant::now();
        balancer.failed(0, now);
        assert_eq!(balancer.next(&[], now), Some(0));
        assert_eq!(balancer.next(&[0], now), None);
    }

    #[test]
    fn without_max_fails_nothing_counts() {
        let patient = UpstreamServer {
            max_fails: 0,
            ..server(1)
        };
        let balancer = Balancer::new(&[patient.clone(), patient]);
        let now = Instant::now();
        balancer.failed(0, now);
        assert_eq!(turns(&balancer, 2), [0, 1]);
    }

    proptest! {
        #[test]
        fn each_has_its_share(weights in proptest::collection::vec(1u32..6, 1..5)) {
            let servers: Vec<_> = weights.iter().map(|&weight| server(weight)).collect();
            let total: u32 = weights.iter().sum();
            let turns = turns(&Balancer::new(&servers), total as usize);
            for (index, &weight) in weights.iter().enumerate() {
                let count = turns.iter().filter(|&&turn| turn == index).count();
                prop_assert_eq!(count, weight as usize);
            }
        }
    }
}
