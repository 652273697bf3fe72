//! What a row of the table is made of.

use super::ask::Ask;
use super::expected::Expected;
use super::fixture::Condition;

/// One way to get it wrong.
#[derive(Clone)]
pub(super) struct Row {
    /// Method and path, as in the documentation.
    pub(super) request: &'static str,
    /// What is wrong with it.
    pub(super) wrong: &'static str,
    /// In which registry.
    pub(super) condition: Condition,
    /// What is asked for.
    pub(super) ask: Ask,
    /// What is answered.
    pub(super) expected: Expected,
}

/// The rows of one endpoint.
pub(super) fn section(request: &'static str, rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    let rows = rows.into_iter().map(|row| Row { request, ..row });
    rows.collect()
}

/// A row of the [`section`] that it stands in, in a registry where all is well.
pub(super) fn row(wrong: &'static str, ask: Ask, expected: Expected) -> Row {
    Row {
        request: "",
        wrong,
        condition: Condition::Usual,
        ask,
        expected,
    }
}

impl Row {
    pub(super) fn when(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }
}
