//! What holds in a block, with what it inherits from the blocks around it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Reading;
use super::table::{self, Meaning};
use super::tree::Directive;
use super::value;
use crate::diagnostic::Diagnostic;
use crate::finding::Verdict;
use crate::header::HeaderFieldName;
use crate::settings::Auth;
use crate::site::{
    Access, AddedHeader, AddressRule, LocationRule, Rules, Template, Translation, UpstreamTls,
};

/// What an `http`, a `server` or a `location` says of the requests in it.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) max_body: Option<u64>,
    pub(super) headers: Vec<AddedHeader>,
    pub(super) addresses: Vec<AddressRule>,
    pub(super) either: bool,
    pub(super) realm: Option<String>,
    pub(super) user_file: Option<PathBuf>,
    pub(super) proxy_headers: Vec<(HeaderFieldName, Template)>,
    pub(super) redirects: Vec<LocationRule>,
    pub(super) connect_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) send_timeout: Duration,
    pub(super) tls: UpstreamTls,
    /// What `http2` says.
    pub(super) http2: Option<bool>,
    /// What `set` makes.
    pub(super) set: Vec<Arc<Translation>>,
    /// The directive that names the directory of files, by its id.
    pub(super) root: Option<usize>,
    /// Whether requests are not logged.
    pub(super) is_unlogged: bool,
    /// Whether nobody may come in, as who may cannot be told here.
    pub(super) is_closed: bool,
}

impl Default for Scope {
    /// What nginx does where nothing is said.
    fn default() -> Self {
        Self {
            max_body: Some(1 << 20),
            headers: Vec::new(),
            addresses: Vec::new(),
            either: false,
            realm: None,
            user_file: None,
            proxy_headers: Vec::new(),
            redirects: vec![LocationRule::Place],
            connect_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            tls: UpstreamTls {
                name: None,
                verify: false,
                trusted: None,
            },
            http2: None,
            set: Vec::new(),
            root: None,
            is_unlogged: false,
            is_closed: false,
        }
    }
}

impl Scope {
    /// Who may come in.
    pub(super) fn access(&self) -> Access {
        const NOBODY: AddressRule = AddressRule {
            network: None,
            allows: false,
        };
        let auth = self.realm.as_ref().zip(self.user_file.as_ref());
        Access {
            addresses: if self.is_closed {
                vec![NOBODY]
            } else {
                self.addresses.clone()
            },
            auth: auth.map(|(realm, htpasswd)| Auth {
                htpasswd: htpasswd.clone(),
                allow_weak_hashes: false,
                realm: realm.clone(),
                cache_ttl: Duration::from_secs(5 * 60),
                max_failures: 10,
                failure_window: Duration::from_secs(60),
            }),
            either: self.either && !self.is_closed,
            methods: None,
        }
    }

    /// What holds for requests in it, without its rewrites.
    pub(super) fn rules(&self) -> Rules {
        Rules {
            rewrites: Vec::new(),
            max_body: self.max_body,
            access: self.access(),
            headers: self.headers.clone(),
        }
    }

    /// Whether no address may come in.
    pub(super) fn denies_all(&self) -> bool {
        let first = self.addresses.first();
        self.is_closed
            || first.is_some_and(|rule| rule.network.is_none() && !rule.allows && !self.either)
    }
}

/// Directives of which several make one list: a block that has one of them has
/// nothing of what is around it.
#[derive(Default)]
struct Begun {
    headers: bool,
    addresses: bool,
    proxy_headers: bool,
    /// Whether it was `off`.
    redirects: Option<bool>,
}

impl Reading {
    /// What a block says, over what is around it.
    ///
    /// # Errors
    /// A value that nginx would not take.
    pub(super) fn scope(
        &mut self,
        outer: &Scope,
        block: &[Directive],
    ) -> Result<Scope, Box<Diagnostic>> {
        let mut scope = outer.clone();
        for directive in block.iter().filter(|directive| directive.name() == "set") {
            self.set(directive, &mut scope)?;
        }
        let mut begun = Begun::default();
        for directive in block {
            self.read_into(&mut scope, &mut begun, directive)?;
        }
        if let (Some(_), None) = (&scope.realm, &scope.user_file)
            && let Some(directive) = block
                .iter()
                .find(|directive| directive.name() == "auth_basic")
        {
            let why = "there is no `auth_basic_user_file`, and nginx lets everybody in then";
            self.verdicts.refused(directive, why);
        }
        Ok(scope)
    }

