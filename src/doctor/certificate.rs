//! What the server's certificates say, whoever trusts them.

use certs_tool::report::weakness;
use certs_tool::{Certificate, HostName, San};
use time::OffsetDateTime;

use super::report::{Check, Subject, shown};

/// From how many days before its end a certificate is worth a warning.
const SOON_DAYS: i64 = 30;

/// Judges which certificates are sent, and in which order (RFC 8446 section
/// 4.4.2). `known` are those that somebody here trusts.
/// `proven` tells whether the server showed that it has the key.
pub(super) fn judge_chain(chain: &[Certificate], known: &[Certificate], proven: bool) -> Check {
    const CHAIN: Subject = Subject::Chain;
    // What a root says of itself is checked by nobody.
    let signed = |certificate: &&Certificate| !certificate.is_issued_by(certificate);
    let checked = chain
        .iter()
        .take(1)
        .chain(chain.iter().skip(1).filter(signed));
    if let Some(weakness) = checked.filter_map(weakness).next() {
        let check = Check::fail(CHAIN, shown(&weakness.text));
        return check.hint(weakness.hint.unwrap_or_default());
    }
    if !proven && !chain.is_empty() {
        return Check::fail(
            CHAIN,
            "the server does not show that the certificate is its own: the key is another's, or the certificate of a kind that clients do not take (X.509 version 1)",
        )
        .hint("see that certificate and key belong together (`certs-tool show`), or make a new pair: `certs-tool site NAME`");
    }
    let Some(leaf) = chain.first() else {
        return Check::fail(CHAIN, "the server sends no certificate").hint("see the server's log");
    };
    let own = |certificate: &Certificate| certificate.is_issued_by(certificate);
    if own(leaf) {
        let text = if chain.len() == 1 {
            "one certificate, which signed itself".to_owned()
        } else {
            format!(
                "a certificate that signed itself, and {} more that nobody needs",
                chain.len() - 1
            )
        };
        return Check::ok(CHAIN, text);
    }
    let (path, rest) = path(chain);
    // A path has the leaf at least.
    let last = path.last().copied().unwrap_or(leaf);
    let in_order = path.iter().copied().eq(chain.iter().take(path.len()));
    let count = match path.len() {
        1 => "the server's certificate".to_owned(),
        n => format!("the server's certificate and {} above it", n - 1),
    };
    let ends = own(last) || known.iter().any(|ca| last.is_issued_by(ca));
    if !ends {
        return Check::warn(
            CHAIN,
            format!(
                "{count}; the next one, `{}`, is not sent, and nobody here knows it",
                shown(last.issuer())
            ),
        )
        .hint("if that is an intermediate certificate, append it to the server's certificate file (`cat site.crt intermediate.crt > chain.crt`); if it is the root, clients have to be given it");
    }
    if !in_order {
        return Check::warn(CHAIN, format!("{count}, in the wrong order"))
            .hint("in the server's certificate file each certificate is followed by the one that signed it; strict clients refuse another order");
    }
    if !rest.is_empty() {
        return Check::warn(
            CHAIN,
            format!("{count}, and {} that do not belong there", rest.len()),
        )
        .hint("take them out of the server's certificate file");
    }
    if path.len() > 1 && own(last) {
        return Check::ok(
            CHAIN,
            format!("{count}, the last of them the root, which need not be sent"),
        );
    }
    Check::ok(CHAIN, count)
}

/// From the leaf upward, each signed by the next; and what is left over.
fn path(chain: &[Certificate]) -> (Vec<&Certificate>, Vec<&Certificate>) {
    let mut rest: Vec<&Certificate> = chain.iter().collect();
    let mut path = vec![];
    if !rest.is_empty() {
        path.push(rest.remove(0));
    }
    while let Some(last) = path.last()
        && let Some(at) = rest.iter().position(|next| last.is_issued_by(next))
    {
        path.push(rest.remove(at));
    }
    (path, rest)
}

/// Judges whether the certificate is for the name that clients use (RFC 9525).
pub(super) fn judge_name(leaf: &Certificate, host: &HostName) -> Check {
    const NAME: Subject = Subject::Name;
    let names = list(leaf.names());
    if leaf.covers(host) {
        return Check::ok(NAME, format!("the certificate is for {names}"));
    }
    let anew = format!("make a certificate for {host}: `certs-tool site NAME --san {host}`");
    if leaf.names().is_empty() {
        return Check::fail(
            NAME,
            format!(
                "the certificate has no names (SAN), only the legacy Common Name of `{}`, which clients ignore",
                shown(leaf.subject())
            ),
        )
        .hint(anew);
    }
    let written = host.to_string();
    if host.as_ip().is_some() && leaf.names().contains(&San::Dns(written)) {
        return Check::fail(
            NAME,
            format!("{host} stands in the certificate as a DNS name, and not as an address"),
        )
        .hint(format!(
            "{anew}; in openssl's words, `subjectAltName=IP:{host}`"
        ));
    }
    Check::fail(
        NAME,
        format!("the certificate is not for {host}; it is for {names}"),
    )
    .hint(format!("use one of these names, or {anew}"))
}

