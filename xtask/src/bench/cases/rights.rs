//! What rights cost: the same manifest with a password alone, with 200 rules, and
//! with a token.

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{ACCEPT_MANIFEST, AUTHORIZATION, Fixture, REPOSITORY, manifest_path};
use crate::bench::kind::Kind;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::{Server, free_address};
use crate::bench::{client, wrk};
use crate::error::Error;
use crate::service::Service;

const RULES: usize = 200;

/// A second server over the same directory, with rules and a token server.
#[derive(Default)]
pub(crate) struct Rights(Option<Guarded>);

struct Guarded {
    server: Server,
    bearer: String,
}

impl Case for Rights {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "rights",
                title: "manifest GET, 16 connections: what rights cost",
                metrics: &[
                    Metric::plain("requests/s with a password"),
                    Metric::aimed("% slower with 200 rules", &[Aim::AtMost(10.0)]),
                    Metric::aimed("% slower with a token", &[Aim::AtMost(10.0)]),
                ],
            }
        }
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::PAIR
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        if server.kind == Kind::Tidegate {
            self.0 = Some(Guarded::start(server, fixture)?);
        }
        Ok(())
    }

    /// Of the recipe, which has neither, the first figure alone.
    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let rate = |server: &Server, authorization: &str| {
            let (path, headers) = (manifest_path(), [authorization, ACCEPT_MANIFEST]);
            let load = wrk::Load::get(&path, &headers, 16, effort.load);
            wrk::run(server, load).map(|figures| figures.pace.rate)
        };
        let plain = rate(server, AUTHORIZATION)?;
        let Some(guarded) = self.0.as_ref().filter(|_| server.kind == Kind::Tidegate) else {
            return Ok(vec![plain]);
        };
        let with_rules = rate(&guarded.server, AUTHORIZATION)?;
        let with_token = rate(&guarded.server, &guarded.bearer)?;
        // Before and after, so that a machine that slows down is not taken for
        // rights that cost.
        let plain = f64::midpoint(plain, rate(server, AUTHORIZATION)?);
        let slower = |rate: f64| (1.0 - rate / plain) * 100.0;
        Ok(vec![plain, slower(with_rules), slower(with_token)])
    }
}

impl Guarded {
    fn start(plain: &Server, fixture: &Fixture) -> Result<Self, Error> {
        let address = free_address()?;
        let mut text = format!(
            "[[listener]]\naddress = \"{address}\"\n\n\
             [[certificate]]\ncert = {:?}\nkey = {:?}\n\n\
             [auth]\nhtpasswd = {:?}\n\n[registry]\nroot = {:?}\n",
            plain.site.certificate, plain.site.key, fixture.htpasswd, plain.storage,
        );
        // All but the last are about others; strangers are among them, so that
        // tokens are asked for.
        for rule in 0..RULES - 1 {
            text.push_str(&format!(
                "\n[[access.rule]]\nusers = [\"user-{rule}\"]\nanonymous = true\n\
                 repositories = [\"team-{rule}/**\"]\nactions = [\"pull\", \"push\"]\n"
            ));
        }
        text.push_str("\n[[access.rule]]\nusers = [\"*\"]\nrepositories = [\"team/**\"]\n");
        let config = fixture.path("rights.toml");
        fs_err::write(&config, text)?;
        let mut command = std::process::Command::new(&plain.program);
        command.arg("serve").arg("--config").arg(&config);
        let service = Service::start("tidegate", &mut command, &fixture.path("rights.log"))?;
        let mut server = Server {
            name: "Tidegate with rules",
            kind: plain.kind,
            address,
            program: plain.program.clone(),
            storage: plain.storage.clone(),
            site: plain.site.clone(),
            client_config: fixture.client_config("rights.curl", &plain.site.authority)?,
            services: vec![service],
        };
        server.wait_until_ready()?;
        let bearer = token(&server, fixture)?;
        Ok(Self { server, bearer })
    }
}

/// The header with a token for the image.
fn token(server: &Server, fixture: &Fixture) -> Result<String, Error> {
    let file = fixture.path("token.json");
    let path = format!("/auth/token?service=tidegate&scope=repository:{REPOSITORY}:pull");
    let output = file.to_string_lossy().into_owned();
    client::expect(server, &server.url(&path), &["--output", &output], 200)?;
    let text = fs_err::read_to_string(&file)?;
    let token = text
        .split_once("\"token\":\"")
        .and_then(|(_, rest)| rest.split('"').next());
    token
        .map(|token| format!("Authorization: Bearer {token}"))
        .ok_or(Error::File {
            path: file,
            got: text.clone(),
            expected: "a token",
        })
}
