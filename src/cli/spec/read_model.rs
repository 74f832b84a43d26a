//! The model of a spec.

use super::read::{keys, named_numbers, texts};
use super::reader::{Table, Value};
use super::{ExpressionRequest, Failure, ModelRequest};
use crate::model::{Activation, Network, Parametrisation};

/// The model: an expression or a network.
pub(super) fn read_model(table: Table<'_>) -> Result<ModelRequest, Failure> {
    table.only(keys("model"))?;
    let Some(network) = table.get("model.network") else { return read_expression(table).map(ModelRequest::Expression) };
    if let Some(other) = ["expression", "parameters", "constants"].iter().find(|key| table.get(key).is_some()) {
        return Err(network.fail(format!("a model is a network or an expression; leave this key or model.{other} out")));
    }
    read_network(&network).map(ModelRequest::Network)
}

fn read_expression(table: Table<'_>) -> Result<ExpressionRequest, Failure> {
    let expression = table.require("model.expression", "expression = \"b1*(1 - exp(-b2*x))\"")?;
    let parameters = table.require("model.parameters", "parameters = [\"b1\", \"b2\"]")?;
    let names = texts(&parameters)?;
    if names.is_empty() {
        return Err(parameters.fail("the list is empty; name at least one parameter"));
    }
    if let Some(twice) = (1..names.len()).find(|&k| names[..k].contains(&names[k])) {
        return Err(parameters.fail(format!("{:?} is named twice; keep one of them", names[twice])));
    }
    Ok(ExpressionRequest {
        expression: expression.text()?.to_owned(),
        parameters: names,
        constants: match table.get("model.constants") {
            Some(constants) => named_numbers(&constants)?,
            None => Vec::new(),
        },
    })
}

fn read_network(value: &Value<'_>) -> Result<Network, Failure> {
    const EXAMPLE: &str = "network = { layers = [1, 20, 1], activation = \"tanh\" }";
    let table = value.table()?;
    table.only(keys("model.network"))?;
    let mut network = read_layers(&table, "model.network", EXAMPLE)?;
    if let Some(bias) = table.get("model.network.output_bias") {
        network = network.output_bias(bias.flag()?);
    }
    if let Some(parametrisation) = table.get("model.network.parametrisation") {
        let words = [("standard", Parametrisation::Standard), ("ntk", Parametrisation::Ntk)];
        network = network.parametrisation(parametrisation.word(&words)?);
    }
    match table.get("model.network.inputs") {
        Some(inputs) => network.input_names(&texts(&inputs)?).map_err(|error| inputs.fail(error)),
        None => Ok(network),
    }
}

/// A network of the layers and the activation in a table.
pub(super) fn read_layers(table: &Table<'_>, path: &str, example: &str) -> Result<Network, Failure> {
    let layers = table.require(&format!("{path}.layers"), example)?;
    let counts: Vec<usize> = layers
        .list_or_one()
        .iter()
        .map(|units| units.count(u64::from(u32::MAX)).map(|units| units as usize))
        .collect::<Result<_, _>>()?;
    let activation = table.require(&format!("{path}.activation"), example)?;
    let words = Activation::ALL.map(|activation| (activation.name(), activation));
    Network::new(&counts, activation.word(&words)?).map_err(|error| layers.fail(error))
}
