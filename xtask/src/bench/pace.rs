//! How a server bears a load of equal requests.

use crate::bench::meter::Spent;
use crate::bench::metric::Metric;

/// What a load generator counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// Answers received.
    pub(crate) count: f64,
    /// Answers a second.
    pub(crate) rate: f64,
    /// Half of the answers took no longer.
    pub(crate) p50_ms: f64,
    /// 99 of 100 answers took no longer.
    pub(crate) p99_ms: f64,
}

impl Pace {
    /// What [`Pace::with_cost`] gives, for loads whose every answer is a
    /// request answered.
    pub(crate) const METRICS: &'static [Metric] = &Self::metrics(
        Metric::plain("requests/s"),
        Metric::plain("p99 ms"),
        [REQUEST_SERVER_CPU, REQUEST_CLIENT_CPU],
    );

    /// The same, where the answers are called something else, or something is
    /// aimed at.
    pub(crate) const fn metrics(rate: Metric, p99: Metric, cpu: [&'static str; 2]) -> [Metric; 5] {
        let [server, client] = cpu;
        [
            rate,
            Metric::plain("p50 ms"),
            p99,
            Metric::plain(server),
            Metric::plain(client),
        ]
    }

    /// A figure for each metric.
    pub(crate) fn with_cost(self, spent: &Spent) -> Vec<f64> {
        let [server, client] = spent.micros_each(self.count);
        vec![self.rate, self.p50_ms, self.p99_ms, server, client]
    }
}

/// What the server spends on a request.
pub(crate) const REQUEST_SERVER_CPU: &str = "server CPU µs/request";
/// What the load generator spends on one.
pub(crate) const REQUEST_CLIENT_CPU: &str = "client CPU µs/request";

#[cfg(test)]
mod tests {
    use super::Pace;
    use crate::bench::meter::Spent;

    #[test]
    fn there_is_a_figure_for_each_metric() {
        let pace = Pace {
            count: 1000.0,
            rate: 200.0,
            p50_ms: 1.0,
            p99_ms: 3.0,
        };
        let spent = Spent {
            wall: 5.0,
            server: 2.0,
            clients: 0.5,
        };
        let figures = pace.with_cost(&spent);
        assert_eq!(figures, [200.0, 1.0, 3.0, 2000.0, 500.0]);
        assert_eq!(figures.len(), Pace::METRICS.len());
    }
}
