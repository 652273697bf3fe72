//! What `docs/MIGRATING.md` shows: transcripts and files, section by section.

use std::path::Path;

/// The text below one heading.
pub(super) struct Section {
    pub(super) heading: String,
    pub(super) blocks: Vec<Block>,
}

/// What stands between two fences.
pub(super) struct Block {
    /// `console`, `yaml`, `ini`.
    pub(super) language: String,
    pub(super) lines: Vec<String>,
}

/// A line that is typed, and what is shown below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) typed: Typed,
    pub(super) shown: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Command(String),
    /// `^C`: ends what runs in the foreground.
    Interrupt,
}

/// Reads the document: the sections that show something.
pub(super) fn read() -> Vec<Section> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MIGRATING.md");
    sections(&fs_err::read_to_string(path).unwrap())
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((level, heading)) = line.split_once(' ')
            && !level.is_empty()
            && level.bytes().all(|byte| byte == b'#')
        {
            sections.push(Section {
                heading: heading.to_owned(),
                blocks: Vec::new(),
            });
        }
        if let Some(language) = line.strip_prefix("```") {
            let block = Block {
                language: language.to_owned(),
                lines: lines
                    .by_ref()
                    .take_while(|line| *line != "```")
                    .map(str::to_owned)
                    .collect(),
            };
            let section = sections.last_mut();
            section.expect("a heading comes first").blocks.push(block);
        }
    }
    sections.retain(|section| !section.blocks.is_empty());
    sections
}

impl Section {
    /// All that is typed in it, in order.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for block in self.of("console") {
            for (number, line) in block.lines.iter().enumerate() {
                let typed = match line.strip_prefix("$ ") {
                    Some(command) => Typed::Command(command.to_owned()),
                    None if line == "^C" => Typed::Interrupt,
                    None => {
                        assert!(number > 0, "output without a command: {line}");
                        let last = steps.last_mut().expect("a command stands above");
                        last.shown.push(line.clone());
                        continue;
                    }
                };
                steps.push(Step {
                    typed,
                    shown: Vec::new(),
                });
            }
        }
        steps
    }

    /// The blocks of a language, in order.
    pub(super) fn of<'a>(&'a self, language: &str) -> impl Iterator<Item = &'a Block> {
        let language = language.to_owned();
        let blocks = self.blocks.iter();
        blocks.filter(move |block| block.language == language)
    }
}

impl Block {
    pub(super) fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// Whether the output is what is shown. A line `…` stands for any lines, `…` within
/// a line for any text; columns may be further apart.
pub(super) fn is_shown(shown: &[String], output: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return output.is_empty();
    };
    if first == "…" {
        return (0..=output.len()).any(|skipped| is_shown(rest, &output[skipped..]));
    }
    let Some((line, others)) = output.split_first() else {
        return false;
    };
    is_line(&words(first), &words(line)) && is_shown(rest, others)
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_line(shown: &str, line: &str) -> bool {
    let Some((before, after)) = shown.split_once('…') else {
        return shown == line;
    };
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| is_line(after, &rest[at..]))
}

#[test]
fn output_is_compared_with_what_is_shown() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (shown, output, is) in [
        ("", "", true),
        ("", "a", false),
        ("a", "", false),
        ("a  b", "a b", true),
        ("a", "a\nb", false),
        ("…", "", true),
        ("…\nb", "a\na\nb", true),
        ("…\nb", "a\nb\nc", false),
        ("a…\n…", "ab\nc", true),
        ("… at 3", "now at 3", true),
        ("… at 3", "now at 4", false),
        ("a…c", "abcbc", true),
    ] {
        let is_so = is_shown(&lines(shown), &lines(output));
        assert_eq!(is_so, is, "{shown:?} and {output:?}");
    }
}

#[test]
fn a_transcript_is_taken_apart() {
    let text = "# A\n```console\n$ b c\nd\n^C\n$ e\n```\n## None\n## F\n```yaml\nx: 1\n```\n";
    let sections = sections(text);
    let headings: Vec<&str> = sections.iter().map(|s| s.heading.as_str()).collect();
    assert_eq!(headings, ["A", "F"]);
    let step = |typed, shown: &[&str]| Step {
        typed,
        shown: shown.iter().map(|&line| line.to_owned()).collect(),
    };
    let command = |text: &str| Typed::Command(text.to_owned());
    let expected = [
        step(command("b c"), &["d"]),
        step(Typed::Interrupt, &[]),
        step(command("e"), &[]),
    ];
    assert_eq!(sections[0].steps(), expected);
    assert_eq!(sections[1].of("yaml").next().unwrap().text(), "x: 1\n");
}
