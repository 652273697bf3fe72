//! A request, of which names such as `<layer>` become what the fixture has.

use http::Method;

use super::super::harness::{Answer, OCI_MANIFEST, Request, broken_off, request};
use super::fixture::Fixture;

#[derive(Clone)]
pub(super) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    content: Content,
    /// `Content-Length`, if it is not that of the content.
    announced: Option<u64>,
}

#[derive(Clone)]
enum Content {
    Nothing,
    Bytes(Vec<u8>),
    /// The fixture's manifest.
    Manifest,
    /// Some of it, and then the connection breaks.
    Cut(&'static str),
}

/// A method and a path, as in `GET /v2/`.
pub(super) fn ask(line: &str) -> Ask {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    Ask {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        headers: Vec::new(),
        content: Content::Nothing,
        announced: None,
    }
}

/// PUT of the fixture's manifest.
pub(super) fn put(reference: &str) -> Ask {
    put_to("app", reference)
}

/// PUT of the fixture's manifest to a repository.
pub(super) fn put_to(repo: &str, reference: &str) -> Ask {
    let mut put = ask(&format!("PUT /v2/{repo}/manifests/{reference}"));
    put.content = Content::Manifest;
    put.media_type(OCI_MANIFEST)
}

/// PUT of a document that is sent as a manifest.
pub(super) fn put_document(reference: &str, media_type: &'static str, content: &[u8]) -> Ask {
    put(reference).media_type(media_type).body(content)
}

impl Ask {
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn media_type(mut self, value: &'static str) -> Self {
        self.headers.retain(|(name, _)| *name != "content-type");
        self.header("content-type", value)
    }

    pub(super) fn body(mut self, content: &[u8]) -> Self {
        self.content = Content::Bytes(content.to_vec());
        self
    }

    /// With a body of which nothing comes after this.
    pub(super) fn cut_after(mut self, content: &'static str) -> Self {
        self.content = Content::Cut(content);
        self
    }

    /// With this `Content-Length`, whatever the body has.
    pub(super) fn announcing(mut self, length: u64) -> Self {
        self.announced = Some(length);
        self
    }

    /// The same with HEAD, if it is GET. A range means something in a GET only
    /// (RFC 9110 section 14.2).
    pub(super) fn as_head(&self) -> Option<Self> {
        let ranged = self.headers.iter().any(|(name, _)| *name == "range");
        (self.method == Method::GET && !ranged).then(|| Self {
            method: Method::HEAD,
            ..self.clone()
        })
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Whether it may leave the fixture's upload otherwise than it was.
    pub(super) fn spends_upload(&self) -> bool {
        let names_it = self.path.contains("<upload>") || self.path.contains("<id>");
        names_it && self.method != Method::GET
    }

    pub(super) async fn of(&self, fixture: &Fixture) -> Answer {
        let request = self.request(fixture);
        match self.content {
            Content::Cut(content) => {
                let body = broken_off(&[content]);
                fixture.registry.send_stream(request, body).await
            }
            _ => fixture.registry.send(request).await,
        }
    }

    fn request(&self, fixture: &Fixture) -> Request {
        let mut request = request(self.method.clone(), &fixture.fill(&self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request = match &self.content {
            Content::Nothing | Content::Cut(_) => request,
            Content::Bytes(bytes) => request.body(bytes),
            Content::Manifest => request.body(&fixture.bytes),
        };
        if let Some(permit) = &fixture.permit {
            request = request.by(permit.clone());
        }
        match self.announced {
            Some(length) => request.replace("content-length", &length.to_string()),
            None => request,
        }
    }
}
