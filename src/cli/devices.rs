//! `natgrad devices` and `natgrad selftest`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::{output, run};
use crate::engine::{Choice, Engine};
use crate::gpu::{AdapterChoice, AdapterSummary, Depth, Device, DeviceError};
use crate::report::TextTable;

/// Check that a device computes as natgrad needs it.
#[derive(Debug, Args)]
pub(super) struct SelftestArguments {
    /// The index or name of an adapter; all of them unless given [env: NATGRAD_DEVICE]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only the tests that run whenever a device is opened
    #[arg(long)]
    quick: bool,
}

/// Lists every adapter and the CPU.
pub(super) fn list() -> Result<ExitCode, Failure> {
    let adapters = Device::list();
    let cpu = Engine::open(Choice::Cpu)?;
    let mut table = TextTable::with_header(["device", "name", "kind", "API", "driver", "f64", "subgroups", "buffer"]);
    for adapter in &adapters {
        table.row(row(adapter));
    }
    let name = cpu.description();
    table.row(["cpu", name, "cpu", "-", "faer", "yes", "-", "-"]);
    output::results(|writer| {
        table.write(writer)?;
        if adapters.is_empty() {
            writeln!(writer, "no GPU adapter: install a Vulkan driver, or run on the CPU")?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn row(adapter: &AdapterSummary) -> [String; 8] {
    let yes_or_no = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let kind = match adapter.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    };
    let limits = &adapter.limits;
    let largest = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    [
        adapter.index.to_string(),
        adapter.name.clone(),
        kind.to_owned(),
        adapter.backend.to_string(),
        format!("{} {}", adapter.driver, adapter.driver_info).trim().to_owned(),
        yes_or_no(adapter.f64),
        yes_or_no(adapter.subgroups),
        format!("{} MiB", largest >> 20),
    ]
}

/// Runs the self-test of one adapter, or of all. Ends with 3 if an adapter is refused.
pub(super) fn selftest(arguments: &SelftestArguments) -> Result<ExitCode, Failure> {
    let depth = if arguments.quick { Depth::Quick } else { Depth::Full };
    let choices: Vec<AdapterChoice> = match run::wanted_device(arguments.device.as_deref()) {
        Some(name) => {
            let Ok(choice) = name.parse::<Choice>();
            match choice {
                Choice::Cpu => {
                    output::results(|writer| writeln!(writer, "the CPU backend needs no self-test"))?;
                    return Ok(ExitCode::SUCCESS);
                }
                Choice::Auto | Choice::Gpu => vec![AdapterChoice::Auto],
                Choice::Index(index) => vec![AdapterChoice::Index(index)],
                Choice::Name(name) => vec![AdapterChoice::Name(name)],
            }
        }
        None => Device::list().iter().map(|adapter| AdapterChoice::Index(adapter.index)).collect(),
    };
    if choices.is_empty() {
        return Err(crate::error::Error::from(DeviceError::NoAdapter).into());
    }
    let mut code = ExitCode::SUCCESS;
    for choice in choices {
        let report = crate::selftest::selftest(&choice, depth).map_err(crate::error::Error::from)?;
        output::results(|writer| writeln!(writer, "{report}\n"))?;
        if !report.usable() {
            code = ExitCode::from(3);
        }
    }
    Ok(code)
}
