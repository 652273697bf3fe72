//! Variables: those of nginx, and those that `map` and `set` make.

use std::collections::HashSet;
use std::sync::Arc;

use super::tree::Directive;
use super::verdicts::Verdicts;
use crate::diagnostic::Diagnostic;
use crate::site::{
    Names, NotationError, PerlExpression, Piece, Template, Translation, Variable, named_groups,
};

/// Variables that nginx has and that mean nothing here.
const OTHERS: &[&str] = &[
    "ancient_browser",
    "binary_remote_addr",
    "body_bytes_sent",
    "bytes_sent",
    "connection",
    "connection_requests",
    "connection_time",
    "content_length",
    "content_type",
    "document_root",
    "hostname",
    "http2",
    "http3",
    "invalid_referer",
    "limit_rate",
    "modern_browser",
    "msec",
    "nginx_version",
    "pid",
    "pipe",
    "proxy_port",
    "proxy_protocol_addr",
    "proxy_protocol_port",
    "proxy_protocol_server_addr",
    "proxy_protocol_server_port",
    "realip_remote_addr",
    "realip_remote_port",
    "realpath_root",
    "request",
    "request_body",
    "request_body_file",
    "request_completion",
    "request_filename",
    "request_id",
    "request_length",
    "request_time",
    "secure_link",
    "tcpinfo_rtt",
    "time_iso8601",
    "time_local",
    "uid_got",
    "uid_set",
    "gzip_ratio",
    "slice_range",
    "upstream_addr",
    "upstream_status",
    "connections_active",
    "geoip_country_code",
    "upstream_cache_status",
];
const OTHER_PREFIXES: &[&str] = &[
    "arg_",
    "cookie_",
    "ssl_",
    "upstream_",
    "sent_trailer_",
    "geoip_",
    "jwt_",
];

/// The variables of a file.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// What `map` makes.
    translations: Vec<Arc<Translation>>,
    /// All that the file makes, whether it can be told here or not.
    declared: HashSet<String>,
    /// The names of groups in what may be expressions.
    captures: Vec<String>,
}

/// Why a text with variables cannot be used.
pub(super) enum Unusable {
    /// nginx would not take it either.
    Mistake(String),
    /// Why it is refused here.
    Refused(String),
}

impl Variables {
    /// Reads each `map` of an `http`.
    ///
    /// # Errors
    /// One that nginx would not take.
    pub(super) fn read(
        root: &[Directive],
        http: &[Directive],
        verdicts: &mut Verdicts,
    ) -> Result<Self, Box<Diagnostic>> {
        let mut read = Self::default();
        read.declare(root);
        let mut waiting: Vec<&Directive> = http
            .iter()
            .filter(|directive| directive.name() == "map")
            .collect();
        // One may use another that stands below it.
        loop {
            let mut left = Vec::new();
            let before = waiting.len();
            for map in waiting {
                match read.translation(map)? {
                    Ok(translation) => {
                        verdicts.honoured(map);
                        read.translations.push(Arc::new(translation));
                    }
                    Err(why) => left.push((map, why)),
                }
            }
            if left.len() == before || left.is_empty() {
                for (map, why) in left {
                    verdicts.harmless(map, format!("nothing that is served may use it: {why}"));
                }
                return Ok(read);
            }
            waiting = left.into_iter().map(|(map, _)| map).collect();
        }
    }

    fn declare(&mut self, directives: &[Directive]) {
        for directive in directives {
            let made = match directive.name() {
                "set" | "auth_request_set" => directive.word(0),
                "map" | "geo" | "split_clients" => {
                    directive.words.last().map(|word| word.text.as_str())
                }
                _ => None,
            };
            self.declared.extend(
                made.and_then(|name| name.strip_prefix('$'))
                    .map(str::to_owned),
            );
            // The lines of a `map` begin with theirs.
            for text in directive.texts().chain([directive.name()]) {
                for name in named_groups(text) {
                    if !self.captures.contains(&name) {
                        self.captures.push(name);
                    }
                }
            }
            self.declare(directive.children());
        }
    }

