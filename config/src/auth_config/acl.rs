//! The rules of an `auth_config.yml`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::glob::BadGlob;
use super::pattern::{AclPattern, Matcher};
use super::settings::{AclEntry, Actions, Conditions, User};
use crate::yaml::report::Problem;
use crate::yaml::section::{Field, Section};

/// A user with several texts for each of several labels makes as many patterns of
/// one as there are combinations; more than this are a slip, and would be slow.
const MOST_COMBINATIONS: usize = 10_000;

/// The conditions that there are.
const CONDITIONS: [&str; 6] = ["account", "type", "name", "service", "ip", "labels"];

/// Reads `acl`. Without one, docker_auth does not start, unless it asks somebody
/// else.
pub(super) fn read(
    root: &Section<'_>,
    are_elsewhere: bool,
    users: &BTreeMap<String, User>,
) -> Result<Vec<AclEntry>, Problem> {
    let acl = root.field("acl");
    if acl.is_missing() || acl.is_nothing() {
        if are_elsewhere {
            acl.harmless("it is empty");
            return Ok(Vec::new());
        }
        let hint = "write it as\n    acl:\n      - match: {account: \"admin\"}\n        \
                    actions: [\"*\"]\nor acl: [] if really nobody is to do anything";
        return Err(acl.problem("there are no rules", hint));
    }
    root.sections("acl", |entry| self::entry(entry, users))
}

fn entry(entry: &Section<'_>, users: &BTreeMap<String, User>) -> Result<AclEntry, Problem> {
    let comment = entry.field("comment");
    comment.harmless("it says what its author thought");
    let matching = entry.field("match");
    if matching.is_missing() || matching.is_nothing() {
        let hint = "write match: {} for a rule that matches everything";
        return Err(entry.problem("a rule has no match", hint));
    }
    let actions = entry.honoured("actions");
    let Some(granted) = actions.scalars()? else {
        let hint = "write actions: [\"*\"], actions: [\"pull\"] or actions: []";
        return Err(entry.problem("a rule has no actions", hint));
    };
    Ok(AclEntry {
        line: entry.line(),
        conditions: matching.mapping(|matching| conditions(matching, users))?,
        actions: match granted.as_slice() {
            [all] if all == "*" => Actions::Asked,
            _ => Actions::Of(granted),
        },
        comment: comment.scalar()?,
    })
}

fn conditions(
    matching: &Section<'_>,
    users: &BTreeMap<String, User>,
) -> Result<Conditions, Problem> {
    // docker_auth passes over it: then the rule is for more than it looks like.
    if let Some(unknown) = matching.keys().find(|key| !CONDITIONS.contains(key)) {
        let field = matching.field(unknown);
        let hint = match matching.nearest(unknown) {
            Some(near) => format!("the nearest condition is `{near}`"),
            None => format!("the conditions are {}", CONDITIONS.join(", ")),
        };
        let what = "there is no such condition, so that the rule would match without it";
        return Err(field.problem(what, &hint));
    }
    let pattern = |key: &str| pattern(&matching.field(key), users);
    Ok(Conditions {
        account: pattern("account")?,
        kind: pattern("type")?,
        name: pattern("name")?,
        service: pattern("service")?,
        ip: network(&matching.field("ip"))?,
        labels: labels(&matching.field("labels"), users)?,
    })
}

/// A condition that a pattern makes. One that nothing follows asks for nothing,
/// unlike an empty text.
fn pattern(
    field: &Field<'_>,
    users: &BTreeMap<String, User>,
) -> Result<Option<AclPattern>, Problem> {
    let Some(text) = field.scalar()? else {
        field.replaced("no condition, for nothing follows it; \"\" is an empty text");
        return Ok(None);
    };
    checked(field, &text, users).map(Some)
}

