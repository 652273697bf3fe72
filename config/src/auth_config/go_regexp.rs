//! Regular expressions as Go's `regexp` reads them, run by an engine that takes
//! time linear in the text, too.

mod class;
mod group;
mod rewrite;

use std::fmt;

use regex::{Regex, RegexBuilder};

/// An expression in Go's syntax (RE2's), found anywhere in a text.
///
/// It is rewritten into the syntax of the crate `regex`: `\d`, `\s`, `\w` and
/// `\b` are about ASCII alone, `\Q…\E` and octal escapes are known, `{` is itself
/// where it begins no repetition, a class has no classes in it but `[:alpha:]` and
/// its like, and one repetition cannot follow another.
///
/// # Where it differs from Go
/// - A compiled expression takes 1 MiB at most, and is nested 250 deep at most;
///   Go allows more of both. It does not allow what repeats more than a thousand
///   times, in all, which is not counted here.
/// - `\p{…}` knows more names, and does not mind case.
/// - A repetition directly after flags, `a(?i)*`, is refused; Go repeats the `a`.
#[derive(Clone)]
pub struct GoRegexp {
    regex: Regex,
}

/// Why a text is no [`GoRegexp`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRegexp {
    problem: String,
}

/// The most bytes that a compiled expression may take.
const MOST_BYTES: usize = 1 << 20;

impl GoRegexp {
    /// Reads an expression.
    ///
    /// # Errors
    /// Go would not take it, or it is too large.
    pub fn new(text: &str) -> Result<Self, BadRegexp> {
        let rewritten = rewrite::rewrite(text)?;
        let regex = RegexBuilder::new(&rewritten)
            .size_limit(MOST_BYTES)
            .dfa_size_limit(MOST_BYTES)
            .build()
            .map_err(|error| BadRegexp::new(reason(&error)))?;
        Ok(Self { regex })
    }

    /// Whether it is found anywhere in `text`.
    #[must_use]
    pub fn is_found_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What group `index` holds where the expression is first found in `text`:
    /// nothing is an empty text. `None` if it is not found, or has no such group;
    /// the whole is no group.
    #[must_use]
    pub fn group<'a>(&self, text: &'a str, index: usize) -> Option<&'a str> {
        if !(1..self.regex.captures_len()).contains(&index) {
            return None;
        }
        let found = self.regex.captures(text)?;
        Some(found.get(index).map_or("", |group| group.as_str()))
    }
}

/// The last line of an error of the crate says what; those before it show the
/// rewritten expression, which nobody wrote.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(most) => {
            format!("it takes more than {most} bytes when it is compiled")
        }
        other => {
            let shown = other.to_string();
            let last = shown.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}

impl BadRegexp {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
        }
    }
}

impl fmt::Display for BadRegexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for BadRegexp {}

impl fmt::Debug for GoRegexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GoRegexp")
            .field(&self.regex.as_str())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Expression, text, and what Go's `regexp` says: `bad`, `none`, or `match`
    /// with the groups.
    const VECTORS: &str = include_str!("vectors/regexp.tsv");

    fn said(expression: &str, text: &str) -> String {
        let Ok(regexp) = GoRegexp::new(expression) else {
            return "bad".to_owned();
        };
        if !regexp.is_found_in(text) {
            assert_eq!(regexp.group(text, 1), None);
            return "none".to_owned();
        }
        let groups = (1..).map_while(|index| regexp.group(text, index));
        groups.fold("match".to_owned(), |said, group| format!("{said}|{group}"))
    }

    #[test]
    fn it_says_what_go_says() {
        let mut count = 0;
        for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [expression, text, expected] = fields[..] else {
                panic!("{line:?} has three fields");
            };
            assert_eq!(
                said(expression, text),
                expected,
                "{expression:?} in {text:?}"
            );
            count += 1;
        }
        assert!(count > 600, "{count}");
    }

    #[test]
    fn an_expression_that_grows_is_refused_and_not_run() {
        let error = GoRegexp::new("(((a{99}){99}){99}){99}").unwrap_err();
        assert!(error.to_string().contains("1048576 bytes"), "{error}");
        let nested = "(".repeat(5000) + &")".repeat(5000);
        assert!(GoRegexp::new(&nested).is_err());
        // What makes a backtracking engine take years.
        let regexp = GoRegexp::new("^(a+)+$").unwrap();
        assert!(!regexp.is_found_in(&("a".repeat(100_000) + "b")));
    }

    #[test]
    fn errors_say_what_in_one_line() {
        for (text, problem) in [
            ("foo?*", "`*` follows another repetition"),
            ("*a", "there is nothing for `*` to repeat"),
            ("a(b", "unclosed group"),
            ("a)", "unopened group"),
            ("[a", "a class has no end"),
            ("a{1001}", "`{1001}` repeats more than 1000 times"),
            ("a\\", "a backslash is the last character"),
            ("\\pK", "Unicode property not found"),
        ] {
            let error = GoRegexp::new(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[]()*+?{}\\[\\\\^$|.:<>P=!&~#,0-9a-zA-Zé -]{0,24}", name in "[a-zé/]{0,9}") {
            if let Ok(regexp) = GoRegexp::new(&text) {
                let _ = regexp.group(&name, 1);
            }
        }
    }
}
