//! CSV with a header row into a table of text columns.

use std::io::{self, Read};
use std::path::Path;

use super::error::{DataError, Place, one_line, shown};
use super::table::{Cell, Column, Numbering, Table, TextColumn, read_cell};

/// The name under which standard input appears in messages.
const STDIN: &str = "standard input";

/// Reads the file at `path`, or standard input where the path is `-`.
pub(super) fn read_path(path: &Path) -> Result<Table, DataError> {
    if path.as_os_str() == "-" {
        return read_table(STDIN, io::stdin().lock());
    }
    let file = path.display().to_string();
    match std::fs::File::open(path) {
        Ok(open) => read_table(&file, open),
        Err(source) => Err(DataError::Open { file: one_line(&file), source }),
    }
}

/// Reads comma-separated values: a header row, quoted fields, CRLF or LF, lines that start with `#` left out.
pub(super) fn read_table(source: &str, mut reader: impl Read) -> Result<Table, DataError> {
    let file = one_line(source);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|source| DataError::Read { file: file.clone(), source })?;
    let text = decode(&file, &bytes)?;

    // `flexible`, because the count of fields is checked below, where the line is known.
    let mut records =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).comment(Some(b'#')).from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut next = |record: &mut csv::StringRecord| -> Result<Option<u64>, DataError> {
        let more = records.read_record(record).map_err(|error| DataError::Read {
            file: file.clone(),
            source: io::Error::other(one_line(&error.to_string())),
        })?;
        Ok(more.then(|| first_line(text, records.position(), record)))
    };

    if next(&mut record)?.is_none() {
        return Err(DataError::NoHeader { file, found: ": it is empty".to_owned() });
    }
    let names = header(&file, &record)?;
    let mut columns: Vec<TextColumn> = names.iter().map(|_| TextColumn::default()).collect();
    let mut lines = Vec::new();
    while let Some(line) = next(&mut record)? {
        if record.len() != names.len() {
            return Err(DataError::Ragged {
                place: Place::new(&file, "line", line),
                expected: names.len(),
                found: record.len(),
            });
        }
        for (column, cell) in columns.iter_mut().zip(&record) {
            column.push(cell);
        }
        lines.push(line);
    }
    let columns = columns.into_iter().map(Column::Text).collect();
    Table::new(&file, names, columns, Numbering::Lines(lines))
}

/// The file's text without its byte-order mark.
fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, DataError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        DataError::NotUtf8 { place: Place::new(file, "line", 1 + newlines(before)) }
    })
}

/// The line on which a record just read begins.
///
/// The reader's own position of a record lies before the blank lines and comments above it, and a CRLF leaves it one
/// line short; its count at the record's end holds, less the line break where that has been read already.
fn first_line(text: &str, end: &csv::Position, record: &csv::StringRecord) -> u64 {
    let last = (end.byte() as usize).checked_sub(1).and_then(|k| text.as_bytes().get(k));
    let inside = newlines(record.as_slice().as_bytes());
    end.line().saturating_sub(u64::from(last == Some(&b'\n')) + inside)
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// The column names, where the first row can be a header.
fn header(file: &str, record: &csv::StringRecord) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
    if let [only] = names.as_slice()
        && only.contains([';', '\t'])
    {
        return Err(DataError::Separator { file: file.to_owned(), header: only.clone() });
    }
    let mut named = names.iter().filter(|name| !name.is_empty());
    if named.all(|name| matches!(read_cell(name), Cell::Number(_))) {
        let found = format!(": its first row begins with {}", shown(&names[0]));
        return Err(DataError::NoHeader { file: file.to_owned(), found });
    }
    Ok(names)
}
