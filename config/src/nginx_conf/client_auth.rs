//! `ssl_verify_client` and what belongs to it: certificates of clients.

use super::Reading;
use super::scope::Scope;
use super::tree::{Directive, hinted};
use crate::client_auth::{ClientAuth, UserFrom, VerifyClient};
use crate::diagnostic::Diagnostic;

/// nginx's `ssl_verify_depth` where nothing is said.
const DEPTH: u8 = 1;

/// What a server asks of its clients.
pub(super) enum Asked {
    /// Nothing, or what these settings say.
    So(Option<ClientAuth>),
    /// What cannot be told: nobody may come in.
    Unknown,
}

impl Reading {
    /// What a `server` asks of its clients: each directive of its own goes before
    /// that of the `http` around it.
    ///
    /// # Errors
    /// What nginx would not take.
    pub(super) fn client_auth(
        &mut self,
        scope: &Scope,
        http: &[Directive],
        block: &[Directive],
    ) -> Result<Asked, Box<Diagnostic>> {
        let find = |name: &str| {
            let last = |block: &'_ [Directive]| block.iter().rposition(|d| d.name() == name);
            let own = last(block).map(|at| &block[at]);
            own.or_else(|| last(http).map(|at| &http[at]))
        };
        let Some(verify) = find("ssl_verify_client") else {
            return Ok(Asked::So(None));
        };
        let (required, how) = match verify.word(0).unwrap_or_default() {
            "off" => {
                self.verdicts.harmless(verify, "it is off here as well");
                return Ok(Asked::So(None));
            }
            "on" => (true, VerifyClient::Full),
            "optional" => (false, VerifyClient::Full),
            "optional_no_ca" => (false, VerifyClient::AnyIssuer),
            other => {
                let what = format!("`{other}` is nothing that `ssl_verify_client` knows");
                let hint = "write `on`, `optional`, `optional_no_ca` or `off`";
                return Err(hinted(verify.mistake_in(0, what), hint));
            }
        };
        self.verdicts.honoured(verify);
        if let Some(ocsp) = find("ssl_ocsp").filter(|ocsp| ocsp.word(0) != Some("off")) {
            self.verdicts.refused(
                ocsp,
                "whether a certificate was revoked is not asked for: name a list with `ssl_crl`",
            );
            return Ok(Asked::Unknown);
        }
        let ca = find("ssl_client_certificate");
        if ca.is_none() && how == VerifyClient::Full {
            return Err(hinted(
                verify.mistake("there is no `ssl_client_certificate` for it"),
                "name the CAs that sign the certificates of clients",
            ));
        }
        let mut client_auth = ClientAuth {
            ca: Vec::new(),
            trusted: Vec::new(),
            crl: None,
            depth: Some(DEPTH),
            required,
            verify: how,
            // A password that is asked for is asked for as well.
            user: UserFrom::Nowhere,
        };
        let mut is_known = true;
        let mut file = |directive: Option<&Directive>| -> Result<_, Box<Diagnostic>> {
            let Some(directive) = directive else {
                return Ok(None);
            };
            let file = self.plain(directive, 0, &scope.set)?;
            is_known &= file.is_some();
            if file.is_some() {
                self.verdicts.honoured(directive);
            }
            Ok(file.map(|file| self.base.join(file)))
        };
        client_auth.ca.extend(file(ca)?);
        let trusted = file(find("ssl_trusted_certificate"))?;
        client_auth.trusted.extend(trusted);
        client_auth.crl = file(find("ssl_crl"))?;
        if let Some(depth) = find("ssl_verify_depth") {
            client_auth.depth = depth_of(depth)?;
            self.verdicts.honoured(depth);
        }
        Ok(if is_known {
            Asked::So(Some(client_auth))
        } else {
            Asked::Unknown
        })
    }
}

/// How many CAs may stand between a certificate and a trusted one, as OpenSSL
/// counts. More than fit into a handshake are any number.
fn depth_of(directive: &Directive) -> Result<Option<u8>, Box<Diagnostic>> {
    let text = directive.word(0).unwrap_or_default();
    let depth: u32 = text
        .parse()
        .map_err(|_| directive.mistake_in(0, format!("`{text}` is no number")))?;
    Ok(u8::try_from(depth).ok())
}
