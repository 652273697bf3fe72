//! Messages go to standard error, the access log to standard output.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use tidegate_config::{Log, LogFormat};
use tidegate_failure::Failure;
use tidegate_proxy::LOG_DIRECTIVES;
use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// The target of the lines that the front writes for each request.
const ACCESS: &str = "tidegate::access";

/// Lines of the access log that may wait for a slow reader before lines are
/// dropped: a blocked terminal must not stop the registry.
const WAITING_LINES: usize = 65_536;

/// How long lines of the access log gather before they are written. To wake the
/// thread that writes them for each request costs a fifth of a small request.
const GATHERING: Duration = Duration::from_millis(20);

/// Starts the log. The lines that still wait are written when the guard is
/// dropped.
pub(crate) fn start(log: &Log) -> Result<WorkerGuard, Failure> {
    // What the file says comes last, and so decides where both name a target.
    let directives = format!("{ACCESS}=off,{LOG_DIRECTIVES},{}", log.level);
    let filter = EnvFilter::try_new(directives)
        .map_err(|e| Failure::new(format!("`log.level` = \"{}\": {e}", log.level)))?;
    let messages = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let messages = match log.format {
        LogFormat::Text => messages.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => messages.json().flatten_event(true).boxed(),
    };

    let (stdout, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .lossy(true)
        .finish(block_buffered_stdout()?);
    let access = tracing_subscriber::fmt::layer()
        .with_writer(stdout)
        .with_ansi(false)
        .fmt_fields(MessageOnly)
        .event_format(MessageOnly)
        .with_filter(Targets::new().with_target(ACCESS, LevelFilter::INFO));

    tracing_subscriber::registry()
        .with(messages.with_filter(filter))
        .with(access)
        .init();
    Ok(guard)
}

/// Standard output, written when nothing waits any more and not at the end of
/// each line: that would be a system call for each request.
fn block_buffered_stdout() -> Result<Unhurried<BufWriter<File>>, Failure> {
    let stdout = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| Failure::new("standard output cannot be used").caused_by(Some(&e)))?;
    let writer = BufWriter::with_capacity(64 * 1024, File::from(stdout));
    Ok(Unhurried(writer))
}

/// A writer that rests after each flush, which its thread calls when nothing
/// waits any more: what comes meanwhile waits in the queue and wakes nobody.
struct Unhurried<W>(W);

impl<W: Write> Write for Unhurried<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that does nothing else, and has nothing to do"
    )]
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        thread::sleep(GATHERING);
        Ok(())
    }
}

/// Writes an event's message and nothing else.
struct MessageOnly;

impl<S, N> FormatEvent<S, N> for MessageOnly
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

impl<'w> FormatFields<'w> for MessageOnly {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = MessageVisitor {
            writer,
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct MessageVisitor<'w> {
    writer: Writer<'w>,
    result: fmt::Result,
}

impl tracing::field::Visit for MessageVisitor<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        if field.name() == "message" && self.result.is_ok() {
            self.result = write!(self.writer, "{value:?}");
        }
    }
}
