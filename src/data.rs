//! Data: named columns, and how a fit reads them.
//!
//! [`Data`] holds columns from a CSV file or from memory and says which of them is the response, which give its
//! standard deviations, and which split the rows into data sets. [`Data::bind`] brings them to a model: the columns
//! it names, as numbers, sorted by data set, in [`BoundData`].
//!
//! An expression of columns (a response, a sigma, a guess) sees the rows of one data set at a time.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

mod array;
mod bind;
mod bound;
mod check;
mod csv;
mod digest;
mod error;
mod join;
mod keys;
mod layout;
mod npy;
mod numbers;
#[cfg(feature = "parquet")]
mod parquet;
mod sets;
mod stack;
mod start_array;
mod table;

pub use bound::BoundData;
pub use error::{DataError, NpyProblem, Place};
pub use join::{JoinedStarts, StartTable};
pub use keys::{Key, KeyColumn, KeyValues};
pub use layout::DataSets;
pub use numbers::Numbers;
pub(crate) use stack::Stack;
pub(crate) use start_array::StartArray;

use table::Table;

/// What to do with a row that has a missing value (an empty cell, `NA`, NaN or an infinity) in a column in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// An error that names the first such place.
    #[default]
    Error,
    /// The row is left out and counted in [`BoundData::dropped`].
    Drop,
}

/// How the columns are to be read.
#[derive(Clone, Debug)]
struct Reading {
    /// One, or one for each output of a model; none are those that the model goes by.
    responses: Vec<String>,
    sigma: Option<String>,
    groups: Vec<String>,
    missing: Missing,
    /// New name, column.
    renames: Vec<(String, String)>,
}

/// Named columns and how to read them. A clone shares the columns.
///
/// By default the response is the column `y`, every point weighs the same, all rows are one data set, and a missing
/// value is an error. Names and expressions are looked up when the data meet a model, not before.
///
/// ```
/// use natgrad::data::Data;
///
/// let text = "t,counts,cell\n0,100,1\n1,61,1\n0,80,2\n1,50,2\n";
/// let data = Data::from_reader("decay.csv", text.as_bytes())?
///     .response("log(counts)")
///     .group_by(&["cell"]);
/// let bound = data.bind(&["t"])?;
/// assert_eq!(bound.sets, [0..2, 2..4]);
/// assert_eq!(bound.set_label(1), "cell=2");
/// # Ok::<(), natgrad::data::DataError>(())
/// ```
#[derive(Clone)]
pub struct Data {
    table: Arc<Table>,
    reading: Reading,
}

impl fmt::Debug for Data {
    /// The shape, not the values: there may be millions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("source", &self.table.source)
            .field("columns", &self.table.names)
            .field("rows", &self.table.rows())
            .field("reading", &self.reading)
            .finish()
    }
}