/// The names of a certificate, as many as fit on a line.
fn list(names: &[San]) -> String {
    const MOST: usize = 8;
    let mut text = names
        .iter()
        .take(MOST)
        .map(|san| shown(&san.to_string()))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}

/// Judges the dates.
pub(super) fn judge_expiry(chain: &[Certificate], now: OffsetDateTime) -> Check {
    const EXPIRY: Subject = Subject::Expiry;
    let whose = |index: usize, certificate: &Certificate| match index {
        0 => "the server's certificate".to_owned(),
        _ => format!(
            "`{}`, above the server's certificate,",
            shown(certificate.subject())
        ),
    };
    for (index, certificate) in chain.iter().enumerate() {
        let who = whose(index, certificate);
        if certificate.not_after() < now {
            return Check::fail(
                EXPIRY,
                format!(
                    "{who} ended {} ({} days ago)",
                    certificate.not_after().date(),
                    -certificate.days_left(now)
                ),
            )
            .hint("renew it: `certs-tool renew NAME`; Tidegate takes up the new one by itself");
        }
        if certificate.not_before() > now {
            return Check::fail(
                EXPIRY,
                format!(
                    "{who} is valid from {} only; here it is {now}",
                    certificate.not_before(),
                    now = now.replace_nanosecond(0).unwrap_or(now)
                ),
            )
            .hint("see that the clocks of this machine and of the one that made the certificate are right (`timedatectl`)");
        }
    }
    let soonest = chain
        .iter()
        .enumerate()
        .min_by_key(|(_, certificate)| certificate.not_after());
    match soonest {
        None => Check::skipped(EXPIRY, "there is no certificate"),
        Some((index, certificate)) => {
            let days = certificate.days_left(now);
            let text = format!(
                "{} ends in {days} days, {}",
                whose(index, certificate),
                certificate.not_after().date()
            );
            if days < SOON_DAYS {
                Check::warn(EXPIRY, text).hint("renew it: `certs-tool renew NAME`")
            } else {
                Check::ok(EXPIRY, text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use certs_tool::{Ca, CaOptions, SiteOptions, make_ca};
    use time::Duration;

    use super::super::report::Status;
    use super::*;

    fn host(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    fn ca() -> Ca {
        make_ca(&CaOptions::default()).unwrap()
    }

    fn site(ca: &Ca, names: &[&str]) -> Certificate {
        let names = names.iter().map(|name| host(name)).collect();
        ca.issue(&SiteOptions::new(names)).unwrap().certificate
    }

    #[test]
    fn chains_are_read_from_the_leaf_upward() {
        let (ca, other) = (ca(), ca());
        let leaf = site(&ca, &["registry.lan"]);
        let (root, stranger) = (ca.certificate().clone(), other.certificate().clone());
        let status = |chain: &[&Certificate], known: &[&Certificate]| {
            let owned = |all: &[&Certificate]| all.iter().copied().cloned().collect::<Vec<_>>();
            judge_chain(&owned(chain), &owned(known), true).status
        };
        assert_eq!(status(&[&leaf], &[&root]), Status::Ok);
        assert_eq!(status(&[&leaf, &root], &[]), Status::Ok);
        assert_eq!(status(&[&root], &[]), Status::Ok);
        assert_eq!(status(&[&leaf], &[&stranger]), Status::Warn);
        assert_eq!(status(&[&leaf, &stranger], &[&root]), Status::Warn);
        assert_eq!(status(&[&leaf, &stranger, &root], &[]), Status::Warn);
        assert_eq!(status(&[], &[&root]), Status::Fail);
        assert_eq!(judge_chain(&[leaf], &[root], false).status, Status::Fail);
    }

    #[test]
    fn names_are_compared_as_clients_do() {
        let leaf = site(&ca(), &["registry.lan", "10.0.0.7"]);
        assert_eq!(judge_name(&leaf, &host("10.0.0.7")).status, Status::Ok);
        let check = judge_name(&leaf, &host("registry.local"));
        assert_eq!(check.status, Status::Fail);
        assert_eq!(
            check.text,
            "the certificate is not for registry.local; it is for registry.lan, 10.0.0.7"
        );
        let nameless = judge_name(ca().certificate(), &host("registry.lan"));
        assert!(nameless.text.contains("legacy Common Name"));
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names: Vec<_> = (0..10).map(|n| San::Dns(format!("n{n}"))).collect();
        assert_eq!(list(&names), "n0, n1, n2, n3, n4, n5, n6, n7 and 2 more");
    }

    #[test]
    fn the_dates_of_the_whole_chain_count() {
        let ca = ca();
        let chain = [site(&ca, &["registry.lan"]), ca.certificate().clone()];
        let now = OffsetDateTime::now_utc();
        let at = |days| judge_expiry(&chain, now + Duration::days(days));
        assert_eq!(at(0).status, Status::Ok);
        assert_eq!(at(730).status, Status::Warn);
        let over = at(751);
        assert_eq!(over.status, Status::Fail);
        assert!(over.text.ends_with("(1 days ago)"), "{}", over.text);
        let early = at(-1);
        assert_eq!(early.status, Status::Fail);
        assert!(early.text.contains("is valid from"), "{}", early.text);
        assert!(early.hint.unwrap().contains("clock"));
    }
}
