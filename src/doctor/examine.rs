//! The examination from beginning to end, in the order in which a client goes.
//!
//! Each step looks, has a room judge what was seen, and says so; where nothing
//! can follow, the rest is skipped with the reason.

use std::net::SocketAddr;

use certs_tool::trust::Site;
use certs_tool::{Certificate, HostName};
use http::Method;
use http::header::HeaderMap;
use time::OffsetDateTime;

use super::auth::{self, Access, Credentials, authorization};
use super::client::{Answer, Client, NoAnswer, Peer};
use super::handshake::{self, Offer, Seen, Session};
use super::push::{self, Push};
use super::report::{Check, Report, Subject, shown};
use super::token::{self, TokenService};
use super::trust::Anchors;
use super::verify::Claim;
use super::{api, certificate, reach, trouble};

/// What to examine, and how far to go.
pub(super) struct Plan {
    pub(super) site: Site,
    pub(super) anchors: Anchors,
    pub(super) credentials: Option<Credentials>,
    /// Where to push.
    pub(super) repository: String,
    /// Whether to push, if a password is wanted and given, or none is wanted.
    pub(super) push: bool,
    /// Whether to send the password to a server that nobody here trusts.
    pub(super) insecure: bool,
}

/// Why nothing can follow.
struct End(&'static str);

/// Examines it. Each step has its own limit of time, so this ends.
pub(super) async fn examine(plan: &Plan) -> Report {
    let mut report = Report::new(&plan.site);
    let mut examination = Examination {
        plan,
        report: &mut report,
    };
    // On the heap: the handshakes within are large.
    let End(why) = Box::pin(examination.steps())
        .await
        .err()
        .unwrap_or(End("the upload did not come that far"));
    report.finish(why)
}

struct Examination<'a> {
    plan: &'a Plan,
    report: &'a mut Report,
}

/// A server that was reached, and what `/v2/` answered.
struct Registry {
    client: Client,
    answer: Answer,
    /// Whether a password may be sent.
    trusted: bool,
}

impl<'a> Examination<'a> {
    async fn steps(&mut self) -> Result<(), End> {
        let addresses = self.reach().await?;
        let session = self.shake_hands(&addresses).await?;
        let trusted = self.judge_certificates(&session.seen);
        let mut registry = Box::pin(self.ask_base(session, trusted)).await?;
        let access = self.judge_access(&registry.answer).await;
        self.idle(&mut registry.client).await;
        let headers = self.log_in(&mut registry, &access).await?;
        Push {
            client: &mut registry.client,
            headers,
            repository: &self.plan.repository,
            host: &self.host().to_string(),
            port: self.port(),
        }
        .run(self.report)
        .await;
        Ok(())
    }

    /// The addresses that accept connections; at least one.
    async fn reach(&mut self) -> Result<Vec<SocketAddr>, End> {
        let found = reach::resolve(self.host(), self.port()).await;
        self.report.say(reach::judge_name(self.host(), &found));
        let addresses = found.unwrap_or_default();
        if addresses.is_empty() {
            return Err(End("the name does not lead to an address"));
        }
        let attempts = reach::try_each(&addresses).await;
        self.report
            .say(reach::judge_port(&attempts, self.plan.site.port()));
        let open: Vec<_> = attempts
            .into_iter()
            .filter(|attempt| attempt.outcome.is_ok())
            .map(|attempt| attempt.address)
            .collect();
        if open.is_empty() {
            return Err(End("there is no connection"));
        }
        Ok(open)
    }

    /// With the first of the addresses; the others should show the same.
    async fn shake_hands(&mut self, addresses: &[SocketAddr]) -> Result<Session, End> {
        let mut handshakes = vec![];
        for address in addresses {
            handshakes.push(handshake::shake_hands(*address, self.host(), Offer::Both).await);
        }
        let seen: Vec<_> = addresses
            .iter()
            .zip(&handshakes)
            .map(|(address, shaken)| (*address, shaken.as_ref().map(|session| &session.seen)))
            .collect();
        self.report.say(trouble::judge(&seen));
        handshakes
            .into_iter()
            .find_map(Result::ok)
            .ok_or(End("there is no TLS"))
    }

