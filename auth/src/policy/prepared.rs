//! The rules about one action, laid out so that a request meets those alone
//! that may be about its sender.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use tidegate_config::access::{AccessRule, AccessRules, Action, Who};

use super::decide::Request;
use super::names::Names;

/// The rules about one action, in their order.
pub(super) struct Prepared {
    rules: Vec<Rule>,
    /// For each user whom rules name, by name or as one of a group, the places
    /// of these rules, in rising order.
    by_user: HashMap<Box<str>, Vec<usize>>,
    /// The places of the rules that are, or may be, about others than those.
    open: Vec<usize>,
    name_addresses: bool,
}

struct Rule {
    /// Among all rules.
    index: usize,
    allows: bool,
    /// Those who have not logged in.
    anonymous: bool,
    /// Users by patterns.
    users: Vec<Names>,
    /// Empty for all of them.
    repositories: Vec<Names>,
    /// Empty for all of them.
    addresses: Vec<IpNet>,
}

impl Prepared {
    /// The rules of `all` about an action.
    pub(super) fn new(all: &AccessRules, action: Action) -> Self {
        let mut prepared = Self {
            rules: Vec::new(),
            by_user: HashMap::new(),
            open: Vec::new(),
            name_addresses: false,
        };
        for (index, rule) in all.rules.iter().enumerate() {
            if rule.actions.contains(action) {
                prepared.add(all, index, rule);
            }
        }
        prepared
    }

    fn add(&mut self, all: &AccessRules, index: usize, rule: &AccessRule) {
        let place = self.rules.len();
        let mut ready = Rule {
            index,
            allows: rule.allows,
            anonymous: false,
            users: Vec::new(),
            repositories: match rule.is_about_all_repositories() {
                true => Vec::new(),
                false => rule.repositories.iter().map(Names::of).collect(),
            },
            addresses: rule.addresses.iter().map(canonical).collect(),
        };
        for who in &rule.who {
            match who {
                Who::Anonymous => ready.anonymous = true,
                Who::Group(group) => {
                    let users = all.groups.get(group).into_iter().flatten();
                    users.for_each(|user| self.name(user, place));
                }
                // All who have logged in, whatever their names are.
                Who::Users(pattern) if pattern.as_str() == "*" => ready.users.push(Names::All),
                Who::Users(pattern) => match Names::from(pattern) {
                    Names::Exactly(user) => self.name(&user, place),
                    names => ready.users.push(names),
                },
            }
        }
        if ready.anonymous || !ready.users.is_empty() {
            self.open.push(place);
        }
        self.name_addresses |= !ready.addresses.is_empty();
        self.rules.push(ready);
    }

    fn name(&mut self, user: &str, place: usize) {
        let places = self.by_user.entry(user.into()).or_default();
        if places.last() != Some(&place) {
            places.push(place);
        }
    }

    /// Whether the address of a client matters at all.
    pub(super) fn name_addresses(&self) -> bool {
        self.name_addresses
    }

    /// Whether going through the rules that may be about a user takes no longer
    /// than remembering what came of it.
    pub(super) fn are_few_for(&self, user: Option<&str>) -> bool {
        const FEW: usize = 4;
        self.open.len() + self.naming(user).len() <= FEW
    }

    /// The index of the first rule that is about a request, and whether it
    /// allows it.
    pub(super) fn first_about(&self, request: &Request<'_>) -> Option<(usize, bool)> {
        let client = request.client.map(|client| client.to_canonical());
        let mut named = self.naming(request.user).iter().copied().peekable();
        let mut open = self.open.iter().copied().peekable();
        loop {
            // The nearer of the two, and whether it names the user.
            let (place, is_named) = match (named.peek(), open.peek()) {
                (Some(&a), Some(&b)) if b < a => (b, false),
                (Some(&a), Some(&b)) => {
                    open.next_if(|_| a == b);
                    (a, true)
                }
                (Some(&a), None) => (a, true),
                (None, Some(&b)) => (b, false),
                (None, None) => return None,
            };
            if is_named {
                named.next();
            } else {
                open.next();
            }
            let rule = &self.rules[place];
            if (is_named || rule.is_about_user(request.user))
                && rule.is_about_address(client)
                && rule.is_about_repository(request.repository)
            {
                return Some((rule.index, rule.allows));
            }
        }
    }

    fn naming(&self, user: Option<&str>) -> &[usize] {
        let places = user.and_then(|user| self.by_user.get(user));
        places.map_or(&[], Vec::as_slice)
    }
}

impl Rule {
    /// Whether it is about a user whom it does not name.
    fn is_about_user(&self, user: Option<&str>) -> bool {
        match user {
            Some(user) => self.users.iter().any(|users| users.contain(user)),
            None => self.anonymous,
        }
    }

    /// A client whose address is not known is at none that is named: a refusal is
    /// then about it, so that nothing is allowed by not knowing.
    fn is_about_address(&self, client: Option<IpAddr>) -> bool {
        if self.addresses.is_empty() {
            return true;
        }
        match client {
            Some(client) => self.addresses.iter().any(|net| net.contains(&client)),
            None => !self.allows,
        }
    }

    /// The list of repositories holds those that the caller may pull, so that a
    /// rule about some repositories that allows it gives away no other; one that
    /// refuses them does not take the others away.
    fn is_about_repository(&self, repository: Option<&str>) -> bool {
        match repository {
            _ if self.repositories.is_empty() => true,
            Some(name) => self.repositories.iter().any(|some| some.contain(name)),
            None => self.allows,
        }
    }
}

/// A network of IPv4 addresses that is written as one of IPv6 (RFC 4291 section
/// 2.5.5.2) is what clients of IPv4 come from, on a socket for both.
fn canonical(net: &IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    if let IpNet::V6(v6) = net
        && let Some(address) = v6.network().to_ipv4_mapped()
        && let Some(length) = v6.prefix_len().checked_sub(MAPPED_BITS)
        && let Ok(v4) = IpNet::new(address.into(), length)
    {
        return v4;
    }
    *net
}
