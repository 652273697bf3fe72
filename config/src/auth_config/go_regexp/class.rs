//! Classes of characters, in brackets and after a backslash.

use super::BadRegexp;
use super::rewrite::Reader;

/// The classes in brackets within brackets: of ASCII, there and here.
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Rewrites what follows `[`.
pub(super) fn rewrite(out: &mut String, reader: &mut Reader<'_>) -> Result<(), BadRegexp> {
    out.push('[');
    if reader.take('^') {
        out.push('^');
    }
    let mut is_first = true;
    while is_first || !reader.take(']') {
        is_first = false;
        if let Some(name) = named(reader)? {
            out.push_str(&name);
            continue;
        }
        if reader.peek() == Some('\\') {
            let mut ahead = reader.clone();
            ahead.next();
            if let Some(class) = escaped(&mut ahead)? {
                *reader = ahead;
                out.push_str(&class);
                continue;
            }
        }
        let low = member(reader)?;
        // A minus before the end is itself.
        let mut ahead = reader.clone();
        let is_range = ahead.take('-') && ahead.peek().is_some_and(|c| c != ']');
        let high = if is_range {
            *reader = ahead;
            member(reader)?
        } else {
            low
        };
        let (low, high) = (u32::from(low), u32::from(high));
        out.push_str(&format!("\\x{{{low:X}}}-\\x{{{high:X}}}"));
    }
    out.push(']');
    Ok(())
}

/// What follows a backslash, if it is a class: `\d`, `\pL`, `\P{Greek}`.
pub(super) fn escaped(reader: &mut Reader<'_>) -> Result<Option<String>, BadRegexp> {
    let class = match reader.peek() {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        // Without the vertical tab.
        Some('s') => "[\\t\\n\\x0C\\r\\x20]",
        Some('S') => "[^\\t\\n\\x0C\\r\\x20]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some(c @ ('p' | 'P')) => {
            reader.next();
            return property(reader, c == 'P').map(Some);
        }
        _ => return Ok(None),
    };
    reader.next();
    Ok(Some(class.to_owned()))
}

/// What follows `\p`.
fn property(reader: &mut Reader<'_>, negated: bool) -> Result<String, BadRegexp> {
    let malformed = || BadRegexp::new("`\\p` is followed by no name in braces");
    let name = if reader.take('{') {
        reader.take_until("}").ok_or_else(malformed)?.to_owned()
    } else {
        reader.next().ok_or_else(malformed)?.to_string()
    };
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (!negated, name),
        None => (negated, name.as_str()),
    };
    // A name alone: what else the crate takes there, Go does not.
    let is_of_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    if name.is_empty() || !name.chars().all(is_of_name) {
        return Err(malformed());
    }
    let letter = if negated { 'P' } else { 'p' };
    Ok(format!("\\{letter}{{{name}}}"))
}

/// `[:alpha:]`, if that is next.
fn named(reader: &mut Reader<'_>) -> Result<Option<String>, BadRegexp> {
    let mut ahead = reader.clone();
    if !ahead.take_text("[:") {
        return Ok(None);
    }
    let Some(name) = ahead.take_until(":]") else {
        return Ok(None);
    };
    if !NAMED.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(BadRegexp::new(format!("`[:{name}:]` is no class")));
    }
    *reader = ahead;
    Ok(Some(format!("[:{name}:]")))
}

fn member(reader: &mut Reader<'_>) -> Result<char, BadRegexp> {
    match reader.next() {
        None => Err(BadRegexp::new("a class has no end")),
        Some('\\') => reader.escaped_char(),
        Some(c) => Ok(c),
    }
}
