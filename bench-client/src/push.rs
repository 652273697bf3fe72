//! Pushes, each by POST, PATCH and PUT.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Method, Request, StatusCode, Url};
use tokio::task::JoinSet;

use crate::Error;
use crate::plan::Plan;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A connection, and what is pushed over it.
#[derive(Debug)]
pub(crate) struct Pusher {
    client: Client,
    uploads: Url,
    blobs: VecDeque<Blob>,
}

#[derive(Debug)]
struct Blob {
    bytes: Bytes,
    digest: String,
}

/// One for each connection of `plan`, with every blob in memory.
pub(crate) fn clients(plan: &Plan) -> Result<Vec<Pusher>, Error> {
    let authority =
        Certificate::from_pem(&fs_err::read(&plan.authority)?).map_err(Error::Client)?;
    let mut authorization =
        HeaderValue::from_str(&plan.authorization).map_err(|_| Error::Header("authorization"))?;
    authorization.set_sensitive(true);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
    let uploads = Url::parse(&plan.uploads).map_err(|_| Error::Place {
        at: "uploads",
        got: plan.uploads.clone(),
    })?;
    let mut pushers = Vec::new();
    let connections = plan.connections.get();
    for first in 0..connections {
        let own = plan.blobs.iter().skip(first).step_by(connections);
        let blobs = own
            .map(|blob| {
                Ok(Blob {
                    bytes: fs_err::read(&blob.file)?.into(),
                    digest: blob.digest.clone(),
                })
            })
            .collect::<Result<_, Error>>()?;
        // Of its own, so that no connection is shared or waits in a pool.
        let client = Client::builder()
            .http1_only()
            .no_proxy()
            .tls_certs_only([authority.clone()])
            .default_headers(headers.clone())
            .timeout(LIMIT)
            .build()
            .map_err(Error::Client)?;
        pushers.push(Pusher {
            client,
            uploads: uploads.clone(),
            blobs,
        });
    }
    Ok(pushers)
}

/// Pushes all and returns how long it took, handshakes included.
pub(crate) async fn all(pushers: Vec<Pusher>) -> Result<Duration, Error> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for pusher in pushers {
        running.spawn(pusher.run());
    }
    while let Some(done) = running.join_next().await {
        done.expect("no pusher panics")?;
    }
    Ok(begun.elapsed())
}

impl Pusher {
    async fn run(mut self) -> Result<(), Error> {
        while let Some(blob) = self.blobs.pop_front() {
            let begin = Request::new(Method::POST, self.uploads.clone());
            let place = self.moved("POST", begin).await?;
            let mut patch = Request::new(Method::PATCH, place);
            *patch.body_mut() = Some(blob.bytes.into());
            let mut end = self.moved("PATCH", patch).await?;
            end.query_pairs_mut().append_pair("digest", &blob.digest);
            self.send("PUT", Request::new(Method::PUT, end), StatusCode::CREATED)
                .await?;
        }
        Ok(())
    }

    /// Sends what is answered with the place to go on at.
    async fn moved(&self, name: &'static str, request: Request) -> Result<Url, Error> {
        let answer = self.send(name, request, StatusCode::ACCEPTED).await?;
        let location = answer.get(LOCATION).map_or(&b""[..], HeaderValue::as_bytes);
        let location = String::from_utf8_lossy(location);
        let place = Some(&*location).filter(|place| !place.is_empty());
        place
            .and_then(|place| self.uploads.join(place).ok())
            .ok_or_else(|| Error::Place {
                at: name,
                got: location.to_string(),
            })
    }

    async fn send(
        &self,
        name: &'static str,
        request: Request,
        expected: StatusCode,
    ) -> Result<HeaderMap, Error> {
        let failed = |source| Error::NoAnswer {
            request: name,
            source,
        };
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        if answer.status() != expected {
            return Err(Error::Status {
                request: name,
                got: answer.status().as_u16(),
                expected: expected.as_u16(),
            });
        }
        let headers = std::mem::take(answer.headers_mut());
        // Or the connection would not be kept.
        answer.bytes().await.map_err(failed)?;
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::num::NonZeroUsize;
    use std::thread;

    use super::{all, clients};
    use crate::Error;
    use crate::plan::{Blob, Plan};

    /// A server for one connection: takes as many requests as it has answers,
    /// and returns them.
    fn server(answers: &'static [&'static str]) -> (u16, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let requests = answers.iter().map(|answer| {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
                }
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().unwrap());
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
                let first = head.lines().next().unwrap();
                assert!(head.contains("authorization: Basic eA=="), "{head}");
                format!("{first} {}", String::from_utf8(body).unwrap())
            });
            requests.collect()
        });
        (port, served)
    }

    async fn push(port: u16, blobs: &[&str]) -> Result<(), Error> {
        let dir = tempfile::tempdir().unwrap();
        let authority = dir.path().join("ca");
        fs_err::write(&authority, "").unwrap();
        let blobs = blobs.iter().map(|text| {
            let file = dir.path().join(text);
            fs_err::write(&file, text).unwrap();
            let digest = format!("sha256:{text}");
            Blob { file, digest }
        });
        let plan = Plan {
            uploads: format!("http://127.0.0.1:{port}/v2/a/blobs/uploads/"),
            authority,
            authorization: "Basic eA==".to_owned(),
            connections: NonZeroUsize::MIN,
            blobs: blobs.collect(),
        };
        all(clients(&plan)?).await.map(drop)
    }

    #[tokio::test]
    async fn each_goes_where_the_answers_say_over_one_connection() {
        let (port, served) = server(&[
            "202 Accepted\r\nlocation: /u/1",
            "202 Accepted\r\nlocation: /u/2?_state=x",
            "201 Created",
            "202 Accepted\r\nlocation: /u/3",
            "202 Accepted\r\nlocation: /u/3",
            "201 Created",
        ]);
        push(port, &["one", "two"]).await.unwrap();
        let requests = [
            "POST /v2/a/blobs/uploads/ HTTP/1.1 ",
            "PATCH /u/1 HTTP/1.1 one",
            "PUT /u/2?_state=x&digest=sha256%3Aone HTTP/1.1 ",
            "POST /v2/a/blobs/uploads/ HTTP/1.1 ",
            "PATCH /u/3 HTTP/1.1 two",
            "PUT /u/3?digest=sha256%3Atwo HTTP/1.1 ",
        ];
        assert_eq!(served.join().unwrap(), requests);
    }

    #[tokio::test]
    async fn another_answer_ends_it() {
        let (port, _) = server(&["500 Internal Server Error"]);
        let error = push(port, &["one"]).await.unwrap_err();
        assert_eq!(error.to_string(), "POST: status 500, expected 202");
        let (port, _) = server(&["202 Accepted"]);
        let error = push(port, &["one"]).await.unwrap_err();
        assert_eq!(error.to_string(), "POST: `` is no URL to go on at");
    }
}
