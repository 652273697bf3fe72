//! What follows an opening parenthesis.

use super::BadRegexp;
use super::rewrite::Reader;

/// The flags that Go knows.
const FLAGS: [char; 4] = ['i', 'm', 's', 'U'];

/// Opens a group, or sets flags for the rest of the present one.
pub(super) fn open(out: &mut String, reader: &mut Reader<'_>) -> Result<(), BadRegexp> {
    if reader.take_text("?P<") || reader.take_text("?<") {
        let name = reader.take_until(">").unwrap_or_default();
        let is_of_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(is_of_name) {
            return Err(BadRegexp::new("the name of a group is malformed"));
        }
        // Groups are known by their numbers; two may have the same name.
        out.push('(');
        return Ok(());
    }
    if !reader.take('?') {
        out.push('(');
        return Ok(());
    }
    let (mut on, mut off): (Vec<char>, Vec<char>) = (Vec::new(), Vec::new());
    let mut is_off = false;
    loop {
        match reader.next() {
            Some('-') if !is_off => is_off = true,
            Some(flag) if FLAGS.contains(&flag) => {
                let flags = if is_off { &mut off } else { &mut on };
                if !flags.contains(&flag) {
                    flags.push(flag);
                }
            }
            Some(end @ (':' | ')')) if !is_off || !off.is_empty() => {
                // What is turned on and off is off.
                on.retain(|flag| !off.contains(flag));
                if end == ':' || !(on.is_empty() && off.is_empty()) {
                    out.push_str("(?");
                    out.extend(on);
                    if is_off {
                        out.push('-');
                        out.extend(off);
                    }
                    out.push(end);
                }
                return Ok(());
            }
            _ => return Err(BadRegexp::new("`(?` is followed by what is not known")),
        }
    }
}
