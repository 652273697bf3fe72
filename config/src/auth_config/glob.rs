//! Patterns as Go's `path.Match` reads them, to the byte.

use std::fmt;

/// A pattern of whole texts: `*` stands for anything but a slash, `?` for one
/// character but a slash, `[a-z]` and `[^a-z]` for one of several characters or
/// for any other, and a backslash takes the meaning from the character after it.
///
/// What is peculiar of `path.Match` is kept, since access rules depend on it: a
/// class may match a slash, `*` is settled with the first place at which what
/// follows it matches, and it may end within a character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    chunks: Vec<Chunk>,
}

/// A text is no [`Glob`]. In the program that the rules were written for, it
/// matches nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadGlob;

/// A part of the pattern between stars.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Chunk {
    follows_star: bool,
    /// Empty only after the star that ends the pattern.
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Byte(u8),
    AnyButSlash,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A class is empty or has no end, or a backslash is the last character.
    pub fn parse(pattern: &str) -> Result<Self, BadGlob> {
        let mut chunks = Vec::new();
        let mut chunk = Chunk::default();
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            match c {
                '*' => {
                    if !chunk.items.is_empty() {
                        chunks.push(std::mem::take(&mut chunk));
                    }
                    chunk.follows_star = true;
                }
                '?' => chunk.items.push(Item::AnyButSlash),
                '[' => chunk.items.push(class(&mut rest)?),
                '\\' => chunk.literal(rest.next().ok_or(BadGlob)?),
                c => chunk.literal(c),
            }
        }
        if chunk.follows_star || !chunk.items.is_empty() {
            chunks.push(chunk);
        }
        Ok(Self { chunks })
    }

    /// Whether the whole of `text` is meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        for (n, chunk) in self.chunks.iter().enumerate() {
            let is_last = n + 1 == self.chunks.len();
            if chunk.items.is_empty() {
                return !rest.contains(&b'/');
            }
            let reach = match chunk.follows_star {
                true => rest.iter().position(|byte| *byte == b'/'),
                false => Some(0),
            };
            let after = (0..=reach.unwrap_or(rest.len())).find_map(|taken| {
                let after = chunk.after_match(&rest[taken..])?;
                (!is_last || after.is_empty()).then_some(after)
            });
            match after {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }
}

/// What is between `[` and `]`, which ends it unless it comes first.
fn class(rest: &mut std::str::Chars<'_>) -> Result<Item, BadGlob> {
    let negated = take(rest, '^');
    let mut ranges = Vec::new();
    while ranges.is_empty() || !take(rest, ']') {
        let low = class_member(rest)?;
        let high = match take(rest, '-') {
            true => class_member(rest)?,
            false => low,
        };
        ranges.push((low, high));
    }
    Ok(Item::Class { negated, ranges })
}

fn class_member(rest: &mut std::str::Chars<'_>) -> Result<char, BadGlob> {
    match rest.next() {
        None | Some('-' | ']') => Err(BadGlob),
        Some('\\') => rest.next().ok_or(BadGlob),
        Some(c) => Ok(c),
    }
}

fn take(rest: &mut std::str::Chars<'_>, c: char) -> bool {
    let mut ahead = rest.clone();
    let is_next = ahead.next() == Some(c);
    if is_next {
        *rest = ahead;
    }
    is_next
}

impl Chunk {
    fn literal(&mut self, c: char) {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).bytes();
        self.items.extend(bytes.map(Item::Byte));
    }

    /// What follows a match at the beginning of `text`.
    fn after_match<'a>(&self, mut text: &'a [u8]) -> Option<&'a [u8]> {
        for item in &self.items {
            let (c, length) = first_char(text)?;
            let taken = match item {
                Item::Byte(byte) => (text[0] == *byte).then_some(1),
                Item::AnyButSlash => (c != '/').then_some(length),
                Item::Class { negated, ranges } => {
                    let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                    (is_in != *negated).then_some(length)
                }
            };
            text = &text[taken?..];
        }
        Some(text)
    }
}

/// The first character and its length; of bytes that are none, as after a star
/// that ended within one, the replacement character for a single byte.
fn first_char(text: &[u8]) -> Option<(char, usize)> {
    let first = text.utf8_chunks().next()?;
    let c = first.valid().chars().next();
    Some(c.map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8())))
}

impl fmt::Display for BadGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pattern is malformed")
    }
}

impl std::error::Error for BadGlob {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pattern, text, and what Go's `path.Match` says of them.
    const VECTORS: &str = include_str!("vectors/path_match.tsv");

    #[test]
    fn it_says_what_go_says() {
        let mut count = 0;
        for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [pattern, text, said] = fields[..] else {
                panic!("{line:?} has three fields");
            };
            let result = match Glob::parse(pattern) {
                Ok(glob) if glob.matches(text) => "match",
                Ok(_) => "none",
                Err(BadGlob) => "bad",
            };
            assert_eq!(result, said, "{pattern:?} and {text:?}");
            count += 1;
        }
        assert!(count > 500, "{count}");
    }

    proptest! {
        #[test]
        fn no_pattern_and_no_text_panics(pattern in "[]*?\\[\\\\^/a-cé-]{0,20}", text in "[/a-cé-]{0,20}") {
            if let Ok(glob) = Glob::parse(&pattern) {
                let _ = glob.matches(&text);
            }
        }

        #[test]
        fn what_is_escaped_matches_itself_alone(text in "\\PC{0,20}", other in "\\PC{0,20}") {
            let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
            let glob = Glob::parse(&escaped).unwrap();
            prop_assert!(glob.matches(&text));
            prop_assert_eq!(glob.matches(&other), text == other);
        }

        #[test]
        fn a_star_never_takes_a_slash(before in "[a-c]{0,4}", after in "[a-c/]{0,8}") {
            let glob = Glob::parse(&format!("{before}*")).unwrap();
            let text = format!("{before}{after}");
            prop_assert_eq!(glob.matches(&text), !after.contains('/'));
        }
    }
}
