//! From Go's syntax to that of the crate `regex`, item by item.

use super::{BadRegexp, class, group};

/// Go repeats nothing more often.
const MOST_REPEATS: u32 = 1000;

/// What is left of an expression.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    rest: &'a str,
}

/// What a repetition would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Item,
    Repetition,
}

/// Rewrites an expression. What is left for the crate to find: groups without an
/// end, unknown names of Unicode, ranges that end before they begin.
pub(super) fn rewrite(text: &str) -> Result<String, BadRegexp> {
    let mut reader = Reader::new(text);
    let mut out = String::with_capacity(text.len() * 2);
    let mut before = Before::Nothing;
    while let Some(c) = reader.next() {
        before = match c {
            '*' | '+' | '?' => repeat(&mut out, &mut reader, before, &c.to_string())?,
            '{' => match reader.counted()? {
                Some(count) => repeat(&mut out, &mut reader, before, &count)?,
                None => {
                    out.push_str("\\{");
                    Before::Item
                }
            },
            '(' => {
                group::open(&mut out, &mut reader)?;
                Before::Nothing
            }
            '|' => {
                out.push('|');
                Before::Nothing
            }
            '[' => {
                class::rewrite(&mut out, &mut reader)?;
                Before::Item
            }
            '\\' => {
                escape(&mut out, &mut reader)?;
                Before::Item
            }
            ')' | '^' | '$' | '.' => {
                out.push(c);
                Before::Item
            }
            c => {
                literal(&mut out, c);
                Before::Item
            }
        };
    }
    Ok(out)
}

fn repeat(
    out: &mut String,
    reader: &mut Reader<'_>,
    before: Before,
    operator: &str,
) -> Result<Before, BadRegexp> {
    match before {
        Before::Nothing => {
            let problem = format!("there is nothing for `{operator}` to repeat");
            return Err(BadRegexp::new(problem));
        }
        Before::Repetition => {
            let problem = format!("`{operator}` follows another repetition");
            return Err(BadRegexp::new(problem));
        }
        Before::Item => {}
    }
    out.push_str(operator);
    if reader.take('?') {
        out.push('?');
    }
    Ok(Before::Repetition)
}

fn escape(out: &mut String, reader: &mut Reader<'_>) -> Result<(), BadRegexp> {
    match reader.peek() {
        Some('Q') => {
            reader.next();
            while let Some(c) = reader.next() {
                if c == '\\' && reader.take('E') {
                    break;
                }
                literal(out, c);
            }
        }
        Some(c @ ('A' | 'z')) => {
            reader.next();
            out.extend(['\\', c]);
        }
        // Of ASCII alone, and so is the other side.
        Some('b') => {
            reader.next();
            out.push_str("(?-u:\\b)");
        }
        Some('B') => {
            reader.next();
            out.push_str("(?-u:\\B)");
        }
        _ => match class::escaped(reader)? {
            Some(class) => out.push_str(&class),
            None => literal(out, reader.escaped_char()?),
        },
    }
    Ok(())
}

/// A character that means itself.
pub(super) fn literal(out: &mut String, c: char) {
    let mut buffer = [0; 4];
    out.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes the next character if it is this one.
    pub(super) fn take(&mut self, c: char) -> bool {
        self.next_if(|next| next == c).is_some()
    }

    /// Takes this text if it is next.
    pub(super) fn take_text(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Takes all up to `end`, and `end`; nothing if there is no end.
    pub(super) fn take_until(&mut self, end: &str) -> Option<&'a str> {
        let (taken, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(taken)
    }

    fn next_if(&mut self, is_meant: impl Fn(char) -> bool) -> Option<char> {
        let c = self.peek().filter(|c| is_meant(*c))?;
        self.next();
        Some(c)
    }

    /// What follows `{`, if it makes a repetition: `{2}`, `{2,}`, `{2,5}`.
    fn counted(&mut self) -> Result<Option<String>, BadRegexp> {
        let start = self.rest;
        let Some((least, most)) = self.bounds() else {
            self.rest = start;
            return Ok(None);
        };
        let text = format!("{{{}", &start[..start.len() - self.rest.len()]);
        let count = |digits: &str| digits.parse().unwrap_or(u32::MAX);
        let (least, most) = (count(least), most.map(count));
        if least.max(most.unwrap_or(0)) > MOST_REPEATS {
            let problem = format!("`{text}` repeats more than {MOST_REPEATS} times");
            return Err(BadRegexp::new(problem));
        }
        if most.is_some_and(|most| most < least) {
            let problem = format!("`{text}` ends before it begins");
            return Err(BadRegexp::new(problem));
        }
        Ok(Some(text))
    }

    /// How often at least, and at most if that is said.
    fn bounds(&mut self) -> Option<(&'a str, Option<&'a str>)> {
        let least = self.digits()?;
        let most = match self.take(',') {
            true if self.peek() == Some('}') => None,
            true => Some(self.digits()?),
            false => Some(least),
        };
        self.take('}').then_some((least, most))
    }

    /// A decimal number without a superfluous nought before it.
    fn digits(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit());
        let (digits, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = after;
        let is_number = digits == "0" || !(digits.is_empty() || digits.starts_with('0'));
        is_number.then_some(digits)
    }

    /// The character that is meant by what follows a backslash.
    pub(super) fn escaped_char(&mut self) -> Result<char, BadRegexp> {
        let Some(c) = self.next() else {
            return Err(BadRegexp::new("a backslash is the last character"));
        };
        let unknown = || BadRegexp::new(format!("`\\{c}` means nothing"));
        let c = match c {
            // One digit alone would be a reference back, but for the nought.
            '1'..='7' if !self.peek().is_some_and(|next| ('0'..='7').contains(&next)) => {
                return Err(unknown());
            }
            '0'..='7' => {
                let mut code = c.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(next) = self.next_if(|next| ('0'..='7').contains(&next)) else {
                        break;
                    };
                    code = code * 8 + next.to_digit(8).unwrap_or_default();
                }
                char::from_u32(code).ok_or_else(unknown)?
            }
            'x' => {
                let digits = if self.take('{') {
                    self.take_until("}")
                } else {
                    let two = self.rest.split_at_checked(2);
                    two.map(|(digits, after)| {
                        self.rest = after;
                        digits
                    })
                };
                let is_hex = |digits: &&str| digits.chars().all(|c| c.is_ascii_hexdigit());
                let digits = digits.filter(is_hex).ok_or_else(unknown)?;
                let code = u32::from_str_radix(digits, 16).ok();
                let character = code.and_then(char::from_u32);
                character.ok_or_else(unknown)?
            }
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(unknown()),
        };
        Ok(c)
    }
}
