//! Lists of paths in TOML that others have written: `ca = "…"`, `ca = […]`.

use toml_edit::{Array, Item, TableLike, value};

/// Adds a path to a list of paths, which may be missing or be one string.
pub(super) fn add(table: &mut dyn TableLike, key: &str, path: &str) -> Result<(), &'static str> {
    let mut all = strings(table.get(key));
    match table.get(key) {
        None => all.clear(),
        Some(item) if item.is_str() || item.as_array().is_some_and(|a| a.len() == all.len()) => {}
        Some(_) => return Err("it names CAs in a form that is unknown here"),
    }
    if all.iter().any(|known| known == path) {
        return Ok(());
    }
    if all.is_empty() {
        table.insert(key, value(Array::from_iter([path])));
        return Ok(());
    }
    match table.get_mut(key).and_then(Item::as_array_mut) {
        Some(array) => array.push(path),
        None => {
            all.push(path.to_owned());
            table.insert(key, value(Array::from_iter(all)));
        }
    }
    Ok(())
}

/// Takes a path out of such a list, and the list itself when it is then empty.
pub(super) fn take(table: &mut dyn TableLike, key: &str, path: &str) {
    let Some(item) = table.get_mut(key) else {
        return;
    };
    if let Some(array) = item.as_array_mut() {
        array.retain(|entry| entry.as_str() != Some(path));
        if array.is_empty() {
            table.remove(key);
        }
    } else if item.as_str() == Some(path) {
        table.remove(key);
    }
}

/// The paths of such a list.
pub(super) fn strings(item: Option<&Item>) -> Vec<String> {
    match item {
        Some(item) if item.is_str() => item.as_str().map(str::to_owned).into_iter().collect(),
        Some(item) => item
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.as_str().map(str::to_owned))
            .collect(),
        None => vec![],
    }
}
