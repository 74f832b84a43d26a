//! The data of a spec: a file, or a set that is built in.

use std::path::{Path, PathBuf};

use super::file_form::{FileForm, ending};
use super::read::{keys, texts};
use super::read_model::read_layers;
use super::read_start::{read_initialisation, read_seeds};
use super::reader::{Table, Value};
use super::{DataRequest, DataSource, Failure};
use crate::builtin::Teacher;
use crate::data::Missing;
use crate::sweep::Errors;

/// Axes where there is no array.
pub(super) const AXES_OF_NO_ARRAY: &str = "only an array has axes, in a file that ends in .npy; leave this key out";
const AXES_EXAMPLE: &str = "axes = [\"set\", \"py\", \"px\"]";

/// Where the data come from, and how they are read.
pub(super) fn read_data(table: Table<'_>) -> Result<DataRequest, Failure> {
    table.only(keys("data"))?;
    let text = |key: &str| table.get(key).map(|value| value.text().map(str::to_owned)).transpose();
    let mut columns = Vec::new();
    if let Some(renames) = table.get("data.columns") {
        for (name, column) in renames.table()?.entries("data.columns") {
            columns.push((name, column.text()?.to_owned()));
        }
    }
    Ok(DataRequest {
        source: read_source(&table)?,
        axes: read_axes(&table)?,
        responses: table.get("data.response").map(|response| texts(&response)).transpose()?.unwrap_or_default(),
        sigma: match table.get("data.sigma") {
            // A number is an expression too; written without quotes it reads better.
            Some(sigma) if !sigma.is_text() => Some(format!("{:?}", sigma.number()?)),
            _ => text("data.sigma")?,
        },
        group: table.get("data.group").map(|group| texts(&group)).transpose()?.unwrap_or_default(),
        missing: match table.get("data.missing") {
            Some(missing) => missing.word(&[("error", Missing::Error), ("drop", Missing::Drop)])?,
            None => Missing::default(),
        },
        columns,
        errors: match table.get("data.errors") {
            Some(errors) => errors.word(&[("scaled", Errors::Scaled), ("absolute", Errors::Absolute)])?,
            None => Errors::default(),
        },
    })
}

/// The axes, which a file of an array needs and no other data have.
fn read_axes(table: &Table<'_>) -> Result<Vec<String>, Failure> {
    let axes = table.get("data.axes");
    let file = table.get("data.file");
    let is_array = match &file {
        Some(file) => ending(Path::new(file.text()?)) == FileForm::Npy,
        None => false,
    };
    match (axes, file) {
        (Some(axes), _) if is_array => texts(&axes),
        (Some(axes), _) => Err(axes.fail(AXES_OF_NO_ARRAY)),
        (None, Some(file)) if is_array => {
            Err(file.fail(format!("an array needs names for its axes; add {AXES_EXAMPLE}")))
        }
        (None, _) => Ok(Vec::new()),
    }
}

fn read_source(table: &Table<'_>) -> Result<DataSource, Failure> {
    let Some(builtin) = table.get("data.builtin") else {
        let file = table.require("data.file", "file = \"data.csv\"")?;
        return Ok(DataSource::File(PathBuf::from(file.text()?)));
    };
    if let Some(file) = table.get("data.file") {
        return Err(file.fail("data come from a file or are built in; leave this key or builtin out"));
    }
    read_builtin(&builtin)
}

fn read_builtin(value: &Value<'_>) -> Result<DataSource, Failure> {
    const EXAMPLE: &str = "builtin = { chebyshev = { degree = 4, points = 20 } }";
    let table = value.table()?;
    table.only(keys("data.builtin"))?;
    match (table.get("data.builtin.chebyshev"), table.get("data.builtin.teacher")) {
        (Some(chebyshev), None) => {
            let table = chebyshev.table()?;
            table.only(keys("data.builtin.chebyshev"))?;
            let degree = table.require("data.builtin.chebyshev.degree", EXAMPLE)?.count(1000)?;
            let points = read_points(&table.require("data.builtin.chebyshev.points", EXAMPLE)?)?;
            Ok(DataSource::Chebyshev { degree: degree as u32, points })
        }
        (None, Some(teacher)) => read_teacher(teacher.table()?).map(DataSource::Teacher),
        (Some(_), Some(teacher)) => Err(teacher.fail("only one data set is built in at a time; leave one out")),
        (None, None) => Err(value.fail(format!("no data set is named; write {EXAMPLE}"))),
    }
}

fn read_teacher(table: Table<'_>) -> Result<Teacher, Failure> {
    const EXAMPLE: &str = "builtin = { teacher = { layers = [10, 5, 1], activation = \"silu\", points = 100 } }";
    let path = |key: &str| format!("data.builtin.teacher.{key}");
    table.only(keys("data.builtin.teacher"))?;
    let mut network = read_layers(&table, "data.builtin.teacher", EXAMPLE)?;
    if let Some(bias) = table.get(&path("output_bias")) {
        network = network.output_bias(bias.flag()?);
    }
    Ok(Teacher {
        network,
        initialisation: read_initialisation(&table, "data.builtin.teacher")?,
        points: read_points(&table.require(&path("points"), EXAMPLE)?)?,
        seeds: table.get(&path("seeds")).map_or(Ok(0..1), |seeds| read_seeds(&seeds))?,
        noise: match table.get(&path("noise")) {
            None => 0.0,
            Some(value) => match value.number()? {
                noise if noise >= 0.0 => noise,
                noise => return Err(value.fail(format!("the noise {noise} is negative; give 0 or more"))),
            },
        },
    })
}

/// A number of points, one at least.
fn read_points(value: &Value<'_>) -> Result<usize, Failure> {
    match value.count(u64::from(u32::MAX))? {
        0 => Err(value.fail("no points make no data; give at least 1")),
        points => Ok(points as usize),
    }
}
