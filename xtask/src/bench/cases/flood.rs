//! Somebody tries passwords while others work.

use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{ACCEPT_MANIFEST, AUTHORIZATION, Fixture, manifest_path};
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::wrk;
use crate::error::Error;

/// Manifests as a user gets them, alone and beside a flood of wrong passwords
/// of the same user from the same address.
pub(crate) struct Flood;

const CONNECTIONS: usize = 8;
const ATTACKERS: usize = 32;

/// Each attacker waits between two attempts, or the flood would take from its
/// victim what its own client uses: the two share the cores.
const PAUSE_MS: u32 = 100;

/// Four characters of Base64 that stand for three of a password.
const GROUPS: [&str; 8] = [
    "d3Jv", "bmdf", "cGFz", "c3dv", "cmRf", "Z3Vl", "c3Nl", "ZF9h",
];

impl Case for Flood {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "flood",
                title: "manifest GET, 8 connections, beside 320 attempts a second with wrong \
                        passwords of the same user",
                metrics: &[
                    Metric::plain("requests/s alone"),
                    Metric::plain("requests/s beside the flood"),
                    Metric::aimed("% of the rate kept", &[Aim::AtLeast(80.0)]),
                    Metric::plain("p99 ms alone"),
                    Metric::plain("p99 ms beside the flood"),
                    Metric::plain("attempts refused/s"),
                ],
            }
        }
    }

    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let (path, headers) = (manifest_path(), [AUTHORIZATION, ACCEPT_MANIFEST]);
        let legitimate = wrk::Load::get(&path, &headers, CONNECTIONS, effort.load);
        let alone = wrk::run(server, legitimate)?;

        let script = guesses();
        let attack = wrk::Load {
            script: &script,
            // Two would make the same guesses.
            threads: 1,
            // It begins first and ends last.
            ..wrk::Load::get(&path, &[], ATTACKERS, effort.load + Duration::from_secs(1))
        };
        let mut flood = wrk::start(server, attack)?;
        // Its first refusal.
        flood.wait_for("refused")?;
        let beside = wrk::run(server, legitimate)?;
        let flood = flood.finish()?;
        if flood.refused != flood.requests {
            return Err(Error::Answer {
                command: format!("{} wrong passwords for {}", flood.requests, server.name),
                got: format!("{} refusals", flood.refused),
                expected: "nothing else".to_owned(),
            });
        }
        Ok(vec![
            alone.pace.rate,
            beside.pace.rate,
            beside.pace.rate / alone.pace.rate * 100.0,
            alone.pace.p99_ms,
            beside.pace.p99_ms,
            flood.pace.rate,
        ])
    }
}

/// Another password of [`USER`](crate::bench::fixture::USER) each time.
fn guesses() -> String {
    let groups = GROUPS.map(|group| format!("\"{group}\"")).join(", ");
    format!(
        "local groups = {{ {groups} }}
function init(args) math.randomseed(os.time()) end
function delay() return {PAUSE_MS} end
function request()
  -- `bench:`, which ends where a group does.
  local text = {{ 'YmVuY2g6' }}
  for i = 2, 9 do text[i] = groups[math.random(#groups)] end
  wrk.headers['Authorization'] = 'Basic ' .. table.concat(text)
  return wrk.format()
end
local told = false
function response(status)
  if told then return end
  told = true
  io.write('refused\\n')
  io.flush()
end"
    )
}

#[cfg(test)]
mod tests {
    use super::guesses;
    use crate::bench::fixture::AUTHORIZATION;

    #[test]
    fn the_flood_is_about_the_same_user() {
        let user = "YmVuY2g6";
        assert!(AUTHORIZATION.starts_with(&format!("Authorization: Basic {user}")));
        assert!(guesses().contains(&format!("'{user}'")));
    }
}
