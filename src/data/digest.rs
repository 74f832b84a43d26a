//! A fingerprint of data, by which a resumed run knows that they are the same.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::table::{Column, Table};
use super::{Missing, Reading};

/// SHA-256 over everything that decides what a fit sees: names, cells, and how they are to be read.
/// Where the data came from, and how a file ends its lines, is no part of it.
pub(super) fn digest(table: &Table, reading: &Reading) -> String {
    let mut hash = Sha256::new();
    count(&mut hash, table.rows());
    for (name, column) in table.names.iter().zip(&table.columns) {
        text(&mut hash, name);
        add_column(&mut hash, column);
    }
    count(&mut hash, reading.responses.len());
    for response in &reading.responses {
        text(&mut hash, response);
    }
    text(&mut hash, reading.sigma.as_deref().unwrap_or_default());
    count(&mut hash, reading.groups.len());
    for group in &reading.groups {
        text(&mut hash, group);
    }
    count(&mut hash, reading.renames.len());
    for (alias, column) in &reading.renames {
        text(&mut hash, alias);
        text(&mut hash, column);
    }
    hash.update([u8::from(reading.missing == Missing::Drop)]);
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn add_column(hash: &mut Sha256, column: &Column) {
    match column {
        Column::Text(cells) => {
            hash.update([0]);
            for row in 0..column.len() {
                text(hash, cells.cell(row));
            }
        }
        Column::Numbers(numbers) => {
            numbers.bytes(|bytes| hash.update(bytes));
        }
        Column::Axis { stride, length, .. } => {
            hash.update([2]);
            count(hash, *stride);
            count(hash, *length);
        }
    }
}

/// Text with its length before it, so that no two lists of texts look alike.
fn text(hash: &mut Sha256, text: &str) {
    count(hash, text.len());
    hash.update(text.as_bytes());
}

fn count(hash: &mut Sha256, count: usize) {
    hash.update((count as u64).to_le_bytes());
}
