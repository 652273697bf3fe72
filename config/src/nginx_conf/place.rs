//! `location`: what is done with the requests to some paths.

use super::Reading;
use super::rewrite::answer_all;
use super::scope::Scope;
use super::tree::Directive;
use crate::diagnostic::Diagnostic;
use crate::site::{
    Action, MethodRule, PathMatch, PerlExpression, Piece, Place, Return, Rewrite, Template,
    Variable,
};

/// Directives that pass requests on in ways that are not known here.
const FOREIGN: [&str; 5] = [
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
    "grpc_pass",
    "memcached_pass",
];

impl Reading {
    /// The places of a `server`.
    ///
    /// # Errors
    /// What nginx would not take.
    pub(super) fn places(
        &mut self,
        scope: &Scope,
        block: &[Directive],
    ) -> Result<Vec<Place>, Box<Diagnostic>> {
        let mut places = Vec::new();
        for directive in block
            .iter()
            .filter(|directive| directive.name() == "location")
        {
            self.location(scope, directive, None, &mut places)?;
        }
        add_slashes(&mut places);
        Ok(places)
    }

    /// Reads a location; `around` is the one that it lies in.
    fn location(
        &mut self,
        outer: &Scope,
        directive: &Directive,
        around: Option<&PathMatch>,
        places: &mut Vec<Place>,
    ) -> Result<(), Box<Diagnostic>> {
        let Some(path) = path_of(directive)? else {
            self.verdicts.passed_over(
                directive,
                "only `error_page` and `try_files` lead here, and nothing follows them",
            );
            return Ok(());
        };
        let path = match (around, path) {
            (None, path) => path,
            (Some(around), path) => {
                match within(around, path) {
                    Ok(path) => path,
                    Err(Within::Outside) => {
                        return Err(directive.mistake(format!(
                            "this location lies outside of `{around}`, which is around it"
                        )));
                    }
                    Err(Within::Expression) => {
                        self.verdicts
                            .passed_over(directive, "the location is refused");
                        self.verdicts.refused(directive, "a location with an expression, or within one, cannot lie in another here");
                        return Ok(());
                    }
                }
            }
        };
        let is_plain = !matches!(path, PathMatch::Expression(_));
        if is_plain && places.iter().any(|place| key(&place.path) == key(&path)) {
            return Err(directive.mistake(format!("there are two locations `{path}`")));
        }
        if let PathMatch::Exact(exact) = &path
            && self.error_pages.contains(exact)
        {
            self.verdicts.passed_over(
                directive,
                "only `error_page` leads here, and errors have bodies of their own",
            );
            return Ok(());
        }
        if directive
            .children()
            .iter()
            .any(|inner| inner.name() == "internal")
        {
            self.verdicts
                .passed_over(directive, "no client comes here: 404");
            places.push(Place {
                path,
                rules: outer.rules(),
                action: Action::NotFound,
            });
            return Ok(());
        }
        let scope = self.scope(outer, directive.children())?;
        let mut rules = scope.rules();
        rules.rewrites = self.rewrites(&scope, directive.children())?;
        rules.access.methods = self.method_rule(&scope, directive)?;
        let action = self.action(&scope, directive, &path, &rules.rewrites)?;
        self.log_is_off &= scope.is_unlogged;
        places.push(Place {
            path: path.clone(),
            rules,
            action,
        });
        for inner in directive
            .children()
            .iter()
            .filter(|inner| inner.name() == "location")
        {
            self.location(&scope, inner, Some(&path), places)?;
        }
        Ok(())
    }

