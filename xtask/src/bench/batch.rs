//! Many different requests at once, by one curl.

use std::path::Path;

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

/// Sends all `requests` over so many connections and returns their answers in
/// the same order. Each must have the status that means success.
pub(crate) fn run(
    server: &Server,
    connections: usize,
    requests: &[Request<'_>],
) -> Result<Vec<Answer>, Error> {
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
    let mut curl = process::command("curl");
    curl.args(["--disable", "--parallel", "--parallel-max"])
        .arg(connections.to_string())
        .arg("--config")
        .arg(&file);
    let said = process::output(&mut curl)?;
    let mut answers: Vec<Option<Answer>> = vec![None; requests.len()];
    for line in said.lines() {
        let answer = line.split_once(' ').and_then(|(number, figures)| {
            let number: usize = number.parse().ok()?;
            let headers = fs_err::read_to_string(scratch.path().join(number.to_string())).ok()?;
            let answer = client::parse(&format!("{headers}\n{figures}\n"))?;
            Some((answers.get_mut(number)?, answer))
        });
        let Some((place, answer)) = answer else {
            return Err(unexpected(server, line));
        };
        *place = Some(answer);
    }
    requests
        .iter()
        .zip(answers)
        .map(|(request, answer)| {
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
        })
        .collect()
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

    use super::Request;

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
    fn every_kind_has_its_own_success() {
        let url = || "https://h".to_owned();
        assert_eq!(Request::Get(url()).success(), 200);
        assert_eq!(Request::Post(url()).success(), 202);
        assert_eq!(Request::Patch(url(), Path::new("/b")).success(), 202);
        assert_eq!(Request::Put(url()).success(), 201);
    }
}
