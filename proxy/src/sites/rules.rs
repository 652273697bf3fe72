//! What a request meets at a place before it is answered.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use ipnet::IpNet;
use pingora::http::ResponseHeader;
use tidegate_config::OVER_SOCKET;
use tidegate_config::site::{
    self, AddressRule, Condition, NewTarget, Return, Rewrite, Template, Then,
};
use tracing::warn;

use super::facts::{Facts, Within};
use super::passwords::Passwords;
use super::progress::{Progress, Target, query_of};
use crate::answer::{API_VERSION, Answer, mark_api};
use crate::edge::{Gate, RefusedUserAgents, Verdict};
use crate::refusals::{Refusals, Refused};

/// The rules of a place, ready for use.
pub(crate) struct Rules {
    /// Whose requests to the API are answered 404.
    pub(crate) refused: RefusedUserAgents,
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) max_body: Option<u64>,
    pub(crate) access: Access,
    pub(crate) headers: Vec<AddedHeader>,
}

/// A field that is put on answers.
pub(crate) struct AddedHeader {
    name: HeaderName,
    value: Template,
    always: bool,
}

/// Who may come in.
pub(crate) struct Access {
    addresses: Vec<AddressRule>,
    gate: Gate,
    either: bool,
    methods: Option<MethodRule>,
    refusals: Option<Arc<dyn Refusals>>,
}

struct MethodRule {
    except: Vec<String>,
    access: Box<Access>,
}

/// What a request is answered with at once.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// In the registry's words.
    Answer(Answer),
    /// As a file says.
    Written(Box<ResponseHeader>, Bytes),
    /// The connection is closed without a word.
    Silence,
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Rules {
    /// What the simple settings say.
    pub(crate) fn simple(refused: RefusedUserAgents, gate: Gate) -> Self {
        Self {
            refused,
            rewrites: Vec::new(),
            max_body: None,
            access: Access {
                addresses: Vec::new(),
                gate,
                either: false,
                methods: None,
                refusals: None,
            },
            headers: Vec::new(),
        }
    }

    pub(crate) fn of(rules: site::Rules, passwords: &Passwords) -> Self {
        Self {
            refused: RefusedUserAgents::default(),
            rewrites: rules.rewrites,
            max_body: rules.max_body,
            access: Access::of(rules.access, passwords),
            headers: rules.headers.into_iter().map(AddedHeader::of).collect(),
        }
    }

    /// The fields of these rules for an answer, the one of `facts`.
    pub(crate) fn fields_for(&self, facts: &Facts<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let answer = facts.answer;
        let is_error = answer.is_some_and(|answer| !takes_every_header(answer.status));
        let headers = self.headers.iter();
        let headers = headers.filter(|header| header.always || !is_error);
        let fields = headers.filter_map(|header| {
            let value = facts.fill_in(&header.value);
            let value = (!value.is_empty()).then(|| HeaderValue::from_str(&value).ok())??;
            Some((header.name.clone(), value))
        });
        fields.collect()
    }
}

/// The statuses that nginx's `add_header` without `always` is about.
fn takes_every_header(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308
    )
}

/// Puts `fields` on an answer beside what it has, except that it says once which
/// API it speaks.
pub(crate) fn put_on(fields: Vec<(HeaderName, HeaderValue)>, header: &mut ResponseHeader) {
    for (name, value) in fields {
        if name == API_VERSION {
            header.remove_header(&name);
        }
        // Fails for a name that is none, which this one is not.
        let _ = header.append_header(name, value);
    }
}

impl AddedHeader {
    fn of(header: site::AddedHeader) -> Self {
        Self {
            name: header_name(&header.name),
            value: header.value,
            always: header.always,
        }
    }
}

/// The same name, as the libraries beneath have it.
pub(crate) fn header_name(name: &tidegate_config::HeaderFieldName) -> HeaderName {
    HeaderName::from_bytes(name.as_str().as_bytes()).expect("a token is the name of a field")
}

impl Access {
    fn of(access: site::Access, passwords: &Passwords) -> Self {
        Self {
            addresses: access.addresses,
            gate: passwords.gate(access.auth.as_ref()),
            either: access.either,
            refusals: passwords.refusals.clone(),
            methods: access.methods.map(|rule| MethodRule {
                except: rule.except,
                access: Box::new(Self::of(*rule.access, passwords)),
            }),
        }
    }

