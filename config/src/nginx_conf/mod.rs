//! `nginx.conf`: what stands in front of a registry, read as nginx reads it.
//!
//! The text becomes words ([`lexer`]), the words a tree of directives with what
//! they include ([`tree`], [`files`]), each of which is looked up in a [`table`].
//! Then blocks are read from the outside in: what one says over what it inherits
//! ([`scope`]), its answers ([`rewrite`]), its places ([`place`]). Of every
//! directive it is noted what becomes of it ([`verdicts`]).

mod attach;
mod check;
mod client_auth;
mod entries;
mod files;
mod lexer;
mod place;
mod proxy;
mod replace;
mod rewrite;
mod scope;
mod server;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod variables;
mod verdicts;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

pub use self::files::{DiskFiles, NginxFiles};
use self::scope::Scope;
use self::tree::Directive;
use self::variables::Variables;
use self::verdicts::Verdicts;
use crate::diagnostic::Diagnostic;
use crate::finding::{Adopted, Verdict};
use crate::settings::Server as Process;
use crate::settings::{
    AccessLog, Backend, Edge, Listener, Log, LogFormat, Protocol, Registry, Settings,
};
use crate::site::{Proxy, Template, UpstreamServer, Variable};

/// Reads `text` as the main file of nginx at `path`; what it includes is read
/// from `files`. Relative paths in it are taken from the directory that it lies
/// in, as nginx does.
///
/// With a `registry`, that one answers where requests are passed to a registry.
///
/// What cannot be honoured is a finding, not an error: the settings do without
/// it. Where that was about who may come in, nobody may. Whoever serves decides
/// whether to stop.
///
/// # Errors
/// A mistake that nginx would not take either, or nothing that could be served.
pub fn parse_nginx(
    path: &Path,
    text: &str,
    files: &dyn NginxFiles,
    registry: Option<Registry>,
) -> Result<Adopted, Box<Diagnostic>> {
    let root = files::Reader::new(files, path).read(path, text)?;
    check::check(&root)?;
    let nothing = |why: &str| Box::new(Diagnostic::new(path, text, 0..0, why.to_owned()));
    let mut blocks = root.iter().filter(|directive| directive.name() == "http");
    let Some(http) = blocks.next() else {
        let mistake = nothing("there is no `http` in this file, so nothing is served");
        let hint = "name the main file, as /etc/nginx/nginx.conf: it includes the others";
        return Err(tree::hinted(mistake, hint));
    };
    if let Some(second) = blocks.next() {
        return Err(second.mistake("there is a second `http`"));
    }
    let mut verdicts = Verdicts::default();
    let variables = Variables::read(&root, http.children(), &mut verdicts)?;
    let mut reading = Reading {
        base: path.parent().unwrap_or(Path::new("")).to_owned(),
        variables,
        verdicts,
        upstreams: HashMap::new(),
        error_pages: HashSet::new(),
        trusted: Vec::new(),
        passes: Vec::new(),
        log_is_off: true,
    };
    let drain_timeout = reading.process(&root)?;
    let attached = reading.http(http)?;
    let mut sites = attached.sites;
    let backend = match registry {
        None => Backend::Places,
        Some(registry) => {
            let replaced = replace::replace(&mut sites);
            if !replaced
                .iter()
                .any(|(_, how)| matches!(how, replace::Replaced::Yes))
            {
                return Err(tree::hinted(
                    http.mistake(
                        "no `proxy_pass` in it leads to a registry that could be replaced",
                    ),
                    "a registry is what answers at /v2/",
                ));
            }
            reading.note_replaced(&replaced);
            Backend::Registry(registry)
        }
    };
    if attached.listeners.is_empty() {
        return Err(http.mistake("nothing in it listens to an address"));
    }
    let is_tls = |listener: &Listener| listener.protocol == Protocol::Https;
    if attached.certificates.is_empty() && attached.listeners.iter().any(is_tls) {
        let mistake = http.mistake("it speaks TLS, but no certificate in it can be used");
        return Err(tree::hinted(mistake, "name a file with `ssl_certificate`"));
    }
    let settings = Settings {
        log: Log {
            level: "info".to_owned(),
            format: LogFormat::Text,
            access: if reading.log_is_off {
                AccessLog::Off
            } else {
                AccessLog::Combined
            },
            audit: None,
        },
        server: Process { drain_timeout },
        listeners: attached.listeners,
        certificates: attached.certificates,
        sites,
        edge: Edge {
            // Of no account beside sites, and so what a file has that says nothing.
            refused_user_agents: Some(Edge::DEFAULT_REFUSED_USER_AGENTS.to_owned()),
            trusted_proxies: reading.trusted,
            publish_ca: false,
        },
        auth: None,
        robots: None,
        access: None,
        token: None,
        auth_config: None,
        token_server: None,
        backend,
        debug: None,
    };
    let findings = reading.verdicts.findings(&root);
    Ok(Adopted { settings, findings })
}