    fn method_rule(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Option<MethodRule>, Box<Diagnostic>> {
        let mut found = directive
            .children()
            .iter()
            .filter(|inner| inner.name() == "limit_except");
        let Some(limit) = found.next() else {
            return Ok(None);
        };
        if let Some(second) = found.next() {
            return Err(second.mistake("there are two `limit_except` in this location"));
        }
        for inner in limit
            .children()
            .iter()
            .filter(|inner| inner.name() == "proxy_pass")
        {
            self.verdicts
                .refused(inner, "requests of one place go to one upstream");
        }
        let inside = self.scope(scope, limit.children())?;
        Ok(Some(MethodRule {
            except: limit.texts().map(str::to_ascii_uppercase).collect(),
            access: Box::new(inside.access()),
        }))
    }

    fn action(
        &mut self,
        scope: &Scope,
        directive: &Directive,
        path: &PathMatch,
        rewrites: &[Rewrite],
    ) -> Result<Action, Box<Diagnostic>> {
        let inner = directive.children();
        let stands = |name: &str| inner.iter().find(|inner| inner.name() == name);
        if let Some(pass) = stands("proxy_pass") {
            if let Some(second) = inner
                .iter()
                .filter(|inner| inner.name() == "proxy_pass")
                .nth(1)
            {
                return Err(second.mistake("there are two `proxy_pass` in this location"));
            }
            let proxy = self.proxy(scope, pass, path)?;
            if let Some(proxy) = &proxy {
                self.passes.push((proxy.clone(), pass.id));
            }
            return Ok(proxy.map_or(Action::NotFound, |proxy| Action::Proxy(Box::new(proxy))));
        }
        let answers = answer_all(rewrites);
        let is_foreign =
            FOREIGN.iter().any(|name| stands(name).is_some()) || stands("stub_status").is_some();
        let only_holds_others = stands("location").is_some();
        if !answers && !is_foreign && !scope.denies_all() {
            self.files(scope, directive, only_holds_others);
        }
        Ok(Action::NotFound)
    }

    /// Says that nobody serves the files that a location asks for.
    fn files(&mut self, scope: &Scope, directive: &Directive, only_holds_others: bool) {
        const WHY: &str = "files are not served here: if the site is of no use to a registry, \
                           take it out of what is included; with --lenient, it is 404";
        let names = ["try_files", "root", "alias", "autoindex", "index"];
        let own = names.iter().find_map(|name| {
            directive
                .children()
                .iter()
                .find(|inner| inner.name() == *name)
        });
        match (own, scope.root) {
            (Some(own), _) => self.verdicts.refused(own, WHY),
            (None, _) if only_holds_others => self.verdicts.honoured(directive),
            (None, Some(_)) => self.verdicts.refused(directive, WHY),
            (None, None) => self.verdicts.replaced(
                directive,
                "404: files are not served, and no directory is named for them",
            ),
        }
    }
}

/// The path of a location; `None` if it is one that only has a name.
fn path_of(directive: &Directive) -> Result<Option<PathMatch>, Box<Diagnostic>> {
    let first = directive.word(0).unwrap_or_default();
    let (modifier, path) = match directive.word(1) {
        Some(path) => (first, path),
        None if first.starts_with('@') => return Ok(None),
        // The sign may stand without a space behind it.
        None => ["^~", "~*", "=", "~"]
            .iter()
            .find_map(|sign| first.strip_prefix(sign).map(|path| (*sign, path)))
            .unwrap_or(("", first)),
    };
    let index = directive.words.len() - 1;
    let expression = |any_case| {
        PerlExpression::new(path, any_case)
            .map(|expression| Some(PathMatch::Expression(expression)))
            .map_err(|error| directive.mistake_in(index, error.to_string()))
    };
    let begins = path.starts_with('/');
    Ok(Some(match modifier {
        "~" => return expression(false),
        "~*" => return expression(true),
        "=" if begins => PathMatch::Exact(path.to_owned()),
        "" | "^~" if begins => PathMatch::Prefix {
            path: path.to_owned(),
            is_final: modifier == "^~",
        },
        "=" | "" | "^~" => {
            return Err(directive.mistake_in(
                index,
                format!("`{path}` is no path: it does not begin with `/`"),
            ));
        }
        other => {
            return Err(directive.mistake_in(
                0,
                format!("`{other}` is no kind of location: there are =, ^~, ~ and ~*"),
            ));
        }
    }))
}

/// What tells plain locations apart.
fn key(path: &PathMatch) -> Option<(bool, &str)> {
    match path {
        PathMatch::Exact(path) => Some((true, path)),
        PathMatch::Prefix { path, .. } => Some((false, path)),
        PathMatch::Expression(_) => None,
    }
}

enum Within {
    Outside,
    Expression,
}

/// A location within another, as one beside it: nginx looks for the longest
/// prefix through all of them, and it is the outermost that says whether
/// expressions are looked at.
fn within(around: &PathMatch, path: PathMatch) -> Result<PathMatch, Within> {
    let PathMatch::Prefix {
        path: begin,
        is_final,
    } = around
    else {
        return Err(if matches!(around, PathMatch::Exact(_)) {
            Within::Outside
        } else {
            Within::Expression
        });
    };
    match path {
        PathMatch::Expression(_) => Err(Within::Expression),
        PathMatch::Exact(path) if path.starts_with(begin.as_str()) => Ok(PathMatch::Exact(path)),
        PathMatch::Prefix { path, .. } if path.starts_with(begin.as_str()) => {
            Ok(PathMatch::Prefix {
                path,
                is_final: *is_final,
            })
        }
        PathMatch::Exact(_) | PathMatch::Prefix { .. } => Err(Within::Outside),
    }
}

/// Where `/v2/` is passed on, nginx sends who asks for `/v2` there.
fn add_slashes(places: &mut Vec<Place>) {
    let mut added = Vec::new();
    for place in places.iter() {
        let PathMatch::Prefix { path, .. } = &place.path else {
            continue;
        };
        let Some(short) = path.strip_suffix('/').filter(|short| !short.is_empty()) else {
            continue;
        };
        let is_taken = places
            .iter()
            .any(|other| key(&other.path).is_some_and(|(_, path)| path == short));
        if is_taken || !matches!(place.action, Action::Proxy(_)) {
            continue;
        }
        let mut rules = place.rules.clone();
        rules.access = crate::site::Access::default();
        let mut to = Template::text(path);
        to.0.extend([Variable::IsArgs, Variable::Args].map(Piece::Variable));
        rules.rewrites = vec![Rewrite {
            when: Vec::new(),
            answer: Return::Redirect { status: 301, to },
        }];
        added.push(Place {
            path: PathMatch::Exact(short.to_owned()),
            rules,
            action: Action::NotFound,
        });
    }
    places.extend(added);
}
