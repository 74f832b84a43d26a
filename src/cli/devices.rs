//! `natgrad devices` and `natgrad selftest`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::{output, run};
use crate::engine::{Choice, Engine};
use crate::gpu::{AdapterSummary, Device};
use crate::report::TextTable;

/// Check that a device computes as natgrad needs it.
#[derive(Debug, Args)]
pub(super) struct SelftestArguments {
    /// The index or name of an adapter; all of them unless given [env: NATGRAD_DEVICE]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
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
        table.write(writer, usize::MAX)?;
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

/// Runs the self-test of one adapter, or of all.
pub(super) fn selftest(arguments: &SelftestArguments) -> Result<ExitCode, Failure> {
    let wanted = run::wanted_device(arguments.device.as_deref());
    let choices: Vec<Choice> = match wanted.as_deref() {
        Some(name) => {
            let Ok(choice) = name.parse();
            vec![choice]
        }
        None => Device::list().iter().map(|adapter| Choice::Index(adapter.index)).collect(),
    };
    if choices.is_empty() {
        return Err(crate::error::Error::from(crate::gpu::DeviceError::NoAdapter).into());
    }
    let mut refused = None;
    for choice in choices {
        match Engine::open(choice) {
            Ok(engine) => {
                let own = engine.device().map(|device| device.capabilities().replaced_functions()).unwrap_or_default();
                let own = match own.as_slice() {
                    [] => String::new(),
                    own => format!("; from natgrad instead of the driver: {}", own.join(", ")),
                };
                output::results(|writer| writeln!(writer, "{}: passes{own}", engine.description()))?;
            }
            Err(error) => {
                let failure = Failure::from(error);
                output::results(|writer| writeln!(writer, "refused: {}", failure.message))?;
                refused = Some(ExitCode::from(failure.code));
            }
        }
    }
    Ok(refused.unwrap_or(ExitCode::SUCCESS))
}
