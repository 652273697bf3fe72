//! Which servers there are.

/// A kind of server; each is a column of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// nginx in front of docker-registry 2: what Tidegate replaces.
    Recipe,
    /// What is measured.
    Tidegate,
    /// nginx with the same bytes as files, without passwords: what TLS costs on
    /// this machine when nothing else is done.
    Static,
    /// nginx in front of docker-registry 3.
    Registry3,
}

impl Kind {
    /// All of them, in the order of the report's columns.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Recipe, Self::Tidegate, Self::Static, Self::Registry3];
    /// Those that speak the registry's API.
    pub(crate) const REGISTRIES: &'static [Self] = &[Self::Recipe, Self::Tidegate, Self::Registry3];
    /// Those that the aims are about.
    pub(crate) const PAIR: &'static [Self] = &[Self::Recipe, Self::Tidegate];

    /// What the report calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recipe => "nginx + docker-registry",
            Self::Tidegate => "Tidegate",
            Self::Static => "nginx, static files",
            Self::Registry3 => "nginx + docker-registry 3",
        }
    }

    /// What the file of figures calls it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Recipe => "recipe",
            Self::Tidegate => "tidegate",
            Self::Static => "static",
            Self::Registry3 => "registry3",
        }
    }
}
