//! Invocations that work together, and work whose amount the device decides.

use crate::gpu::{Device, DeviceError, KernelSource, kernel_source};

use super::Check;

pub(super) const SOURCES: [KernelSource; 2] = [TOGETHER, INDIRECT];

const TOGETHER: KernelSource = kernel_source!("selftest/workgroups", write reversed, write sums, write totals);
const INDIRECT: KernelSource = kernel_source!("selftest/indirect", uniform stage, write plan, write count);

/// As in the shader.
const SIZE: u32 = 64;
const COUNTERS: u32 = 7;

const GROUPS: u32 = 256;

pub(super) fn check(device: &Device) -> Result<[Check; 2], DeviceError> {
    Ok([
        Check::run("workgroups", true, || together(device))?,
        Check::run("indirect dispatch", true, || indirect(device))?,
    ])
}

fn word(i: u32) -> u32 {
    i.wrapping_mul(2_654_435_761)
}

fn together(device: &Device) -> Result<Result<String, String>, DeviceError> {
    let kernel = device.kernel(&TOGETHER, &[], &[])?;
    let invocations = GROUPS * SIZE;
    let reversed = device.buffer::<u32>("reversed", invocations as usize)?;
    let sums = device.buffer::<u32>("sums", GROUPS as usize)?;
    let totals = device.buffer::<u32>("totals", COUNTERS as usize + 1)?;
    let mut commands = device.record("workgroups");
    commands.dispatch(&kernel, &[&reversed, &sums, &totals], [GROUPS, 1, 1])?;
    let reads = (
        commands.read_later(&reversed, 0..reversed.len())?,
        commands.read_later(&sums, 0..sums.len())?,
        commands.read_later(&totals, 0..totals.len())?,
    );
    commands.submit()?;
    let reversed = reads.0.wait_here()?;
    let sums = reads.1.wait_here()?;
    let totals = reads.2.wait_here()?;

    let mirrored = |i: u32| word(i / SIZE * SIZE + SIZE - 1 - i % SIZE);
    if let Some(i) = (0..invocations).find(|&i| reversed[i as usize] != mirrored(i)) {
        return Ok(Err(format!("invocation {i} did not see what another wrote before the barrier")));
    }
    let sum = |group: u32| (group * SIZE..(group + 1) * SIZE).fold(0u32, |sum, i| sum.wrapping_add(word(i)));
    if let Some(group) = (0..GROUPS).find(|&group| sums[group as usize] != sum(group)) {
        return Ok(Err(format!("workgroup {group} lost a part of its sum")));
    }
    for counter in 0..COUNTERS {
        let expected: u32 = (counter..invocations).step_by(COUNTERS as usize).sum();
        if totals[counter as usize] != expected {
            return Ok(Err(format!("atomic sum {counter} is {}, not {expected}", totals[counter as usize])));
        }
    }
    let greatest = (0..invocations).map(word).max().unwrap_or(0);
    if totals[COUNTERS as usize] != greatest {
        return Ok(Err(format!("atomic maximum is {}, not {greatest}", totals[COUNTERS as usize])));
    }
    Ok(Ok(format!("barriers and atomics of {invocations} invocations")))
}

fn indirect(device: &Device) -> Result<Result<String, String>, DeviceError> {
    let kernel = device.kernel(&INDIRECT, &[], &[])?;
    let stages = [device.uniform(&0u32)?, device.uniform(&1u32)?];
    let plan = device.buffer::<u32>("plan", 9)?;
    // Bound in the place of the plan while the plan itself is read as arguments.
    let spare = device.buffer::<u32>("spare plan", 9)?;
    let count = device.buffer::<u32>("count", 2)?;
    let mut commands = device.record("indirect dispatch");
    commands.dispatch(&kernel, &[&stages[0], &plan, &count], [1, 1, 1])?;
    for at in [0, 3, 6] {
        commands.dispatch_indirect(&kernel, &[&stages[1], &spare, &count], &plan, at)?;
    }
    let read = commands.read_later(&count, 0..2)?;
    commands.submit()?;
    let found = read.wait_here()?;
    // 5·3·2 workgroups, numbered from 0 to 29; the other two of the three dispatches are empty.
    Ok(if found == [30, 30] {
        Ok("30 workgroups by the device's own count, twice none".to_owned())
    } else {
        Err(format!("{} workgroups, the last of them number {}, instead of 30 and 30", found[0], found[1]))
    })
}
