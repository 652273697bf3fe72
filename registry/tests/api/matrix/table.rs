//! The table in the documentation.

use std::fmt::Write as _;
use std::path::Path;

use super::row::Row;
use super::rows::rows;

const BEGIN: &str = "<!-- the table of failures -->\n";
const END: &str = "<!-- end of the table -->";

/// Writes the table into the documentation if `UPDATE_DOCS` is set, and else
/// compares.
#[test]
fn the_documentation_has_the_same_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/API.md");
    let text = fs_err::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the table's first line");
    let (table, tail) = rest.split_once(END).expect("the table's last line");
    let expected = markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs_err::write(&path, format!("{head}{BEGIN}{expected}{END}{tail}")).unwrap();
    } else {
        assert!(
            table == expected,
            "docs/API.md differs; run this test with UPDATE_DOCS=1 to write the table"
        );
    }
}

fn markdown() -> String {
    let mut text = String::from("\n");
    let mut last = "";
    for row in rows() {
        if row.request != last {
            let _ = write!(
                text,
                "{}**`{}`**\n\n| what is wrong | status | code | message | detail | headers |\n|---|---|---|---|---|---|\n",
                if last.is_empty() { "" } else { "\n" },
                row.request
            );
            last = row.request;
        }
        text += &line(&row);
    }
    text.push('\n');
    text
}

fn line(row: &Row) -> String {
    let condition = row.condition.label();
    let headers: Vec<String> = row
        .expected
        .headers
        .iter()
        .map(|(name, value)| code(&format!("{name}: {value}")))
        .collect();
    format!(
        "| {}{condition} | {} | {} | {} | {} | {} |\n",
        row.wrong,
        row.expected.status,
        row.expected.code,
        row.expected.message,
        code(&row.expected.detail),
        headers.join(" ")
    )
}

fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{}`", text.replace('|', "\\|"))
    }
}