    /// Whether the server is trusted, by the one who asks or by somebody here.
    fn judge_certificates(&mut self, seen: &Seen) -> bool {
        let chain = match read_chain(seen) {
            Ok(chain) => chain,
            Err(error) => {
                let check = Check::fail(
                    Subject::Chain,
                    format!(
                        "a certificate that was sent cannot be read: {}",
                        shown(&error)
                    ),
                );
                self.report
                    .say(check.hint("make a new one: `certs-tool site`"));
                return false;
            }
        };
        let claim = Claim {
            chain: &chain,
            host: self.host(),
            now: OffsetDateTime::now_utc(),
        };
        let known = self.plan.anchors.certificates();
        self.report
            .say(certificate::judge_chain(&chain, &known, seen.proven));
        if let Some(leaf) = chain.first() {
            self.report.say(certificate::judge_name(leaf, claim.host));
        }
        self.report
            .say(certificate::judge_expiry(&chain, claim.now));
        for check in self.plan.anchors.judge(claim, &self.plan.site) {
            self.report.say(check);
        }
        seen.proven && self.plan.anchors.vouch(claim)
    }

    /// Asks `/v2/`, over HTTP/2 if that is offered, else or after that over
    /// HTTP/1.1.
    async fn ask_base(&mut self, session: Session, trusted: bool) -> Result<Registry, End> {
        let (address, seen) = (session.address, session.seen.clone());
        let mut asked = self.ask_over(Offer::Both, session).await;
        let first = asked.as_ref().map(|(_, answer)| answer);
        self.report.say(api::judge_http2(seen.http2, first));
        if seen.http2
            && asked.is_err()
            && let Ok(session) = handshake::shake_hands(address, self.host(), Offer::Http1).await
            && session.seen.chain == seen.chain
        {
            asked = self.ask_over(Offer::Http1, session).await;
        }
        let answer = asked.as_ref().map(|(_, answer)| answer);
        self.report.say(api::judge(answer, seen.asks_for_client));
        let Ok((mut client, answer)) = asked else {
            return Err(End("/v2/ is not answered"));
        };
        self.report.say(api::judge_clock(&answer));
        if !api::is_registry(&answer) {
            return Err(End("/v2/ is not a registry's"));
        }
        self.report.say(api::judge_version(&answer));
        let trusted = trusted || self.plan.insecure;
        if trusted {
            client.confide();
        }
        Ok(Registry {
            client,
            answer,
            trusted,
        })
    }

    async fn ask_over(&self, offer: Offer, session: Session) -> Result<(Client, Answer), NoAnswer> {
        let peer = Peer {
            address: session.address,
            host: self.host().clone(),
            authority: self.plan.site.to_string(),
        };
        let mut client = Client::start(peer, offer, session).await?;
        let answer = client
            .ask(Method::GET, api::BASE, &HeaderMap::new())
            .await?;
        Ok((client, answer))
    }

    async fn judge_access(&mut self, answer: &Answer) -> Access {
        let (mut check, mut access) = auth::judge(answer);
        if let Access::Bearer(service) = &access {
            let asked = self.ask_token_service(service, None).await;
            check = auth::judge_token_service(service, asked.as_ref());
            if check.failed() {
                access = Access::Closed;
            }
        }
        self.report.say(check);
        access
    }

    async fn idle(&mut self, client: &mut Client) {
        let before = client.connections();
        tokio::time::sleep(push::PAUSE).await;
        let asked = client.ask(Method::GET, api::BASE, &HeaderMap::new()).await;
        let kept = client.connections() == before;
        self.report.say(api::judge_idle(kept, asked.as_ref()));
    }

