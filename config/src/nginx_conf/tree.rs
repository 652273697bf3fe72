//! Words become directives, each of which knows where it stands.

use std::ops::Range;
use std::rc::Rc;

use super::lexer::{Lexer, Source, Token, Word};
use super::table;
use crate::diagnostic::{Diagnostic, Location};

/// How deep blocks may lie in one another.
const MAX_DEPTH: usize = 32;

/// A directive with what stands in its block.
#[derive(Debug)]
pub(super) struct Directive {
    /// What tells it from all others of the files that were read.
    pub(super) id: usize,
    /// Its first word.
    pub(super) name: Word,
    /// Its other words.
    pub(super) words: Vec<Word>,
    /// What stands in its braces, if it has some.
    pub(super) block: Option<Vec<Self>>,
    /// Where it stands.
    pub(super) source: Rc<Source>,
}

impl Directive {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name.text
    }

    /// One of its other words.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(|word| word.text.as_str())
    }

    /// The text of its other words.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| word.text.as_str())
    }

    /// What stands in its block.
    pub(super) fn children(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }

    /// A mistake that is meant to be in its name.
    pub(super) fn mistake(&self, message: impl Into<String>) -> Box<Diagnostic> {
        self.source.mistake(self.name.span.clone(), message)
    }

    /// A mistake in one of its words, or in its name where it has not so many.
    pub(super) fn mistake_in(&self, index: usize, message: impl Into<String>) -> Box<Diagnostic> {
        let word = self.words.get(index).unwrap_or(&self.name);
        // Where a `;` is missing, the next directive looks like words of this one.
        let between = self
            .source
            .text
            .get(self.name.span.end..word.span.start)
            .unwrap_or_default();
        if table::is_known(&word.text)
            && let Some((line, indent)) = between.rsplit_once('\n')
            && indent.trim().is_empty()
        {
            let end = self.name.span.end + line.trim_end().len();
            return unended(&self.source, &self.name, end.max(self.name.span.end));
        }
        self.source.mistake(word.span.clone(), message)
    }

    /// Where it stands.
    pub(super) fn location(&self) -> Location {
        self.source.location(self.name.span.start)
    }

    /// Its words, shortened.
    pub(super) fn subject(&self) -> String {
        const LONGEST: usize = 60;
        let mut subject = self.name.text.clone();
        for word in self.texts() {
            subject.push(' ');
            subject.push_str(if word.is_empty() { "\"\"" } else { word });
        }
        if subject.chars().count() > LONGEST {
            subject = subject.chars().take(LONGEST - 1).collect();
            subject.push('…');
        }
        subject.replace(char::is_control, " ")
    }
}

/// Takes the directives out of a text. `next_id` counts them over all files.
///
/// # Errors
/// Something does not close, or nothing can stand where it stands.
pub(super) fn parse(
    source: &Rc<Source>,
    next_id: &mut usize,
) -> Result<Vec<Directive>, Box<Diagnostic>> {
    let mut parser = Parser {
        lexer: Lexer::new(source),
        source,
        next_id,
    };
    parser.block(None, 0)
}

/// A mistake with what to do about it.
#[expect(
    clippy::boxed_local,
    reason = "mistakes are boxed wherever they come from"
)]
pub(super) fn hinted(mistake: Box<Diagnostic>, hint: impl Into<String>) -> Box<Diagnostic> {
    Box::new(mistake.with_hint(Some(hint.into())))
}

/// A directive without its `;`, of which the words stand up to `end`.
fn unended(source: &Source, name: &Word, end: usize) -> Box<Diagnostic> {
    let line = source.text[name.span.start..end]
        .lines()
        .next()
        .unwrap_or_default();
    let span = name.span.start..name.span.start + line.len();
    let message = format!("`{}` is not ended: a `;` is missing", name.text);
    hinted(
        source.mistake(span, message),
        "put `;` at the end of this line",
    )
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    source: &'a Rc<Source>,
    next_id: &'a mut usize,
}