    /// Lets a request in, or says why not: by address first, then by password.
    pub(crate) async fn admit(&self, request: &Parts, client: IpAddr) -> Verdict {
        let rules = self.for_method(&request.method);
        let allowed = rules.by_address(client);
        let denied = match (rules.either, allowed) {
            (true, Some(true)) => return Ok(None),
            (true, Some(false)) => !rules.gate.asks(),
            (false, Some(false)) => true,
            _ => false,
        };
        let verdict = match denied {
            true => Err(Answer::denied()),
            false => rules.gate.check(&request.headers, client).await,
        };
        if let (Err(answer), Some(refusals)) = (&verdict, &rules.refusals)
            && (denied || request.headers.contains_key(AUTHORIZATION))
        {
            let claimed = || rules.gate.claimed(&request.headers);
            refusals.refused(&Refused {
                request,
                client,
                status: answer.status().as_u16(),
                claimed: (!denied).then(claimed).flatten(),
            });
        }
        verdict
    }

    fn for_method(&self, method: &Method) -> &Self {
        match &self.methods {
            Some(rule) if !rule.is_about_none_of(method) => rule.access.for_method(method),
            _ => self,
        }
    }

    /// What the first rule about an address says; `None` without one.
    fn by_address(&self, client: IpAddr) -> Option<bool> {
        let client = client.to_canonical();
        let mut rules = self.addresses.iter();
        let rule = rules.find(|rule| {
            let network = rule.network.as_ref();
            network.is_none_or(|network| match client {
                // That of no network, however wide: `unix:` alone is about it.
                OVER_SOCKET => *network == IpNet::from(OVER_SOCKET),
                client => network.contains(&client),
            })
        });
        rule.map(|rule| rule.allows)
    }
}

impl MethodRule {
    fn is_about_none_of(&self, method: &Method) -> bool {
        let name = match *method {
            Method::HEAD => "GET",
            _ => method.as_str(),
        };
        self.except
            .iter()
            .any(|except| except.eq_ignore_ascii_case(name) || except == method.as_str())
    }
}

/// What follows a list of rewrites.
pub(crate) enum Next {
    /// An answer.
    Answer(Refusal),
    /// The place stays that was chosen.
    Pass,
    /// A place for another path.
    Search,
}

/// Follows `rewrites` in their order. `here` is what stands before a path to make it
/// a URL of this front.
pub(crate) fn follow(
    rewrites: &[Rewrite],
    facts: &Facts<'_>,
    progress: &mut Progress,
    here: &str,
) -> Next {
    let mut is_changed = false;
    for rewrite in rewrites {
        if !rewrite.when.iter().all(|when| holds(when, facts, progress)) {
            continue;
        }
        let facts = now(facts, progress);
        let refusal = match &rewrite.answer {
            Return::Status { status: 444, .. } => Refusal::Silence,
            Return::Status { status, text } => {
                let text = text.as_ref().map(|text| facts.fill_in(text));
                written(*status, text.as_deref(), facts.request.uri.path())
            }
            Return::Redirect { status, to } => {
                let facts = Facts {
                    within: Within::Path,
                    ..facts
                };
                redirect(*status, &facts.fill_in(to), here, facts.request.uri.path())
            }
            Return::Stop => return Next::Pass,
            Return::Path(new) => {
                let Some(target) = target(new, &facts) else {
                    return Next::Answer(Answer::internal().into());
                };
                progress.target = Some(target);
                match new.then {
                    Then::GoOn => is_changed = true,
                    Then::Search => return Next::Search,
                    Then::Stay => {
                        progress.keeps_path = true;
                        return Next::Pass;
                    }
                }
                continue;
            }
        };
        return Next::Answer(refusal);
    }
    if is_changed { Next::Search } else { Next::Pass }
}

/// What is known after what has been done so far.
fn now<'a>(facts: &Facts<'a>, progress: &'a Progress) -> Facts<'a> {
    Facts {
        target: progress.target.as_ref(),
        found: &progress.found,
        ..*facts
    }
}

