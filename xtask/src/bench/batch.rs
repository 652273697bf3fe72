//! Many different requests at once, by one curl.

use std::path::Path;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::bench::client::{self, Answer};
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// One of the requests of a batch, over HTTP/1.1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request<'a> {
    /// Downloads a blob.
    Get(String),
    /// Begins an upload.
    Post(String),
    /// Uploads a file whose length it does not tell.
    Patch(String, &'a Path),
    /// Ends an upload.
    Put(String),
}

/// A curl that sends them.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    server: &'a Server,
    requests: &'a [Request<'a>],
    scratch: TempDir,
    command: Command,
    child: Child,
}

/// Sends all `requests` over so many connections and returns their answers in
/// the same order. Each must have the status that means success.
pub(crate) fn run(
    server: &Server,
    connections: usize,
    requests: &[Request<'_>],
) -> Result<Vec<Answer>, Error> {
    start(server, connections, requests)?.finish()
}

/// Begins to send all `requests` over so many connections.
pub(crate) fn start<'a>(
    server: &'a Server,
    connections: usize,
    requests: &'a [Request<'a>],
) -> Result<Running<'a>, Error> {
    let scratch = tempfile::tempdir()?;
    let common = fs_err::read_to_string(&server.client_config)?;
    let mut config = String::new();
    for (number, request) in requests.iter().enumerate() {
        if number > 0 {
            config.push_str("next\n");
        }
        config.push_str(&common);
        let headers = scratch.path().join(number.to_string());
        config.push_str(&request.lines(number, &headers));
    }
    let file = scratch.path().join("config");
    fs_err::write(&file, config)?;
    let mut command = process::command("curl");
    command
        .args(["--disable", "--parallel", "--parallel-max"])
        .arg(connections.to_string())
        .arg("--config")
        .arg(&file);
    let child = process::start_quiet(&mut command)?;
    Ok(Running {
        server,
        requests,
        scratch,
        command,
        child,
    })
}

impl Running<'_> {
    /// Waits for all answers.
    pub(crate) fn finish(self) -> Result<Vec<Answer>, Error> {
        let (said, _) = process::finish(&self.command, self.child)?;
        let mut answers: Vec<Option<Answer>> = vec![None; self.requests.len()];
        for line in said.lines() {
            let Some((number, answer)) = parse(line, self.scratch.path()) else {
                return Err(unexpected(self.server, line));
            };
            if let Some(place) = answers.get_mut(number) {
                *place = Some(answer);
            }
        }
        let each = self.requests.iter().zip(answers);
        each.map(|(request, answer)| succeeded(self.server, request, answer))
            .collect()
    }
}

fn succeeded(
    server: &Server,
    request: &Request<'_>,
    answer: Option<Answer>,
) -> Result<Answer, Error> {
    let answer = answer.ok_or_else(|| unexpected(server, "fewer answers than requests"))?;
    if answer.status == request.success() {
        return Ok(answer);
    }
    Err(Error::Status {
        server: server.name,
        request: format!("{request:?}"),
        got: answer.status,
        expected: request.success(),
    })
}

/// The number of a request, and its answer.
fn parse(line: &str, scratch: &Path) -> Option<(usize, Answer)> {
    let (number, figures) = line.split_once(' ')?;
    let number: usize = number.parse().ok()?;
    let headers = fs_err::read_to_string(scratch.join(number.to_string())).ok()?;
    let answer = client::parse(&format!("{headers}\n{figures}\n"))?;
    Some((number, answer))
}

impl Request<'_> {
    fn success(&self) -> u16 {
        match self {
            Self::Get(_) => 200,
            Self::Post(_) | Self::Patch(..) => 202,
            Self::Put(_) => 201,
        }
    }

    /// In curl's format of a configuration file.
    fn lines(&self, number: usize, headers: &Path) -> String {
        let (url, more) = match self {
            Self::Get(url) => (url, String::new()),
            Self::Post(url) => (url, "request = \"POST\"\n".to_owned()),
            Self::Put(url) => (url, "request = \"PUT\"\n".to_owned()),
            Self::Patch(url, file) => (
                url,
                format!(
                    "request = \"PATCH\"\nupload-file = \"{}\"\n\
                     header = \"Content-Type: application/octet-stream\"\n\
                     header = \"Transfer-Encoding: chunked\"\nheader = \"Expect:\"\n",
                    file.display()
                ),
            ),
        };
        format!(
            "url = \"{url}\"\n{more}http1.1\nsilent\nshow-error\nnoproxy = \"*\"\n\
             output = \"/dev/null\"\ndump-header = \"{}\"\n\
             write-out = \"{number} %{{http_code}} %{{http_version}} %{{time_total}} \
             %{{size_download}}\\n\"\n",
            headers.display()
        )
    }
}

fn unexpected(server: &Server, got: &str) -> Error {
    Error::Answer {
        command: format!("a batch of requests to {}", server.name),
        got: got.to_owned(),
        expected: "a line of figures for each request".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Request, parse};

    #[test]
    fn an_upload_tells_no_length_and_does_not_wait() {
        let lines =
            Request::Patch("https://h/u".to_owned(), Path::new("/b")).lines(7, Path::new("/d/7"));
        for line in [
            "url = \"https://h/u\"",
            "request = \"PATCH\"",
            "upload-file = \"/b\"",
            "header = \"Transfer-Encoding: chunked\"",
            "header = \"Expect:\"",
            "dump-header = \"/d/7\"",
        ] {
            assert!(
                lines.lines().any(|found| found == line),
                "{line} in {lines}"
            );
        }
        assert!(lines.contains("write-out = \"7 %{http_code} "), "{lines}");
    }

    #[test]
    fn an_answer_is_put_together_from_its_headers_and_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let headers = "HTTP/1.1 202 Accepted\r\nLocation: /v2/u\r\n\r\n";
        fs_err::write(dir.path().join("12"), headers).unwrap();
        let (number, answer) = parse("12 202 1.1 0.5 0", dir.path()).unwrap();
        assert_eq!((number, answer.status), (12, 202));
        assert_eq!(answer.location.as_deref(), Some("/v2/u"));
        assert_eq!(parse("13 202 1.1 0.5 0", dir.path()), None);
        assert_eq!(parse("12 202", dir.path()), None);
    }

    #[test]
    fn every_kind_has_its_own_success() {
        let url = || "https://h".to_owned();
        assert_eq!(Request::Get(url()).success(), 200);
        assert_eq!(Request::Post(url()).success(), 202);
        assert_eq!(Request::Patch(url(), Path::new("/b")).success(), 202);
        assert_eq!(Request::Put(url()).success(), 201);
    }
}
