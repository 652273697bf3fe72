//! Which keys a file may have, and which of them was meant by a slip.

/// The keys of one format.
#[derive(Debug)]
pub(crate) struct Schema {
    /// All keys by their paths; what is below a list's items, or below keys of the
    /// user's choice, follows at once.
    pub(crate) keys: &'static [&'static str],
    /// Steps of paths whose values are not shown: they may be secrets, or hold
    /// them.
    pub(crate) secret: &'static [&'static str],
}

/// How alike two keys have to be for one to be a slip of the other.
const ALIKE: f64 = 0.6;

impl Schema {
    /// Whether the value of a key is not to be shown.
    pub(crate) fn is_secret(&self, path: &str) -> bool {
        path.split('.').any(|step| {
            self.secret
                .iter()
                .any(|secret| step.eq_ignore_ascii_case(secret))
        })
    }

    /// The key that was most likely meant by an unknown one below `section`: one
    /// of the same name elsewhere, as if the indentation were wrong, or one beside
    /// it whose name is much like its own.
    pub(crate) fn nearest(&self, section: &str, key: &str) -> Option<String> {
        let below = |known: &&&str| section.is_empty() || is_below(known, section);
        let depth = if section.is_empty() {
            0
        } else {
            section.len() + 1
        };
        let siblings = self
            .keys
            .iter()
            .filter(below)
            .filter_map(|known| known.get(depth..));
        if let Some(sibling) = most_alike(key, siblings.map(first)) {
            return Some(join(section, sibling));
        }
        let same = |known: &&&str| last(known).eq_ignore_ascii_case(key);
        let elsewhere = self.keys.iter().find(same).map(|known| (*known).to_owned());
        elsewhere.or_else(|| {
            let alike = most_alike(key, self.keys.iter().map(|known| last(known)))?;
            self.keys
                .iter()
                .find(|known| last(known) == alike)
                .map(|known| (*known).to_owned())
        })
    }
}

/// The path of a key below another.
pub(crate) fn join(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    }
}

/// Whether a path leads to a section or to something in it.
pub(crate) fn is_below(path: &str, section: &str) -> bool {
    path.strip_prefix(section)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first step of a path.
pub(crate) fn first(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The known name that this one is most likely a slip of.
pub(crate) fn most_alike<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let key = key.to_ascii_lowercase();
    known
        .map(|known| (strsim::normalized_damerau_levenshtein(&key, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
