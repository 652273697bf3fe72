//! What is counted of requests: `registry_http_…`.

use std::array;
use std::sync::OnceLock;
use std::time::Instant;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Metrics;

/// What a request was for, as distribution names its routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    Base,
    Blob,
    BlobUpload,
    BlobUploadChunk,
    Catalog,
    Manifest,
    Referrers,
    Tags,
    /// `/`, and what has no route.
    Other,
}

impl Handler {
    const ALL: [Self; 9] = [
        Self::Base,
        Self::Blob,
        Self::BlobUpload,
        Self::BlobUploadChunk,
        Self::Catalog,
        Self::Manifest,
        Self::Referrers,
        Self::Tags,
        Self::Other,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Blob => "blob",
            Self::BlobUpload => "blob_upload",
            Self::BlobUploadChunk => "blob_upload_chunk",
            Self::Catalog => "catalog",
            Self::Manifest => "manifest",
            Self::Referrers => "referrers",
            Self::Tags => "tags",
            Self::Other => "other",
        }
    }
}

const METHODS: [&str; 7] = ["get", "head", "put", "post", "patch", "delete", "other"];

fn index_of_method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::PUT => 2,
        Method::POST => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        _ => 6,
    }
}

/// What the registry answers with. Others would be counted under the last.
const CODES: [u16; 24] = [
    200, 201, 202, 204, 206, 301, 304, 308, 400, 401, 403, 404, 405, 406, 409, 413, 416, 429, 499,
    500, 501, 503, 507, OTHER_CODE,
];
const OTHER_CODE: u16 = 0;

/// The client was gone before there was an answer; nginx's number for it, which
/// distribution logs as well.
const CLIENT_GONE: u16 = 499;

fn index_of_code(code: u16) -> usize {
    CODES
        .iter()
        .position(|known| *known == code)
        .unwrap_or(CODES.len() - 1)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TotalLabels {
    code: u16,
    handler: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    handler: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabels {
    handler: &'static str,
}

/// Distribution's buckets, in seconds.
#[derive(Clone)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new([
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0,
        ])
    }
}

/// Distribution's buckets: 1 KiB to 2 GiB.
#[derive(Clone)]
struct Sizes;

impl MetricConstructor<Histogram> for Sizes {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(1024.0, 2.0, 22))
    }
}

/// The metrics of requests, with the handles of those that have been used.
pub(crate) struct HttpMetrics {
    totals: Family<TotalLabels, Counter>,
    durations: Family<DurationLabels, Histogram, Durations>,
    by_handler: [ByHandler; Handler::ALL.len()],
    received_bytes: Counter,
    sent_bytes: Counter,
}

struct ByHandler {
    in_flight: Gauge,
    request_size: Histogram,
    response_size: Histogram,
    by_method: [ByMethod; METHODS.len()],
}

/// Made at the first use: what was never asked for is not shown.
#[derive(Default)]
struct ByMethod {
    duration: OnceLock<Histogram>,
    totals: [OnceLock<Counter>; CODES.len()],
}

impl HttpMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let in_flight = Family::<HandlerLabels, Gauge>::default();
        let request_sizes = Family::<HandlerLabels, Histogram, Sizes>::new_with_constructor(Sizes);
        let response_sizes = Family::<HandlerLabels, Histogram, Sizes>::new_with_constructor(Sizes);
        let by_handler = array::from_fn(|index| {
            let labels = HandlerLabels {
                handler: Handler::ALL[index].as_str(),
            };
            ByHandler {
                in_flight: in_flight.get_or_create_owned(&labels),
                request_size: request_sizes.get_or_create_owned(&labels),
                response_size: response_sizes.get_or_create_owned(&labels),
                by_method: array::from_fn(|_| ByMethod::default()),
            }
        });
        let metrics = Self {
            totals: Family::default(),
            durations: Family::new_with_constructor(Durations),
            by_handler,
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
        };
        registry.register(
            "in_flight_requests",
            "The in-flight HTTP requests",
            in_flight,
        );
        registry.register(
            "request_duration_seconds",
            "The HTTP request latencies in seconds",
            metrics.durations.clone(),
        );
        registry.register(
            "request_size_bytes",
            "The HTTP request sizes in bytes",
            request_sizes,
        );
        registry.register(
            "response_size_bytes",
            "The HTTP response sizes in bytes",
            response_sizes,
        );
        registry.register(
            "requests",
            "Total number of HTTP requests made",
            metrics.totals.clone(),
        );
        registry.register(
            "received_bytes",
            "Bytes of request bodies, counted as they come",
            metrics.received_bytes.clone(),
        );
        registry.register(
            "sent_bytes",
            "Bytes of response bodies, counted as they go",
            metrics.sent_bytes.clone(),
        );
        metrics
    }

    fn duration(&self, handler: Handler, method: usize) -> &Histogram {
        let slot = &self.by_handler[handler as usize].by_method[method].duration;
        slot.get_or_init(|| {
            self.durations.get_or_create_owned(&DurationLabels {
                handler: handler.as_str(),
                method: METHODS[method],
            })
        })
    }

    fn total(&self, handler: Handler, method: usize, code: u16) -> &Counter {
        let index = index_of_code(code);
        let slot = &self.by_handler[handler as usize].by_method[method].totals[index];
        slot.get_or_init(|| {
            self.totals.get_or_create_owned(&TotalLabels {
                code: CODES[index],
                handler: handler.as_str(),
                method: METHODS[method],
            })
        })
    }
}