    /// What a `map` is, or why it can be none here.
    fn translation(&self, map: &Directive) -> Result<Result<Translation, String>, Box<Diagnostic>> {
        let name = map.word(1).and_then(|name| name.strip_prefix('$'));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Err(map.mistake_in(1, "`map` makes a variable: `$name`"));
        };
        let read = |line: &Directive, index: Option<usize>, text: &str| {
            self.template(text, &[]).map_err(|unusable| match unusable {
                Unusable::Refused(why) => Ok(why),
                Unusable::Mistake(why) => Err(match index {
                    Some(index) => line.mistake_in(index, why),
                    None => line.mistake(why),
                }),
            })
        };
        let source = match read(map, Some(0), map.word(0).unwrap_or_default()) {
            Ok(source) => source,
            Err(Ok(why)) => return Ok(Err(why)),
            Err(Err(mistake)) => return Err(mistake),
        };
        let mut made = Lines::default();
        for line in map.children() {
            let key = line.name();
            match (key, line.words.len()) {
                ("hostnames" | "volatile", 0) => {
                    made.hostnames |= key == "hostnames";
                    continue;
                }
                // Its lines stand behind it.
                ("include", 1) => continue,
                (_, 1) => {}
                _ => return Err(line.mistake("a line of `map` is a text and its value")),
            }
            match read(line, Some(0), line.word(0).unwrap_or_default()) {
                Ok(value) => made.take(line, key, value)?,
                Err(Ok(why)) => return Ok(Err(why)),
                Err(Err(mistake)) => return Err(mistake),
            }
        }
        made.into_translation(name, source, map).map(Ok)
    }

    /// Reads a text with variables; those of `set` are given.
    pub(super) fn template(
        &self,
        text: &str,
        set: &[Arc<Translation>],
    ) -> Result<Template, Unusable> {
        let known: Vec<_> = set.iter().chain(&self.translations).cloned().collect();
        let names = Names {
            translations: &known,
            captures: &self.captures,
        };
        Template::parse(text, names).map_err(|error| match &error {
            NotationError::UnknownVariable(name) if self.is_there(name) => {
                Unusable::Refused(format!("`${name}` is not known here"))
            }
            NotationError::UnknownVariable(name) => {
                Unusable::Mistake(format!("there is no variable `${name}`"))
            }
            _ => Unusable::Mistake(error.to_string()),
        })
    }

    fn is_there(&self, name: &str) -> bool {
        self.declared.contains(name)
            || OTHERS.contains(&name)
            || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// What `set` makes: a variable that is a text.
pub(super) fn constant(name: &str, value: Template) -> Arc<Translation> {
    Arc::new(Translation {
        name: name.to_owned(),
        source: Template::default(),
        texts: Vec::new(),
        expressions: Vec::new(),
        default: value,
    })
}

/// How many parts a text may have that is put together from those of `set`.
const MAX_PARTS: usize = 1000;

/// The text of a template that holds no variables but those of `set`.
pub(super) fn settled(template: &Template) -> Option<String> {
    let mut text = String::new();
    let mut parts_left = MAX_PARTS;
    settle(template, &mut text, &mut parts_left)?;
    Some(text)
}

fn settle(template: &Template, text: &mut String, parts_left: &mut usize) -> Option<()> {
    for piece in &template.0 {
        *parts_left = parts_left.checked_sub(1)?;
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Variable(Variable::Translated(translation))
                if translation.source == Template::default() =>
            {
                settle(&translation.default, text, parts_left)?;
            }
            Piece::Variable(_) => return None,
        }
    }
    Some(())
}

/// The lines of a `map`.
#[derive(Default)]
struct Lines {
    hostnames: bool,
    texts: Vec<(String, Template)>,
    expressions: Vec<(PerlExpression, Template)>,
    default: Option<Template>,
}

impl Lines {
    fn take(
        &mut self,
        line: &Directive,
        key: &str,
        value: Template,
    ) -> Result<(), Box<Diagnostic>> {
        if key == "default" {
            if self.default.replace(value).is_some() {
                return Err(line.mistake("`default` stands here twice"));
            }
            return Ok(());
        }
        if let Some(text) = key.strip_prefix('~') {
            let (text, any_case) = match text.strip_prefix('*') {
                Some(text) => (text, true),
                None => (text, false),
            };
            let expression = PerlExpression::new(text, any_case)
                .map_err(|error| line.mistake(error.to_string()))?;
            self.expressions.push((expression, value));
            return Ok(());
        }
        // A backslash takes its meaning from `default` and from what follows it.
        let key = key.strip_prefix('\\').unwrap_or(key);
        if self
            .texts
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(key))
        {
            return Err(line.mistake(format!("`{key}` stands here twice")));
        }
        self.texts.push((key.to_owned(), value));
        Ok(())
    }

    fn into_translation(
        self,
        name: &str,
        source: Template,
        map: &Directive,
    ) -> Result<Translation, Box<Diagnostic>> {
        let mut texts = self.texts;
        let mut expressions = self.expressions;
        if self.hostnames {
            let (wild, exact): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(key, _)| {
                key.starts_with("*.") || key.starts_with('.') || key.ends_with(".*")
            });
            texts = exact;
            let mut patterns = Vec::new();
            for (key, value) in wild {
                if let Some(head) = key.strip_suffix(".*") {
                    patterns.push((1, key.len(), format!(r"^{}\.", literal(head)), value));
                    continue;
                }
                let tail = key.trim_start_matches('*').trim_start_matches('.');
                if key.starts_with('.') {
                    texts.push((tail.to_owned(), value.clone()));
                }
                patterns.push((0, key.len(), format!(r"\.{}$", literal(tail)), value));
            }
            // Leading stars before trailing ones, the longest first.
            patterns.sort_by_key(|(kind, length, _, _)| (*kind, usize::MAX - length));
            let mut before = Vec::new();
            for (_, _, pattern, value) in patterns {
                let expression = PerlExpression::new(&pattern, true)
                    .map_err(|error| map.mistake(error.to_string()))?;
                before.push((expression, value));
            }
            before.append(&mut expressions);
            expressions = before;
        }
        Ok(Translation {
            name: name.to_owned(),
            source,
            texts,
            expressions,
            default: self.default.unwrap_or_default(),
        })
    }
}

/// A text as an expression that matches itself.
fn literal(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if !c.is_alphanumeric() && c != '_' && c != '-' {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