impl Data {
    /// Reads a CSV file: a header row that names the columns, then rows of as many fields. `-` is standard input.
    ///
    /// Fields may be quoted, lines may end in LF or CRLF, a byte-order mark, blank lines and lines that start with
    /// `#` are passed over. Cells are kept as text; only columns in use have to hold numbers.
    ///
    /// # Errors
    /// The file cannot be opened or read, is no UTF-8, has no header, two columns of one name, a row of another
    /// length than the header, or no rows.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self, DataError> {
        csv::read_path(path.as_ref()).map(Self::new)
    }

    /// The same as [`read_csv`](Self::read_csv) from any reader; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As for [`read_csv`](Self::read_csv).
    pub fn from_reader(name: &str, reader: impl Read) -> Result<Self, DataError> {
        csv::read_table(name, reader).map(Self::new)
    }

    /// Reads a Parquet file: its columns of numbers, truth values (0 and 1) and text under their names; a null is a missing
    /// value. Columns of other types are left out.
    ///
    /// # Errors
    /// The file cannot be opened or read, is compressed otherwise than with Snappy, has two columns of one name, or no rows.
    #[cfg(feature = "parquet")]
    pub fn read_parquet(path: impl AsRef<Path>) -> Result<Self, DataError> {
        parquet::read_path(path.as_ref()).map(Self::new)
    }

    /// Takes columns of numbers with their names.
    ///
    /// # Errors
    /// Columns of unequal length or of one name, and no rows.
    pub fn from_columns(columns: impl IntoIterator<Item = (impl Into<String>, Vec<f64>)>) -> Result<Self, DataError> {
        let columns = columns.into_iter().map(|(name, values)| (name.into(), values));
        array::columns_table(columns).map(Self::new)
    }

    /// Takes an array in row-major order (the last axis runs fastest): its values are the column `y`, and each axis
    /// becomes a column of coordinates 0, 1, 2, … under its name. An axis named `set` groups.
    ///
    /// ```
    /// # use natgrad::data::Data;
    /// // Two images of 5×5 pixels, each a data set.
    /// let images = vec![0.5_f32; 2 * 5 * 5];
    /// let data = Data::from_array(&images, &[2, 5, 5], &["set", "py", "px"])?;
    /// assert_eq!(data.bind(&["px", "py"])?.sets, [0..25, 25..50]);
    /// # Ok::<(), natgrad::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// Values, shape and axes do not fit together, an axis is named twice or `y`, or there are no elements.
    pub fn from_array(values: &[f32], shape: &[usize], axes: &[&str]) -> Result<Self, DataError> {
        Self::of_numbers(values.to_vec().into(), shape, axes)
    }

    /// Maps an array in NumPy's NPY format into memory: its values are the column `y`, and the axes are those of
    /// [`from_array`](Self::from_array). Values are read as they are asked for and never all converted: with `set` as the
    /// first axis, a run holds the data sets at work and no others. The file must not change while it is in use.
    ///
    /// Numbers of 32 and 64 bits, integers of 8 to 64 bits and truth values are read, little-endian and in C order, from
    /// versions 1 to 3 of the format.
    ///
    /// # Errors
    /// The file cannot be opened, is no such file or cut short; elements of another type or order; and as for
    /// [`from_array`](Self::from_array).
    pub fn read_npy(path: impl AsRef<Path>, axes: &[&str]) -> Result<Self, DataError> {
        let (shape, values) = npy::open(path.as_ref())?;
        let name = values.name().to_owned();
        array::array_table(&name, values.into(), &shape, axes).map(|table| Self::with_axes(table, axes))
    }

    /// The same as [`from_array`](Self::from_array) from an `ndarray` array or view of `f32` or `f64`, whatever its
    /// layout in memory.
    ///
    /// # Errors
    /// As for [`from_array`](Self::from_array).
    #[cfg(feature = "ndarray")]
    pub fn from_ndarray<A, S, D>(values: &ndarray::ArrayBase<S, D>, axes: &[&str]) -> Result<Self, DataError>
    where
        A: Copy + Into<f64>,
        S: ndarray::Data<Elem = A>,
        D: ndarray::Dimension,
    {
        let numbers: Vec<f64> = values.iter().map(|&value| value.into()).collect();
        Self::of_numbers(numbers.into(), values.shape(), axes)
    }

    fn new(table: Table) -> Self {
        let reading = Reading {
            responses: Vec::new(),
            sigma: None,
            groups: Vec::new(),
            missing: Missing::default(),
            renames: Vec::new(),
        };
        Self { table: Arc::new(table), reading }
    }

    fn of_numbers(values: Numbers, shape: &[usize], axes: &[&str]) -> Result<Self, DataError> {
        array::array_table("the array", values, shape, axes).map(|table| Self::with_axes(table, axes))
    }

    fn with_axes(table: Table, axes: &[&str]) -> Self {
        let data = Self::new(table);
        if axes.contains(&array::SET_AXIS) { data.group_by(&[array::SET_AXIS]) } else { data }
    }

    /// The response: a column, or an expression of columns such as `log(y)`.
    #[must_use]
    pub fn response(mut self, expression: impl Into<String>) -> Self {
        self.reading.responses = vec![expression.into()];
        self
    }

    /// The responses of a model with several outputs, one for each, in their order: columns or expressions. Each row then
    /// makes as many residuals as there are outputs, with the same sigma.
    #[must_use]
    pub fn responses<S: AsRef<str>>(mut self, expressions: &[S]) -> Self {
        self.reading.responses = expressions.iter().map(|expression| expression.as_ref().to_owned()).collect();
        self
    }

    /// How many responses are named; `None`: none, and the model's own names stand.
    pub(crate) fn response_count(&self) -> Option<usize> {
        Some(self.reading.responses.len()).filter(|&count| count > 0)
    }

    /// The standard deviation of each response: a number, a column, or an expression such as `sqrt(max(y, 1))`.
    #[must_use]
    pub fn sigma(mut self, expression: impl Into<String>) -> Self {
        self.reading.sigma = Some(expression.into());
        self
    }

    /// Splits the rows into data sets, one for each combination of values in these columns, in the order in which
    /// they first appear. The rows of a set need not stand together, nor be equally many. No column: one set.
    ///
    /// A column may hold integers, numbers or text ([`KeyValues`]); an empty cell, `NA` or NaN is a missing value here too.
    #[must_use]
    pub fn group_by(mut self, columns: &[&str]) -> Self {
        self.reading.groups = columns.iter().map(|&column| column.to_owned()).collect();
        self
    }

    /// What to do with missing values.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> Self {
        self.reading.missing = missing;
        self
    }

    /// Gives columns further names, as pairs of new name and column: `[("t", "Time [s]")]`. A column's own name still
    /// holds, unless the model has a parameter or constant of that name: in the model it then means that one, while a
    /// column without a further name may not share its name with them.
    #[must_use]
    pub fn rename(mut self, renames: &[(&str, &str)]) -> Self {
        let renames = renames.iter().map(|&(alias, column)| (alias.to_owned(), column.to_owned()));
        self.reading.renames.extend(renames);
        self
    }

    /// The names of the columns, in their order.
    pub fn column_names(&self) -> &[String] {
        &self.table.names
    }

    /// Whether there is a column of this name, or of this new name.
    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The column that claims this name: one that was given it, or the one of that name where it has no other.
    pub(crate) fn claimant(&self, name: &str) -> Option<&str> {
        let renames = &self.reading.renames;
        if let Some((_, column)) = renames.iter().find(|(alias, _)| alias == name) {
            return Some(column);
        }
        let renamed = renames.iter().any(|(_, column)| column == name);
        self.table.find(name).filter(|_| !renamed).map(|column| self.table.names[column].as_str())
    }

    /// The names by which columns can be used: their own, and new ones.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.table.names.iter().map(String::as_str).chain(self.aliases()).collect()
    }

    /// The number of rows, before any is left out.
    pub fn rows(&self) -> usize {
        self.table.rows()
    }

    /// Where the data came from: the file's name, or what data in memory are called.
    pub fn source(&self) -> &str {
        &self.table.source
    }

    /// SHA-256, in hexadecimal, over all columns and how they are to be read; the same cells from another file, or
    /// with other line ends, have the same digest.
    pub fn digest(&self) -> String {
        digest::digest(&self.table, &self.reading)
    }

    /// The table's column of this name, or of this new name.
    fn find(&self, name: &str) -> Option<usize> {
        let renamed = self.reading.renames.iter().find(|(alias, _)| alias == name);
        self.table.find(renamed.map_or(name, |(_, column)| column))
    }

    fn find_for(&self, name: &str, role: &str) -> Result<usize, DataError> {
        self.find(name).ok_or_else(|| self.table.no_such_column(name, role, self.aliases()))
    }

    fn aliases(&self) -> impl Iterator<Item = &str> {
        self.reading.renames.iter().map(|(alias, _)| alias.as_str())
    }

    /// Whether every new name means something, and one thing only.
    pub(crate) fn check_renames(&self) -> Result<(), DataError> {
        for (k, (alias, column)) in self.reading.renames.iter().enumerate() {
            if self.table.find(column).is_none() {
                let role = format!("to be called {alias:?}");
                return Err(self.table.no_such_column(column, &role, []));
            }
            let earlier = self.reading.renames[..k].iter().find(|(other, _)| other == alias);
            let taken = match (earlier, self.table.find(alias)) {
                (Some((_, other)), _) if other != column => Some(format!("the renamed column {other:?}")),
                (_, Some(_)) if alias != column => Some("another column".to_owned()),
                _ => None,
            };
            if let Some(taken) = taken {
                return Err(DataError::AliasTaken {
                    file: self.table.source.clone(),
                    alias: alias.clone(),
                    column: column.clone(),
                    taken,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
