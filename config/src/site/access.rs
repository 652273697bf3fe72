//! Who may come in to a place.

use ipnet::IpNet;

use crate::settings::Auth;

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// By address: the first rule that is about it counts; without one it may.
    pub addresses: Vec<AddressRule>,
    /// By password.
    pub auth: Option<Auth>,
    /// Whether either the address or the password suffices: `satisfy any`.
    pub either: bool,
    /// Other rules for some methods.
    pub methods: Option<MethodRule>,
}

impl Access {
    /// Whether anybody is asked for a password.
    #[must_use]
    pub fn asks(&self) -> bool {
        let methods = self.methods.as_ref();
        self.auth.is_some() || methods.is_some_and(|rule| rule.access.asks())
    }
}

/// nginx's `allow` and `deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRule {
    /// The addresses; `None` are all.
    pub network: Option<IpNet>,
    /// Whether they may come in.
    pub allows: bool,
}

/// nginx's `limit_except`: for all methods but some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodRule {
    /// The methods that it is not about; GET includes HEAD.
    pub except: Vec<String>,
    /// What holds for the others, in place of what holds for these.
    pub access: Box<Access>,
}

impl Access {
    /// The password files that are asked here.
    pub(crate) fn auths(&self) -> Vec<&Auth> {
        let inner = self.methods.iter().flat_map(|rule| rule.access.auths());
        self.auth.iter().chain(inner).collect()
    }

    /// The same, to be changed.
    pub(crate) fn auths_mut(&mut self) -> Vec<&mut Auth> {
        let inner = self.methods.iter_mut();
        let inner = inner.flat_map(|rule| rule.access.auths_mut());
        self.auth.iter_mut().chain(inner).collect()
    }
}
