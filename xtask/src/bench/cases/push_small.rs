//! Many layers at once on their way to the disk.

use crate::bench::args::Effort;
use crate::bench::blob::Blob;
use crate::bench::bound::Bound;
use crate::bench::cases::Case;
use crate::bench::fixture::{AUTHORIZATION, Fixture, REPOSITORY};
use crate::bench::meter::Meter;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::wrk;
use crate::error::Error;

/// Blobs that the server has not seen before, each by POST, PATCH, PUT over a
/// kept connection.
#[derive(Default)]
pub(crate) struct PushSmall {
    measured: u64,
}

const CONNECTIONS: usize = 8;
const BYTES: u64 = 1 << 20;

impl Case for PushSmall {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "push-small",
                title: "100 × 1 MiB pushed (POST, PATCH, PUT), HTTP/1.1, 8 connections",
                metrics: &[
                    Metric::aimed("blobs/s", &[Aim::RatioAtLeast(4.0)]),
                    Metric::plain("server CPU-s/GiB").bounded(Bound::PushCpu),
                    Metric::plain("client CPU-s/GiB"),
                    Metric::plain("peak MiB, all processes"),
                ],
            }
        }
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        self.measured += 1;
        let directory = fixture.path(&format!("pushed-{}", self.measured));
        let blobs = Blob::many(&directory, fixture.sizes.pushed_blobs, BYTES)?;
        let script = script(&blobs);
        // Or a server would wait for the disk on behalf of its predecessor.
        rustix::fs::sync();
        server.forget_peak()?;
        let meter = Meter::begin(server)?;
        let load = wrk::Load {
            threads: CONNECTIONS,
            script: &script,
            // It ends when all is pushed; wrk waits for the end of that time.
            ..wrk::Load::get("/v2/", &[AUTHORIZATION], CONNECTIONS, 2 * effort.load)
        };
        let figures = wrk::run(server, load)?;
        let spent = meter.spent()?;
        let peak = server.peak_mib()?;
        let seconds = parse(&figures.text, blobs.len()).ok_or_else(|| Error::Answer {
            command: format!("pushes to {}", server.name),
            got: figures.text.clone(),
            expected: format!("`pushed {} MICROSECONDS`", blobs.len()),
        })?;
        for blob in &blobs {
            blob.take_from(server)?;
        }
        fs_err::remove_dir_all(&directory)?;
        let count = blobs.len() as f64;
        let [server_cpu, client_cpu] = spent.per_gib(BYTES * blobs.len() as u64);
        Ok(vec![count / seconds, server_cpu, client_cpu, peak])
    }
}

/// Each thread has one connection and every eighth blob. The clock runs from
/// the first request, its handshake included, to the last answer.
fn script(blobs: &[Blob]) -> String {
    let list: Vec<_> = blobs
        .iter()
        .map(|blob| {
            let file = blob.file.to_string_lossy();
            format!("{{ file = {file:?}, digest = {:?} }}", blob.digest)
        })
        .collect();
    format!(
        "local blobs = {{ {list} }}
local ffi = require('ffi')
ffi.cdef('struct instant {{ long seconds; long nanos; }}; int clock_gettime(int, struct instant *);')
local function now()
  local instant = ffi.new('struct instant')
  ffi.C.clock_gettime(1, instant)
  return tonumber(instant.seconds) * 1e6 + tonumber(instant.nanos) / 1e3
end

local threads = {{}}
function setup(thread)
  thread:set('id', #threads)
  table.insert(threads, thread)
end

pushed = 0
local current, step, location = nil, 'POST', nil
local bodies = {{}}
function init(args)
  current = id + 1
  for number = current, #blobs, {CONNECTIONS} do
    local file = assert(io.open(blobs[number].file, 'rb'))
    bodies[number] = file:read('*a')
    file:close()
  end
  if not blobs[current] then step = nil end
end

function request()
  if not answered then began = now() end
  if step == 'POST' then
    return wrk.format('POST', '/v2/{REPOSITORY}/blobs/uploads/', nil, '')
  elseif step == 'PATCH' then
    return wrk.format('PATCH', location, nil, bodies[current])
  elseif step == 'PUT' then
    local separator = location:find('?', 1, true) and '&' or '?'
    return wrk.format('PUT', location .. separator .. 'digest=' .. blobs[current].digest, nil, '')
  end
  return wrk.format('GET', '/v2/')
end

function response(status, headers)
  answered = true
  if step == 'POST' or step == 'PATCH' then
    if status ~= 202 then other = status; step = nil; wrk.thread:stop(); return end
    for name, value in pairs(headers) do
      if name:lower() == 'location' then location = value:gsub('^https?://[^/]*', '') end
    end
    step = step == 'POST' and 'PATCH' or 'PUT'
  elseif step == 'PUT' then
    if status ~= 201 then other = status; step = nil; wrk.thread:stop(); return end
    pushed = pushed + 1
    bodies[current] = nil
    current = current + {CONNECTIONS}
    step = blobs[current] and 'POST' or nil
    ended = now()
  end
  if not step then wrk.thread:stop() end
end

function report()
  local count, first, last, text = 0, math.huge, 0, ''
  for _, thread in ipairs(threads) do
    count = count + thread:get('pushed')
    first = math.min(first, thread:get('began') or first)
    last = math.max(last, thread:get('ended') or last)
    local other = thread:get('other')
    if other then text = text .. 'other ' .. other .. '\\n' end
  end
  return text .. string.format('pushed %d %d\\n', count, last - first)
end",
        list = list.join(", ")
    )
}

/// How long it took, in seconds; `None` if not all were pushed.
fn parse(text: &str, count: usize) -> Option<f64> {
    let mut words = text
        .lines()
        .find_map(|line| line.strip_prefix("pushed "))?
        .split(' ');
    let pushed: usize = words.next()?.parse().ok()?;
    let micros: f64 = words.next()?.parse().ok()?;
    (pushed == count && micros > 0.0).then_some(micros / 1e6)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn all_must_have_been_pushed() {
        assert_eq!(parse("x\npushed 100 250000\n", 100), Some(0.25));
        assert_eq!(parse("x\npushed 99 250000\n", 100), None);
        assert_eq!(parse("pushed 100 -5\n", 100), None);
        assert_eq!(parse("other 500\n", 100), None);
    }
}
