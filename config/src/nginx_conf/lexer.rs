//! The words of an nginx.conf, by the rules of nginx's own reader.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Location};

/// A file that was read, with its name as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Its name.
    pub(super) path: PathBuf,
    /// Its text, without a byte order mark.
    pub(super) text: String,
    /// Where its lines begin, but the first.
    lines: Vec<usize>,
}

impl Source {
    /// A file of this name and text.
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            lines: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
        }
    }

    /// Where a byte of it stands. Asked of every directive, so it does not count
    /// from the beginning.
    pub(super) fn location(&self, at: usize) -> Location {
        let before = self.lines.partition_point(|begin| *begin <= at);
        let begin = before.checked_sub(1).map_or(0, |line| self.lines[line]);
        let on_line = self.text.get(begin..at).unwrap_or_default();
        Location {
            file: self.path.clone(),
            line: before + 1,
            column: on_line.chars().count() + 1,
        }
    }

    /// A mistake at some bytes of it.
    pub(super) fn mistake(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(
            &self.path,
            &self.text,
            span,
            message.into(),
        ))
    }
}

/// A word, without its quotes and escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says.
    pub(super) text: String,
    /// Where it stands.
    pub(super) span: Range<usize>,
}

/// What a file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// `;`
    End(Range<usize>),
    /// `{`
    Open(Range<usize>),
    /// `}`
    Close(Range<usize>),
}

/// Goes through a text, one token at a time.
pub(super) struct Lexer<'a> {
    source: &'a Source,
    at: usize,
    /// Whether what stood last were quotes, behind which not everything may come.
    after_quotes: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            at: 0,
            after_quotes: false,
        }
    }

    /// The next token; `None` at the end.
    ///
    /// # Errors
    /// Quotes are not closed, or are followed by what belongs to no word.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Box<Diagnostic>> {
        let bytes = self.source.text.as_bytes();
        let after_quotes = std::mem::take(&mut self.after_quotes);
        let begin = self.at;
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'#') if !after_quotes || self.at > begin => {
                    let rest = &self.source.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => break,
            }
        }
        let Some(&first) = bytes.get(self.at) else {
            return Ok(None);
        };
        if after_quotes && self.at == begin && !b";{)".contains(&first) {
            let shown = self.character();
            return Err(self.source.mistake(
                begin..begin + shown.len_utf8(),
                format!("unexpected \"{shown}\" right after quotes"),
            ));
        }
        let span = self.at..self.at + 1;
        let token = match first {
            b';' => Token::End(span),
            b'{' => Token::Open(span),
            b'}' => Token::Close(span),
            b'"' | b'\'' => return self.quoted(first).map(|word| Some(Token::Word(word))),
            _ => return Ok(Some(Token::Word(self.bare()))),
        };
        self.at += 1;
        Ok(Some(token))
    }

    fn character(&self) -> char {
        self.source.text[self.at..].chars().next().unwrap_or(' ')
    }

    fn quoted(&mut self, quote: u8) -> Result<Word, Box<Diagnostic>> {
        let bytes = self.source.text.as_bytes();
        let begin = self.at;
        let mut end = begin + 1;
        loop {
            match bytes.get(end) {
                None => {
                    return Err(self.source.mistake(
                        begin..begin + 1,
                        format!("the quote `{}` is not closed", char::from(quote)),
                    ));
                }
                Some(b'\\') => end = self.after_escape(end),
                Some(&byte) if byte == quote => break,
                Some(_) => end += 1,
            }
        }
        self.at = end + 1;
        self.after_quotes = true;
        Ok(Word {
            text: unescaped(&self.source.text[begin + 1..end]),
            span: begin..end + 1,
        })
    }

    /// A word without quotes. A brace that follows a dollar sign belongs to it.
    fn bare(&mut self) -> Word {
        let bytes = self.source.text.as_bytes();
        let begin = self.at;
        let mut end = begin;
        let mut after_dollar = false;
        while let Some(&byte) = bytes.get(end) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' => break,
                b'{' if !after_dollar => break,
                b'\\' => end = self.after_escape(end),
                _ => end += 1,
            }
            after_dollar = byte == b'$';
        }
        self.at = end;
        Word {
            text: unescaped(&self.source.text[begin..end]),
            span: begin..end,
        }
    }

    /// Where a backslash and the character behind it end.
    fn after_escape(&self, backslash: usize) -> usize {
        let behind = self.source.text[backslash + 1..].chars().next();
        backslash + 1 + behind.map_or(0, char::len_utf8)
    }
}

/// Only these are escapes; in front of all else a backslash stays, as regular
/// expressions need it.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match characters.next() {
            Some(quoted @ ('"' | '\'' | '\\')) => text.push(quoted),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('n') => text.push('\n'),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let source = Source::new(Path::new("nginx.conf"), text);
        let mut lexer = Lexer::new(&source);
        let mut shown = Vec::new();
        loop {
            match lexer.next() {
                Ok(Some(Token::Word(word))) => shown.push(format!("<{}>", word.text)),
                Ok(Some(Token::End(_))) => shown.push(";".to_owned()),
                Ok(Some(Token::Open(_))) => shown.push("{".to_owned()),
                Ok(Some(Token::Close(_))) => shown.push("}".to_owned()),
                Ok(None) => return Ok(shown.join(" ")),
                Err(mistake) => return Err(mistake.message().to_owned()),
            }
        }
    }

    #[test]
    fn words_are_taken_as_nginx_takes_them() {
        for (text, words) in [
            ("a b;", "<a> <b> ;"),
            ("a\r\n\tb ;# c\r\n}", "<a> <b> ; }"),
            ("a b#c;", "<a> <b#c> ;"),
            ("if ($a ~ \"^x$\") {}", "<if> <($a> <~> <^x$> <)> { }"),
            ("a 'b \"c' \"d 'e\";", "<a> <b \"c> <d 'e> ;"),
            (r#"a "\"\d\\\t";"#, "<a> <\"\\d\\\t> ;"),
            (r"a b\;c\ d;", "<a> <b\\;c\\ d> ;"),
            ("a ${b}c{", "<a> <${b}c> {"),
            ("a b'c'd;", "<a> <b'c'd> ;"),
            ("a ä{}", "<a> <ä> { }"),
            ("a }", "<a> }"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(words), "{text}");
        }
        assert_eq!(shown("a \"b").unwrap_err(), "the quote `\"` is not closed");
        assert_eq!(
            shown("a \"b\"c;").unwrap_err(),
            "unexpected \"c\" right after quotes"
        );
    }

    #[test]
    fn a_place_is_the_one_that_a_mistake_shows() {
        let source = Source::new(Path::new("nginx.conf"), "\u{feff}a;\n\n  ä b;\n");
        for at in [0, 2, 3, 4, 6, 8, 9, source.text.len()] {
            assert_eq!(&source.location(at), source.mistake(at..at, "").location());
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a\"'\\\\${};# \nä]{0,40}") {
            let _ = shown(&text);
        }
    }
}