fn holds(condition: &Condition, facts: &Facts<'_>, progress: &mut Progress) -> bool {
    let (holds, found) = now(facts, progress).hold(condition, progress.is_asked_for);
    if let Some(found) = found {
        progress.found.take(found);
    }
    holds
}

/// What a request goes on with; `None` if that is no path.
fn target(new: &NewTarget, facts: &Facts<'_>) -> Option<Target> {
    let path = facts.fill_in(&new.path).into_owned();
    if !path.starts_with('/') {
        warn!(path, "a rewrite led to what is no path");
        return None;
    }
    let quoting = Facts {
        within: Within::Query,
        ..*facts
    };
    let own = new
        .query
        .as_ref()
        .map(|query| quoting.fill_in(query).into_owned());
    let clients = query_of(facts.target, &facts.request.uri).filter(|_| new.keeps_query);
    let query = match (own, clients) {
        (Some(own), Some(clients)) if !clients.is_empty() => Some(format!("{own}&{clients}")),
        (own, clients) => own.or_else(|| clients.map(str::to_owned)),
    };
    Some(Target { path, query })
}

/// A status with a text, or with what the registry says at that status.
fn written(status: u16, text: Option<&str>, path: &str) -> Refusal {
    let Ok(status) = StatusCode::from_u16(status) else {
        return Answer::internal().into();
    };
    let text = match text {
        None if status.as_u16() >= 400 => return Answer::of_status(status).into(),
        text => text.unwrap_or_default(),
    };
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    let body = if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        Bytes::new()
    } else {
        let kind = HeaderValue::from_static("text/plain");
        parts.headers.insert(CONTENT_TYPE, kind);
        let length = HeaderValue::from(text.len());
        parts.headers.insert(CONTENT_LENGTH, length);
        Bytes::from(text.to_owned())
    };
    mark_api(path, &mut parts.headers);
    Refusal::Written(Box::new(parts.into()), body)
}

/// A redirect; a path is made a URL of this front, as nginx does.
pub(crate) fn redirect(status: u16, to: &str, here: &str, path: &str) -> Refusal {
    let location = if to.starts_with('/') {
        HeaderValue::try_from(format!("{here}{to}"))
    } else {
        HeaderValue::from_str(to)
    };
    let (Ok(status), Ok(location)) = (StatusCode::from_u16(status), location) else {
        return Answer::bad_request("the redirect for this request would be malformed").into();
    };
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.headers.insert(LOCATION, location);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    mark_api(path, &mut parts.headers);
    Refusal::Written(Box::new(parts.into()), Bytes::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(to: &str) -> Result<String, Refusal> {
        match redirect(308, to, "https://r.example.org:5043", "/v2/") {
            Refusal::Written(header, _) => {
                assert_eq!(header.status, 308);
                assert_eq!(header.headers[API_VERSION], "registry/2.0");
                Ok(header.headers[LOCATION].to_str().unwrap().to_owned())
            }
            other => Err(other),
        }
    }

    #[test]
    fn a_redirect_to_a_path_stays_here() {
        assert_eq!(
            location("/x?n=1").unwrap(),
            "https://r.example.org:5043/x?n=1"
        );
        assert_eq!(location("http://a/").unwrap(), "http://a/");
    }

    #[test]
    fn a_redirect_cannot_carry_another_field() {
        for to in ["/x\r\nSet-Cookie: a", "https://a/\nb"] {
            assert!(matches!(location(to), Err(Refusal::Answer(_))), "{to:?}");
        }
    }

    #[test]
    fn a_status_without_a_text_is_in_the_registrys_words_if_it_is_an_error() {
        let is_answer = |status, text| matches!(written(status, text, "/"), Refusal::Answer(_));
        assert!(is_answer(404, None));
        assert!(is_answer(503, None));
        assert!(is_answer(2000, None));
        assert!(!is_answer(404, Some("")));
        for (status, length) in [(200, Some("0")), (204, None)] {
            let Refusal::Written(header, body) = written(status, None, "/") else {
                panic!("{status} is no error");
            };
            let found = header.headers.get(CONTENT_LENGTH);
            assert_eq!(found.map(|length| length.to_str().unwrap()), length);
            assert!(body.is_empty());
        }
    }
}
