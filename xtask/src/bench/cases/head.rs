//! What a push asks first: whether a blob is there already.

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{AUTHORIZATION, Fixture};
use crate::bench::h2load;
use crate::bench::kind::Kind;
use crate::bench::meter::Meter;
use crate::bench::pace::Pace;
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;

/// HEAD of a blob over kept connections. Over HTTP/2, for no load generator for
/// HTTP/1.1 understands that such an answer has no body.
pub(crate) struct HeadBlob;

const CONNECTIONS: usize = 16;

impl Case for HeadBlob {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "head",
                title: "blob HEAD with a password, HTTP/2, 16 connections",
                metrics: Pace::METRICS,
            }
        }
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::ALL
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let path = fixture.layer.path();
        let meter = Meter::begin(server)?;
        let pace = h2load::run(
            server,
            "HEAD",
            &path,
            &[AUTHORIZATION],
            CONNECTIONS,
            effort.load,
        )?;
        Ok(pace.with_cost(&meter.spent()?))
    }
}