    /// The headers that let a push through.
    async fn log_in(&mut self, registry: &mut Registry, access: &Access) -> Result<HeaderMap, End> {
        if !self.plan.push {
            return Err(End("without --user, pushing is not tried"));
        }
        let Some(credentials) = &self.plan.credentials else {
            return match access {
                Access::Open => Ok(HeaderMap::new()),
                _ => Err(End("the registry wants a password, and there is no --user")),
            };
        };
        let secret = match access {
            Access::Closed => {
                return Err(End("there is no way to log in"));
            }
            Access::Open => {
                self.report.say(Check::skipped(
                    Subject::Credentials,
                    "the registry asks nobody for a password, so clients send none",
                ));
                return Ok(HeaderMap::new());
            }
            Access::Basic | Access::Bearer(_) if !registry.trusted => {
                return Err(End(
                    "nobody here trusts the server, so no password is sent to it (--insecure sends it)",
                ));
            }
            Access::Basic => credentials.basic(),
            Access::Bearer(service) => self.fetch_token(service, credentials).await?,
        };
        let asked = registry.client.ask(Method::GET, api::BASE, &secret).await;
        let check = auth::judge_credentials(&credentials.user, asked.as_ref());
        let failed = check.failed();
        self.report.say(check);
        if failed {
            return Err(End("the password is not accepted"));
        }
        Ok(secret)
    }

    async fn fetch_token(
        &mut self,
        service: &TokenService,
        credentials: &Credentials,
    ) -> Result<HeaderMap, End> {
        let asked = self.ask_token_service(service, Some(credentials)).await;
        let given = asked.as_ref().ok().and_then(token::token);
        match given {
            Some(token) => Ok(authorization(&format!("Bearer {}", *token))),
            None => {
                self.report
                    .say(auth::judge_no_token(&credentials.user, asked.as_ref()));
                Err(End("there is no token"))
            }
        }
    }

    /// Asks for a token: a service on its own name and port, with certificates
    /// of its own, which clients trust by what they trust for the registry.
    async fn ask_token_service(
        &self,
        service: &TokenService,
        credentials: Option<&Credentials>,
    ) -> Result<Answer, NoAnswer> {
        let unreachable = |why: String| NoAnswer::Connect(why);
        let host = service.host();
        let addresses = reach::resolve(host, service.port())
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let attempts = reach::try_each(&addresses).await;
        let address = attempts
            .iter()
            .find(|attempt| attempt.outcome.is_ok())
            .map(|attempt| attempt.address)
            .ok_or_else(|| unreachable(format!("no address of {host} accepts connections")))?;
        let session = handshake::shake_hands(address, host, Offer::Both)
            .await
            .map_err(|trouble| unreachable(trouble.to_string()))?;
        let trusted = self.trusts(&session.seen, host);
        let peer = Peer {
            address,
            host: host.clone(),
            authority: service.authority().to_owned(),
        };
        let mut client = Client::start(peer, Offer::Both, session).await?;
        if trusted || self.plan.insecure {
            client.confide();
        } else if credentials.is_none() {
            return Err(NoAnswer::Untrusted);
        }
        let headers = credentials.map(Credentials::basic).unwrap_or_default();
        let user = credentials.map(|credentials| credentials.user.as_str());
        let target = service.target(&self.plan.repository, user);
        client.ask(Method::GET, &target, &headers).await
    }

    fn trusts(&self, seen: &Seen, host: &HostName) -> bool {
        let Ok(chain) = read_chain(seen) else {
            return false;
        };
        let claim = Claim {
            chain: &chain,
            host,
            now: OffsetDateTime::now_utc(),
        };
        seen.proven && self.plan.anchors.vouch(claim)
    }

    fn host(&self) -> &'a HostName {
        self.plan.site.host()
    }

    fn port(&self) -> u16 {
        self.plan.site.port().unwrap_or(443)
    }
}

fn read_chain(seen: &Seen) -> Result<Vec<Certificate>, String> {
    seen.chain
        .iter()
        .map(|der| Certificate::from_der_bytes(der))
        .collect()
}
