//! What can be wrong with data, said in one line that names the place and the mend.

use std::fmt;

use crate::expr::{ParseError, RowError};

/// One place in the data: a line of a file, or a row of columns given in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    source: String,
    unit: &'static str,
    line: u64,
}

impl Place {
    pub(super) fn new(source: &str, unit: &'static str, line: u64) -> Self {
        Self { source: source.to_owned(), unit, line }
    }

    /// The file's name, or what the data in memory are called.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The line of the file (1-based, the header is line 1), or the row of columns in memory (1-based).
    pub fn line(&self) -> u64 {
        self.line
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}", self.source, self.unit, self.line)
    }
}

/// What can be the matter with an NPY file, said after its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NpyProblem {
    /// It does not begin as such a file does.
    #[error(" is no NPY file; write it with numpy.save")]
    NotNpy,
    /// A version of the form that is not known.
    #[error(" is NPY of version {version}, and versions 1 to 3 are read; write it again with numpy.save")]
    Version {
        /// The version.
        version: u8,
    },
    /// It ends within its header.
    #[error(" ends within its header; write it again")]
    HeaderCut,
    /// The header is no such header.
    #[error(" has an NPY header that cannot be read; write it again with numpy.save")]
    Header,
    /// Its elements are no plain numbers.
    #[error(" holds elements of the type {descr:?}; save plain numbers, as in numpy.save(file, a.astype(\"f4\"))")]
    Kind {
        /// Their type, as numpy names it.
        descr: String,
    },
    /// The bytes of its elements stand in the other order.
    #[error(" holds big-endian elements ({descr:?}); save a.astype(a.dtype.newbyteorder(\"<\"))")]
    BigEndian {
        /// Their type, as numpy names it.
        descr: String,
    },
    /// Its first axis runs fastest.
    #[error(" is in Fortran order; save numpy.ascontiguousarray(a)")]
    FortranOrder,
    /// It ends before its last element.
    #[error(
        " is cut short: {shape:?} elements of the type {descr:?} take {wanted} bytes and {found} are there; write it again"
    )]
    Truncated {
        /// The shape of the array.
        shape: Vec<usize>,
        /// The type of its elements.
        descr: String,
        /// The bytes that they take.
        wanted: u64,
        /// The bytes that are there.
        found: u64,
    },
}