    fn read_into(
        &mut self,
        scope: &mut Scope,
        begun: &mut Begun,
        directive: &Directive,
    ) -> Result<(), Box<Diagnostic>> {
        let first = directive.word(0).unwrap_or_default();
        match directive.name() {
            "client_max_body_size" => {
                let size = value::size(first).ok_or_else(|| {
                    directive.mistake_in(
                        0,
                        format!("`{first}` is no size: write it as `0`, `512k`, `100m` or `2g`"),
                    )
                })?;
                scope.max_body = (size > 0).then_some(size);
            }
            "add_header" => {
                if !std::mem::replace(&mut begun.headers, true) {
                    scope.headers.clear();
                }
                self.added_header(scope, directive)?;
            }
            "allow" | "deny" => {
                if !std::mem::replace(&mut begun.addresses, true) {
                    scope.addresses.clear();
                }
                self.address_rule(scope, directive)?;
            }
            "satisfy" => {
                scope.either = match first {
                    "any" => true,
                    "all" => false,
                    _ => {
                        return Err(directive
                            .mistake_in(0, format!("`satisfy` is `all` or `any`, not `{first}`")));
                    }
                }
            }
            "auth_basic" if first == "off" => scope.realm = None,
            "auth_basic" => {
                scope.realm = self.plain(directive, 0, &scope.set)?;
                scope.is_closed |= scope.realm.is_none();
            }
            "auth_basic_user_file" => {
                scope.user_file = self
                    .plain(directive, 0, &scope.set)?
                    .map(|file| self.base.join(file));
                scope.is_closed |= scope.user_file.is_none();
            }
            "proxy_set_header" => {
                if !std::mem::replace(&mut begun.proxy_headers, true) {
                    scope.proxy_headers.clear();
                }
                self.proxy_header(scope, directive)?;
            }
            "proxy_redirect" => {
                let is_off = first == "off" && directive.words.len() == 1;
                match begun.redirects.replace(is_off) {
                    None => scope.redirects.clear(),
                    Some(was_off) if was_off || is_off => {
                        return Err(
                            directive.mistake("`proxy_redirect off` stands alone in a block")
                        );
                    }
                    Some(_) => {}
                }
                if !is_off {
                    let rule = self.location_rule(scope, directive)?;
                    scope.redirects.extend(rule);
                }
            }
            "proxy_connect_timeout" => scope.connect_timeout = timeout(directive)?,
            "proxy_read_timeout" => scope.read_timeout = timeout(directive)?,
            "proxy_send_timeout" => scope.send_timeout = timeout(directive)?,
            "proxy_ssl_verify" => scope.tls.verify = flag(directive)?,
            "proxy_ssl_name" => scope.tls.name = self.plain(directive, 0, &scope.set)?,
            "proxy_ssl_trusted_certificate" => {
                scope.tls.trusted = self
                    .plain(directive, 0, &scope.set)?
                    .map(|file| self.base.join(file));
            }
            "root" => {
                scope.root = Some(directive.id);
                self.verdicts.harmless(directive, "no files are served");
            }
            "alias" | "index" | "try_files" | "autoindex" => {
                self.verdicts.harmless(directive, "no files are served")
            }
            "access_log" => self.access_log(scope, directive),
            _ => self.small(scope, directive)?,
        }
        Ok(())
    }

    /// Those of which one word counts.
    fn small(&mut self, scope: &mut Scope, directive: &Directive) -> Result<(), Box<Diagnostic>> {
        let first = directive.word(0).unwrap_or_default();
        match directive.name() {
            "gzip" if flag(directive)? => {
                self.verdicts.replaced(
                    directive,
                    "answers as they are: layers are compressed already",
                );
            }
            "gzip" => {
                flag(directive)?;
            }
            "http2" => scope.http2 = Some(flag(directive)?),
            "proxy_cache" if first != "off" => self.verdicts.replaced(
                directive,
                "a request for every answer: nothing is cached here",
            ),
            "proxy_cache" => self.verdicts.harmless(directive, "nothing is cached here"),
            "proxy_pass_request_headers" | "proxy_pass_request_body" => {
                if flag(directive)? {
                    self.verdicts
                        .harmless(directive, "requests are passed on whole");
                } else {
                    self.verdicts
                        .refused(directive, "requests are passed on whole");
                }
            }
            "set_real_ip_from" => self.trusted_proxy(directive),
            "real_ip_header" if first.eq_ignore_ascii_case("X-Forwarded-For") => {
                self.verdicts.honoured(directive)
            }
            "real_ip_header" => self
                .verdicts
                .refused(directive, "only `X-Forwarded-For` is believed"),
            "real_ip_recursive" if flag(directive)? => self.verdicts.honoured(directive),
            "real_ip_recursive" => {
                self.verdicts
                    .replaced(directive, "the last address that is no trusted proxy");
            }
            name => {
                let guards = |known: &table::Known| matches!(known.meaning, Meaning::Guards(_));
                if let Some(known) = table::find(name).filter(|known| guards(known)) {
                    scope.is_closed |= matches!(known.verdict(directive), Verdict::Refused(_));
                }
            }
        }
        Ok(())
    }
}

fn timeout(directive: &Directive) -> Result<Duration, Box<Diagnostic>> {
    let text = directive.word(0).unwrap_or_default();
    value::time(text).ok_or_else(|| {
        directive.mistake_in(
            0,
            format!("`{text}` is no time: write it as `60s`, `15m` or `1h`"),
        )
    })
}

/// `on` or `off`.
pub(super) fn flag(directive: &Directive) -> Result<bool, Box<Diagnostic>> {
    match directive.word(0) {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        other => {
            let other = other.unwrap_or_default();
            Err(directive.mistake_in(
                0,
                format!("`{}` is `on` or `off`, not `{other}`", directive.name()),
            ))
        }
    }
}