/// A request that is being answered. It is counted when this is dropped: after
/// the last byte of the answer, or when the client has gone.
pub(crate) struct InFlight {
    metrics: Metrics,
    handler: Handler,
    method: usize,
    started: Instant,
    code: Option<StatusCode>,
    sent: u64,
}

impl InFlight {
    pub(crate) fn begin(metrics: &Metrics, handler: Handler, method: &Method) -> Self {
        metrics.http().by_handler[handler as usize].in_flight.inc();
        Self {
            metrics: metrics.clone(),
            handler,
            method: index_of_method(method),
            started: Instant::now(),
            code: None,
            sent: 0,
        }
    }

    /// The answer is this.
    pub(crate) fn answered(&mut self, code: StatusCode) {
        self.code = Some(code);
    }

    /// Bytes of the answer are on their way.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
        self.metrics.http().sent_bytes.inc_by(bytes);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let code = match self.code {
            Some(code) => code.as_u16(),
            // Whoever called this turns a panic into a 500.
            None if std::thread::panicking() => 500,
            None => CLIENT_GONE,
        };
        let http = self.metrics.http();
        let handler = &http.by_handler[self.handler as usize];
        handler.in_flight.dec();
        #[expect(clippy::cast_precision_loss, reason = "a sum of 2^53 bytes is exact")]
        handler.response_size.observe(self.sent as f64);
        http.duration(self.handler, self.method)
            .observe(self.started.elapsed().as_secs_f64());
        http.total(self.handler, self.method, code).inc();
    }
}

/// The body of a request that comes in. It is counted when this is dropped.
pub(crate) struct Received {
    metrics: Metrics,
    handler: Handler,
    bytes: u64,
}

impl Received {
    pub(crate) fn begin(metrics: &Metrics, handler: Handler) -> Self {
        Self {
            metrics: metrics.clone(),
            handler,
            bytes: 0,
        }
    }

    /// Bytes have come.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.metrics.http().received_bytes.inc_by(bytes);
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        #[expect(clippy::cast_precision_loss, reason = "a sum of 2^53 bytes is exact")]
        self.metrics.http().by_handler[self.handler as usize]
            .request_size
            .observe(self.bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use super::*;

    fn lines(metrics: &Metrics) -> Vec<String> {
        metrics.exposition().lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn assert_has(metrics: &Metrics, line: &str) {
        let lines = lines(metrics);
        assert!(lines.iter().any(|l| l == line), "{line}\n{lines:#?}");
    }

    #[test]
    fn a_handler_is_at_the_place_of_its_number() {
        for (index, handler) in Handler::ALL.into_iter().enumerate() {
            assert_eq!(handler as usize, index);
        }
    }

    #[test]
    fn a_request_is_counted_once_it_is_over() {
        let metrics = Metrics::new();
        let mut request = InFlight::begin(&metrics, Handler::Manifest, &Method::GET);
        assert_has(
            &metrics,
            "registry_http_in_flight_requests{handler=\"manifest\"} 1",
        );
        request.answered(StatusCode::OK);
        request.sent(1000);
        request.sent(48);
        assert_has(&metrics, "registry_http_sent_bytes_total 1048");
        assert!(
            !lines(&metrics)
                .iter()
                .any(|l| l.starts_with("registry_http_requests_total"))
        );
        drop(request);
        for line in [
            "registry_http_in_flight_requests{handler=\"manifest\"} 0",
            "registry_http_requests_total{code=\"200\",handler=\"manifest\",method=\"get\"} 1",
            "registry_http_request_duration_seconds_count{handler=\"manifest\",method=\"get\"} 1",
            "registry_http_response_size_bytes_sum{handler=\"manifest\"} 1048.0",
            "registry_http_response_size_bytes_bucket{le=\"1024.0\",handler=\"manifest\"} 0",
            "registry_http_response_size_bytes_bucket{le=\"2048.0\",handler=\"manifest\"} 1",
        ] {
            assert_has(&metrics, line);
        }
    }

    #[test]
    fn who_goes_before_the_answer_is_counted_apart() {
        let metrics = Metrics::new();
        drop(InFlight::begin(&metrics, Handler::Blob, &Method::HEAD));
        assert_has(
            &metrics,
            "registry_http_requests_total{code=\"499\",handler=\"blob\",method=\"head\"} 1",
        );
        let panics = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let _request = InFlight::begin(&metrics, Handler::Blob, &Method::PUT);
            panic!("a defect");
        }));
        assert!(panics.is_err());
        assert_has(
            &metrics,
            "registry_http_requests_total{code=\"500\",handler=\"blob\",method=\"put\"} 1",
        );
    }

    #[test]
    fn any_code_and_method_is_counted_somewhere() {
        let metrics = Metrics::new();
        let mut request =
            InFlight::begin(&metrics, Handler::Other, &"BREW".parse::<Method>().unwrap());
        request.answered(StatusCode::IM_A_TEAPOT);
        drop(request);
        assert_has(
            &metrics,
            "registry_http_requests_total{code=\"0\",handler=\"other\",method=\"other\"} 1",
        );
    }

    #[test]
    fn what_comes_in_is_counted_as_it_comes() {
        let metrics = Metrics::new();
        let mut body = Received::begin(&metrics, Handler::BlobUploadChunk);
        body.received(10);
        assert_has(&metrics, "registry_http_received_bytes_total 10");
        body.received(5);
        drop(body);
        assert_has(
            &metrics,
            "registry_http_request_size_bytes_sum{handler=\"blob_upload_chunk\"} 15.0",
        );
    }
}