fn labels(
    field: &Field<'_>,
    users: &BTreeMap<String, User>,
) -> Result<Vec<(String, AclPattern)>, Problem> {
    if field.is_missing() || field.is_nothing() {
        field.harmless("it is empty");
        return Ok(Vec::new());
    }
    field.mapping(|labels| {
        labels.each(|name, field| {
            let text = field.scalar()?.unwrap_or_default();
            Ok((name, checked(&field, &text, users)?))
        })
    })
}

fn checked(
    field: &Field<'_>,
    text: &str,
    users: &BTreeMap<String, User>,
) -> Result<AclPattern, Problem> {
    let pattern = AclPattern::new(text).map_err(|error| {
        let what = format!("the regular expression cannot be read: {error}");
        field.problem(
            &what,
            "between slashes is Go's syntax of regular expressions",
        )
    })?;
    let too_many = |(_, user): &(&String, &User)| combinations(text, user) > MOST_COMBINATIONS;
    if let Some((name, _)) = users.iter().find(too_many) {
        let what = format!(
            "the labels of the user `{name}` make more than {MOST_COMBINATIONS} patterns of it"
        );
        return Err(field.problem(&what, "write several rules, with a label each"));
    }
    if matches!(pattern.unchanged(), Matcher::Nothing) && !pattern.has_placeholders() {
        field.replaced(&format!("a condition that nothing meets, for {BadGlob}"));
    } else {
        field.honoured();
    }
    Ok(pattern)
}

/// How many patterns the labels of a user make of one.
fn combinations(pattern: &str, user: &User) -> usize {
    let used = user.labels.iter().filter(|(name, _)| {
        let placeholder = format!("${{labels:{name}}}");
        pattern.contains(&placeholder)
    });
    used.fold(1, |count, (_, values)| count.saturating_mul(values.len()))
}

/// An address, or a network as `10.0.0.0/8`.
fn network(field: &Field<'_>) -> Result<Option<IpNet>, Problem> {
    let Some(text) = field.scalar()? else {
        field.replaced("no condition, for nothing follows it");
        return Ok(None);
    };
    let network = read_network(&text).ok_or_else(|| {
        let what = format!("`{text}` is neither an address nor a network");
        field.problem(&what, "write it as 192.0.2.1 or 192.0.2.0/24")
    })?;
    field.honoured();
    Ok(Some(network))
}

/// As Go has it: an IPv4 address within IPv6 is an IPv4 address, with its network.
fn read_network(text: &str) -> Option<IpNet> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length: u8 = match length {
        Some(digits) if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => {
            return None;
        }
        Some(digits) => digits.parse().ok().filter(|length| *length <= most)?,
        None => most,
    };
    let within_ipv6 = most == 128 && address.to_canonical().is_ipv4() && length >= 96;
    let network = if within_ipv6 {
        IpNet::new(address.to_canonical(), length - 96)
    } else {
        IpNet::new(address, length)
    };
    network.ok().map(|network| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_those_of_go() {
        for (text, network) in [
            ("127.0.0.1", Some("127.0.0.1/32")),
            ("127.0.0.1/8", Some("127.0.0.0/8")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::1", Some("::1/128")),
            ("2001:db8::5/48", Some("2001:db8::/48")),
            ("::ffff:10.1.2.3", Some("10.1.2.3/32")),
            ("::ffff:10.1.2.3/104", Some("10.0.0.0/8")),
            ("::ffff:10.1.2.3/90", Some("::ffc0:0:0/90")),
            ("10.0.0.0/08", Some("10.0.0.0/8")),
            ("192.168.0.1/100", None),
            ("192.168.0.*", None),
            ("2001:db8::/222", None),
            ("10.0.0.0/+8", None),
            ("10.0.0.0/", None),
            ("10.0.0/8", None),
            ("010.0.0.1", None),
            ("fe80::1%eth0", None),
            (" 10.0.0.1", None),
            ("", None),
        ] {
            let network = network.map(|text| text.parse().unwrap());
            assert_eq!(read_network(text), network, "{text}");
        }
    }
}