/// What is known while the directives are read.
struct Reading {
    /// The directory of the main file.
    base: PathBuf,
    variables: Variables,
    verdicts: Verdicts,
    /// The servers of each `upstream`.
    upstreams: HashMap<String, Vec<UpstreamServer>>,
    /// The paths that `error_page` names.
    error_pages: HashSet<String>,
    trusted: Vec<IpNet>,
    /// Each proxy, with the id of its `proxy_pass`.
    passes: Vec<(Proxy, usize)>,
    /// Whether no request is logged.
    log_is_off: bool,
}

impl Reading {
    /// What is said of the process.
    fn process(&mut self, root: &[Directive]) -> Result<Duration, Box<Diagnostic>> {
        let mut drain_timeout = Duration::from_secs(30);
        for directive in root {
            let first = directive.word(0).unwrap_or_default();
            match directive.name() {
                "worker_shutdown_timeout" => {
                    drain_timeout = value::time(first).ok_or_else(|| {
                        directive.mistake_in(
                            0,
                            format!("`{first}` is no time: write it as `60s`, `15m` or `1h`"),
                        )
                    })?;
                }
                // What such a module does is only known by its directives.
                "load_module" => self.verdicts.harmless(
                    directive,
                    "a directive of a module that does something is told by itself",
                ),
                _ => {}
            }
        }
        Ok(drain_timeout)
    }

    fn http(&mut self, http: &Directive) -> Result<attach::Attached, Box<Diagnostic>> {
        let block = http.children();
        self.error_pages = error_pages(block);
        self.upstreams(block)?;
        self.protocols(block)?;
        let scope = self.scope(&Scope::default(), block)?;
        let mut servers = Vec::new();
        for directive in block
            .iter()
            .filter(|directive| directive.name() == "server")
        {
            servers.push((directive, self.server(&scope, block, directive)?));
        }
        if servers.is_empty() {
            return Err(http.mistake("there is no `server` in it, so nothing is served"));
        }
        attach::attach(servers, &mut self.verdicts)
    }

    /// Whether the registry was told a scheme that another proxy named.
    fn takes_scheme_from_anybody(&self, proxy: &Proxy) -> bool {
        let told = proxy
            .headers
            .iter()
            .find(|(name, _)| name.as_str() == "x-forwarded-proto");
        self.trusted.is_empty() && told.is_some_and(|(_, template)| !is_own_scheme(template))
    }

    fn note_replaced(&mut self, replaced: &[(Proxy, replace::Replaced)]) {
        for (proxy, how) in replaced {
            let verdict = match how {
                replace::Replaced::Yes if self.takes_scheme_from_anybody(proxy) => Verdict::Replaced(
                    "the registry in this process, which believes `X-Forwarded-Proto` of the \
                     proxies of `set_real_ip_from` alone: name the one that ends TLS"
                        .to_owned(),
                ),
                replace::Replaced::Yes => {
                    Verdict::Replaced("the registry in this process".to_owned())
                }
                replace::Replaced::OtherPaths => Verdict::Refused(
                    "the registry in this process answers at the paths that clients ask for, not at others".to_owned(),
                ),
            };
            for (_, id) in self.passes.iter().filter(|(known, _)| known == proxy) {
                self.verdicts.note(*id, verdict.clone());
            }
        }
    }
}

/// The scheme of the connection itself.
fn is_own_scheme(template: &Template) -> bool {
    *template == Template::variable(Variable::Scheme)
}

/// The paths on this server that any `error_page` names.
fn error_pages(block: &[Directive]) -> HashSet<String> {
    let mut found = HashSet::new();
    for directive in block {
        if directive.name() == "error_page" {
            let target = directive
                .texts()
                .last()
                .filter(|target| target.starts_with('/'));
            found.extend(target.map(str::to_owned));
        }
        found.extend(error_pages(directive.children()));
    }
    found
}
