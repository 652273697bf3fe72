//! The same decisions by other means: rules one after the other, patterns letter
//! by letter, networks bit by bit.

use std::net::IpAddr;

use ipnet::IpNet;
use tidegate_config::access::{AccessRule, AccessRules, Repositories, Who};

use crate::policy::Request;

/// Whether a request is allowed, and the index of the rule that says so.
pub(super) fn allows(rules: &AccessRules, request: &Request<'_>) -> (bool, Option<usize>) {
    for (index, rule) in rules.rules.iter().enumerate() {
        if concerns(rules, rule, request) {
            return (rule.allows, Some(index));
        }
    }
    let anybody = rules.anonymous.contains(request.action);
    let no_rules = rules.rules.is_empty();
    (anybody || no_rules && request.user.is_some(), None)
}

fn concerns(rules: &AccessRules, rule: &AccessRule, request: &Request<'_>) -> bool {
    let user = rule.who.iter().any(|who| match (who, request.user) {
        (Who::Anonymous, None) => true,
        (Who::Users(pattern), Some(user)) => {
            pattern.as_str() == "*" || matches(pattern.as_str(), user)
        }
        (Who::Group(group), Some(user)) => rules.groups[group].contains(user),
        _ => false,
    });
    let names_all = |some: &Repositories| some.to_string() == "**";
    let repository = rule.repositories.is_empty()
        || rule.repositories.iter().any(names_all)
        || match request.repository {
            Some(name) => rule.repositories.iter().any(|some| match some {
                Repositories::Pattern(pattern) => matches(pattern.as_str(), name),
                Repositories::Expression(_) => panic!("the oracle knows no expressions"),
            }),
            None => rule.allows,
        };
    let address = rule.addresses.is_empty()
        || match request.client {
            Some(client) => rule.addresses.iter().any(|net| holds(net, client)),
            None => !rule.allows,
        };
    rule.actions.contains(request.action) && user && repository && address
}

/// Whether a pattern of letters, `*` and, as whole segments, `**` matches.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let name: Vec<&str> = name.split('/').collect();
    segments(&pattern, &name)
}

fn segments(pattern: &[&str], name: &[&str]) -> bool {
    match pattern {
        [] => name.is_empty(),
        // At the end it stands for something.
        ["**"] => !name.is_empty(),
        ["**", rest @ ..] => (0..=name.len()).any(|skipped| segments(rest, &name[skipped..])),
        [first, rest @ ..] => match name {
            [] => false,
            [segment, others @ ..] => {
                letters(first.as_bytes(), segment.as_bytes()) && segments(rest, others)
            }
        },
    }
}

fn letters(pattern: &[u8], segment: &[u8]) -> bool {
    match pattern {
        [] => segment.is_empty(),
        [b'*', rest @ ..] => (0..=segment.len()).any(|skipped| letters(rest, &segment[skipped..])),
        [letter, rest @ ..] => segment.first() == Some(letter) && letters(rest, &segment[1..]),
    }
}

/// Whether a network holds an address. What is mapped is of IPv4.
fn holds(net: &IpNet, address: IpAddr) -> bool {
    let base = net.network().to_canonical();
    let address = address.to_canonical();
    let skipped = if net.network().is_ipv6() && base.is_ipv4() {
        96
    } else {
        0
    };
    let length = usize::from(net.prefix_len()) - skipped;
    base.is_ipv4() == address.is_ipv4() && bits(base)[..length] == bits(address)[..length]
}

fn bits(address: IpAddr) -> Vec<bool> {
    let bytes = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let bits = |byte: u8| (0..8).rev().map(move |bit| byte >> bit & 1 == 1);
    bytes.into_iter().flat_map(bits).collect()
}