impl Parser<'_> {
    /// The directives up to the brace that closes what `opened` names, or up to
    /// the end of the file.
    fn block(
        &mut self,
        opened: Option<&Word>,
        depth: usize,
    ) -> Result<Vec<Directive>, Box<Diagnostic>> {
        let mut directives = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        loop {
            let Some(token) = self.lexer.next()? else {
                return match (words.first(), opened) {
                    (Some(first), _) => Err(self.unfinished(first, &words)),
                    (None, Some(opened)) => Err(self.source.mistake(
                        opened.span.clone(),
                        format!(
                            "the block of `{}` is not closed: a `}}` is missing",
                            opened.text
                        ),
                    )),
                    (None, None) => Ok(directives),
                };
            };
            match token {
                Token::Word(word) => words.push(word),
                Token::Close(span) => {
                    if let Some(first) = words.first() {
                        return Err(self.unfinished(first, &words));
                    }
                    if opened.is_none() {
                        return Err(self.source.mistake(span, "this `}` closes nothing"));
                    }
                    return Ok(directives);
                }
                Token::End(span) | Token::Open(span) if words.is_empty() => {
                    let found = &self.source.text[span.clone()];
                    return Err(self
                        .source
                        .mistake(span, format!("`{found}` without a directive before it")));
                }
                Token::End(_) => {
                    let directive = self.directive(std::mem::take(&mut words), None)?;
                    directives.push(directive);
                }
                Token::Open(span) => {
                    let words = std::mem::take(&mut words);
                    let block = self.inner(&words, span, depth)?;
                    directives.push(self.directive(words, Some(block))?);
                }
            }
        }
    }

    fn inner(
        &mut self,
        words: &[Word],
        brace: Range<usize>,
        depth: usize,
    ) -> Result<Vec<Directive>, Box<Diagnostic>> {
        let Some(name) = words.first() else {
            return Ok(Vec::new());
        };
        if name.text.ends_with("_by_lua_block") {
            return Err(self.source.mistake(
                name.span.clone(),
                format!("`{}`: Lua is not run here", name.text),
            ));
        }
        if depth == MAX_DEPTH {
            return Err(self
                .source
                .mistake(brace, "blocks lie too deep in one another"));
        }
        // A directive before it that was not ended looks like this.
        let is_known = |word: &&Word| table::takes_block(&word.text) && word.text != name.text;
        if let Some(inner) = words[1..].iter().find(is_known)
            && !table::takes_block(&name.text)
        {
            let words = words.iter().take_while(|word| word.span != inner.span);
            let words: Vec<Word> = words.cloned().collect();
            return Err(self.unfinished(name, &words));
        }
        self.block(Some(name), depth + 1)
    }

    fn unfinished(&self, first: &Word, words: &[Word]) -> Box<Diagnostic> {
        // What stands on the next line is another directive.
        let line_end = self.source.text[first.span.start..]
            .find('\n')
            .map_or(self.source.text.len(), |at| first.span.start + at);
        let last = words
            .iter()
            .take_while(|word| word.span.start <= line_end)
            .last()
            .unwrap_or(first);
        unended(self.source, first, last.span.end)
    }

    fn directive(
        &mut self,
        mut words: Vec<Word>,
        block: Option<Vec<Directive>>,
    ) -> Result<Directive, Box<Diagnostic>> {
        let name = words.remove(0);
        // The words of a directive that has no `;` run on into the next line.
        if block.is_none()
            && table::count_is_wrong(&name.text, words.len())
            && let Some(begun) = words.iter().find(|word| {
                let between = &self.source.text[name.span.end..word.span.start];
                between.contains('\n') && table::is_known(&word.text) && table::is_known(&name.text)
            })
        {
            let before = words.iter().take_while(|word| word.span != begun.span);
            let before: Vec<Word> = before.cloned().collect();
            return Err(self.unfinished(&name, &before));
        }
        let id = *self.next_id;
        *self.next_id += 1;
        Ok(Directive {
            id,
            name,
            words,
            block,
            source: Rc::clone(self.source),
        })
    }
}
