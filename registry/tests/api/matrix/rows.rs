//! The table itself, in the order of the documentation. One file for each noun.

mod blobs;
mod chunks;
mod lists;
mod manifest_put;
mod manifests;
mod paths;
mod referrers;
mod uploads;

use super::row::Row;

pub(super) fn rows() -> Vec<Row> {
    [
        paths::paths(),
        paths::version(),
        lists::catalog(),
        lists::tags(),
        referrers::referrers(),
        manifests::get(),
        manifest_put::put_manifest(),
        manifests::delete(),
        blobs::get(),
        blobs::delete(),
        uploads::start(),
        uploads::status(),
        chunks::append(),
        chunks::finish(),
        uploads::cancel(),
    ]
    .concat()
}
