//! What `tidegate up` says once it listens: what was made, where it listens,
//! and what to type next.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use certs_tool::{Certificate, HostName};
use tidegate_config::{Protocol, Settings};
use tidegate_failure::Failure;
use tidegate_proxy::BoundListener;

use super::bootstrap;
use super::directory::{Directory, Made};
use super::first_user::FirstUser;
use crate::{renewal, serve};

#[derive(Default)]
pub(super) struct Banner {
    made: Vec<Made>,
    user: Option<String>,
    host: Option<HostName>,
    /// The CA's certificate, and where it lies.
    ca: Option<(PathBuf, Certificate)>,
    /// Whether clients can fetch it from here.
    published: bool,
    /// Whether the site certificate is renewed by itself.
    renewed: bool,
    site: Option<Certificate>,
    /// Where the site certificate lies.
    site_path: PathBuf,
    hosts: Vec<HostName>,
}

impl Banner {
    pub(super) fn made(&mut self, made: Vec<Made>) {
        self.made.extend(made);
    }

    pub(super) fn user(&mut self, user: FirstUser) {
        self.user = Some(user.name.as_str().to_owned());
    }

    /// Looks at what will be served.
    pub(super) fn describe(
        &mut self,
        directory: &Directory,
        settings: &Settings,
        hosts: &[HostName],
    ) -> Result<(), Failure> {
        self.host = hosts.first().cloned();
        self.hosts = hosts.to_vec();
        if let Some((path, ca)) = directory.ca_certificate()? {
            self.ca = Some((path, ca));
        }
        if let Some(pair) = settings.certificates.first() {
            self.renewed = renewal::renews(pair);
            self.published =
                settings.edge.publish_ca && renewal::published_ca(&settings.certificates).is_some();
            self.site = Some(Certificate::read_first(&pair.cert)?);
            self.site_path.clone_from(&pair.cert);
        }
        Ok(())
    }

    #[expect(clippy::print_stderr, reason = "warnings are messages")]
    pub(super) fn print(&self, listeners: &[BoundListener]) {
        for warning in self.warnings(time::OffsetDateTime::now_utc()) {
            eprintln!("warning: {warning}");
        }
        tidegate_failure::print(&self.text(listeners));
    }

    fn text(&self, listeners: &[BoundListener]) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        for made in &self.made {
            let _ = writeln!(text, "made  {:<24}  {}", made.what, made.note);
        }
        if !self.made.is_empty() {
            text.push('\n');
        }
        for listener in listeners {
            let _ = writeln!(text, "listening on {}", serve::url(listener));
        }
        if let Some((path, ca)) = &self.ca {
            let fingerprint = ca.fingerprint_sha256();
            let _ = writeln!(text, "CA {}\n   SHA-256 {fingerprint}", path.display());
        }
        text.push_str(&self.next(listeners));
        text
    }

    /// What to type next.
    fn next(&self, listeners: &[BoundListener]) -> String {
        let mut tls = listeners.iter().filter(|l| l.protocol == Protocol::Https);
        let Some(address) = tls.find_map(|l| l.address.inet()) else {
            return String::new();
        };
        let host = self.reference(address);
        let user = self.user.as_deref().unwrap_or("USER");
        let mut text = String::new();
        match &self.ca {
            Some((_, ca)) if self.published => {
                let line = bootstrap::line(&host, ca);
                let _ = write!(
                    text,
                    "\nOn each client, once, so that it trusts this registry (it checks the fingerprint):\n\
                     \x20   {line}\n"
                );
            }
            Some((path, _)) => {
                let _ = write!(
                    text,
                    "\nOn each client, once, with a copy of {}:\n\
                     \x20   sudo tidegate certs trust install {host} --ca root-ca.crt\n",
                    path.display()
                );
            }
            None => {}
        }
        let _ = write!(
            text,
            "\nThen:\n\
             \x20   docker login -u {user} {host}\n\
             \x20   docker tag IMAGE {host}/IMAGE\n\
             \x20   docker push {host}/IMAGE\n"
        );
        text
    }

    /// How an image reference begins for the listener at this address.
    fn reference(&self, address: SocketAddr) -> String {
        let ip = address.ip();
        let host = match &self.host {
            Some(host) => host.to_string(),
            None if ip.is_unspecified() => "localhost".to_owned(),
            None => ip.to_string(),
        };
        // An IPv6 address is told from its port by brackets.
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        match address.port() {
            443 => host,
            port => format!("{host}:{port}"),
        }
    }

    /// What will keep clients from connecting, though the registry runs.
    fn warnings(&self, now: time::OffsetDateTime) -> Vec<String> {
        const SOON_DAYS: i64 = 30;
        let Some(site) = &self.site else {
            return vec![];
        };
        let path = self.site_path.display();
        let mut warnings = vec![];
        let names: Vec<String> = site.names().iter().map(ToString::to_string).collect();
        for host in self.hosts.iter().filter(|host| !site.covers(host)) {
            let mend = match self.site_path.parent() {
                Some(directory) if self.renewed => format!(
                    "tidegate certs renew {} --dir {} --san {host}{}",
                    self.site_path.file_stem().unwrap_or_default().display(),
                    directory.display(),
                    names
                        .iter()
                        .map(|name| format!(" --san {name}"))
                        .collect::<String>()
                ),
                _ => format!(
                    "move it and its key away, and the next start makes one for --host {host}"
                ),
            };
            warnings.push(format!(
                "{path} is not for {host}; it is for {}\nhint: {mend}",
                names.join(", ")
            ));
        }
        match site.days_left(now) {
            _ if self.renewed => {}
            days if days < 0 => warnings.push(format!(
                "{path} ended {} days ago, and clients refuse it\n\
                 hint: move it and its key away, and the next start makes a new one",
                -days
            )),
            days if days < SOON_DAYS => warnings.push(format!("{path} ends in {days} days")),
            _ => {}
        }
        warnings
    }
}