/// Why data could not be read or bound to a model. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file could not be opened.
    #[error("cannot open {file}: {source}; check the path")]
    Open {
        /// The file's path.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Reading failed on the way.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file's path.
        file: String,
        /// What the operating system or the CSV reader said.
        source: std::io::Error,
    },
    /// A row has more or fewer fields than the header.
    #[error("{place}: number of fields is {found}, but the header names {expected} columns; mend the row")]
    Ragged {
        /// The line of the row.
        place: Place,
        /// The header's number of fields.
        expected: usize,
        /// The row's number of fields.
        found: usize,
    },
    /// The file is not UTF-8.
    #[error("{place}: not UTF-8 text; save the file as UTF-8")]
    NotUtf8 {
        /// The first line at fault.
        place: Place,
    },
    /// The file is empty, or its first row holds numbers instead of names.
    #[error("{file} has no header row{found}; its first row must name the columns, as in: x,y")]
    NoHeader {
        /// The file's path.
        file: String,
        /// What stands there instead, ready to be appended.
        found: String,
    },
    /// The header is one field that holds another separator.
    #[error("{file} is not separated by commas: its header is the single field {header:?}; write it with commas")]
    Separator {
        /// The file's path.
        file: String,
        /// The header as read.
        header: String,
    },
    /// Two columns have one name.
    #[error("{file} has two columns named {column:?}; rename one of them")]
    DuplicateColumn {
        /// The file's path, or what the data in memory are called.
        file: String,
        /// The name.
        column: String,
    },
    /// There are no rows at all.
    #[error("{file} has no rows of data; at least one is needed")]
    NoRows {
        /// The file's path, or what the data in memory are called.
        file: String,
    },
    /// Every row had a missing value and was left out.
    #[error("{file}: all {dropped} rows have a missing value in a column in use, so none is left; fill in the values")]
    NoRowsLeft {
        /// The file's path, or what the data in memory are called.
        file: String,
        /// How many rows were left out.
        dropped: usize,
    },
    /// Columns given in memory differ in length.
    #[error("column {column:?} has {found} rows, but {first:?} has {expected}; columns must be equally long")]
    UnequalColumns {
        /// The column at fault.
        column: String,
        /// The first column.
        first: String,
        /// Rows of the first column.
        expected: usize,
        /// Rows of this one.
        found: usize,
    },
    /// An array's shape, axes and values do not fit together.
    #[error("{problem}")]
    Shape {
        /// What does not fit, and the mend.
        problem: String,
    },
    /// A file that is no Parquet, or is compressed in a way that is not read.
    #[error("cannot read {file} as Parquet: {message}; write it again, with compression snappy or none")]
    Parquet {
        /// The file's path.
        file: String,
        /// What the reader said.
        message: String,
    },
    /// A file that is not in the form of NumPy's NPY, or in one that is not read.
    #[error("{file}{problem}")]
    Npy {
        /// The file's path.
        file: String,
        /// What is the matter, and the mend.
        problem: NpyProblem,
    },
    /// A product of lengths that no machine can address.
    #[error("an array of shape {shape:?} is too large: its number of elements overflows; give it in parts")]
    TooLarge {
        /// The shape asked for.
        shape: Vec<usize>,
    },
    /// A name that is no column.
    #[error("{file} has no column {column:?} ({role}){hint}")]
    NoSuchColumn {
        /// The file's path, or what the data in memory are called.
        file: String,
        /// The name asked for.
        column: String,
        /// What it was wanted for.
        role: String,
        /// The nearest name, or the names there are, ready to be appended.
        hint: String,
    },
    /// A new name for a column is already taken.
    #[error("{file}: cannot call column {column:?} {alias:?}, since {taken} already has that name; choose another")]
    AliasTaken {
        /// The file's path, or what the data in memory are called.
        file: String,
        /// The new name.
        alias: String,
        /// The column that was to get it.
        column: String,
        /// What has it already.
        taken: String,
    },
    /// A column was named twice where once is enough.
    #[error("the column {column:?} is named twice as {role}; name it once")]
    NamedTwice {
        /// The column.
        column: String,
        /// As what.
        role: &'static str,
    },
    /// A missing value (an empty cell, NA, NaN or an infinity) in a column in use.
    #[error(
        "{place}, column {column:?}: {value} is no finite number; mend it, or leave such rows out with --missing drop"
    )]
    MissingValue {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The value as it stands there, in words where the cell is empty.
        value: String,
    },
    /// A missing value in a column that only a guess uses, so that its row was not left out.
    #[error(
        "{place}, column {column:?}: {value} is no finite number, and a guess uses it; mend it or guess from another column"
    )]
    MissingInGuess {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The value as it stands there.
        value: String,
    },
    /// Text in a column that is used as numbers.
    #[error("{place}, column {column:?}: {value} is text where a number should be; mend it or use another column")]
    NotANumber {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The text.
        value: String,
    },
    /// A standard deviation that is zero or negative.
    #[error(
        "{place}: sigma {expression:?} is {value}, but a standard deviation must be positive; mend the data or the expression"
    )]
    SigmaNotPositive {
        /// Where.
        place: Place,
        /// The expression of sigma.
        expression: String,
        /// Its value there.
        value: f64,
    },
    /// The response or sigma is not finite although its columns are.
    #[error("{place}: the {role} {expression:?} is {value}; mend it, or leave such rows out with --missing drop")]
    NotFinite {
        /// Where.
        place: Place,
        /// "response" or "sigma".
        role: &'static str,
        /// The expression.
        expression: String,
        /// Its value there.
        value: f64,
    },
    /// An expression of columns does not parse.
    #[error("the {role}: {source}")]
    Parse {
        /// What the expression is for.
        role: &'static str,
        /// The expression.
        expression: String,
        /// The parser's message, with the place in the text.
        source: Box<ParseError>,
    },
    /// An expression of columns uses a name that is no column.
    #[error("{source}")]
    Names {
        /// What the expression is for.
        role: &'static str,
        /// Which name.
        source: Box<DataError>,
    },
    /// An expression of columns could not be evaluated.
    #[error("the {role} {expression:?} on {set}: {source}")]
    Evaluate {
        /// What the expression is for.
        role: &'static str,
        /// The expression.
        expression: String,
        /// The data set's label.
        set: String,
        /// Why not.
        source: Box<RowError>,
    },
    /// A guess gave a value for each row where one number is wanted.
    #[error("the guess {expression:?} gives a value for each row; take one number from it, as in max({expression})")]
    NotScalar {
        /// The expression.
        expression: String,
    },
    /// A start file lacks a column for a parameter.
    #[error("{file} has no column for the parameter {parameter:?}; add one (columns: {columns})")]
    NoStartColumn {
        /// The start file.
        file: String,
        /// The parameter without a column.
        parameter: String,
        /// The columns there are.
        columns: String,
    },
    /// A start file has a column that is neither a parameter nor a group column.
    #[error("{file}: the column {column:?} is neither a parameter nor a group column{hint}; rename it or take it out")]
    UnknownStartColumn {
        /// The start file.
        file: String,
        /// The column.
        column: String,
        /// The nearest name, ready to be appended.
        hint: String,
    },
    /// A start without a finite value for a parameter.
    #[error("{place}: the start of {parameter:?} is {value}, but must be a finite number; fill it in")]
    StartNotFinite {
        /// Where.
        place: Place,
        /// The parameter.
        parameter: String,
        /// The value as it stands there.
        value: String,
    },
    /// An array of starts that does not have a row for each data set.
    #[error(
        "{file} has the shape {shape:?}, but {sets} data sets and {parameters} parameters need [{sets}, {parameters}]; give a row a data set and a column a parameter"
    )]
    StartShape {
        /// The file, or what the array in memory is called.
        file: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Data sets there are.
        sets: usize,
        /// Parameters of the model.
        parameters: usize,
    },
    /// A data set has no row in the start file.
    #[error("{file} has no start for {sets}; add a row for each")]
    NoStart {
        /// The start file.
        file: String,
        /// How many such data sets there are, and the first of them.
        sets: String,
    },
}

impl DataError {
    /// Whether a value is missing, so that its row could be left out.
    pub(crate) fn is_gap(&self) -> bool {
        matches!(self, Self::MissingValue { .. } | Self::NotFinite { .. })
    }
}

/// A cell or value as it is shown in a message: quoted, on one line, and not longer than a line bears.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 40;
    if value.trim().is_empty() {
        return "an empty cell".to_owned();
    }
    match value.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{:?}…", &value[..cut]),
        None => format!("{value:?}"),
    }
}

/// A name with its control characters escaped, so that a message stays on one line.
pub(super) fn one_line(name: &str) -> String {
    name.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// A list of names for a message, cut where it would run over a line.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let names: Vec<&str> = names.into_iter().collect();
    let mut text = names.iter().take(MOST).map(|n| one_line(n)).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}
