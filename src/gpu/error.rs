//! How a device can fail.

/// A device that is not there, not sound, too small, or gone.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No adapter at all.
    #[error("no GPU adapter found: install a Vulkan driver (scripts/setup-vulkan), or use the CPU (--device cpu)")]
    NoAdapter,
    /// No adapter of this index or name.
    #[error("no adapter matches {asked}: there are {available}")]
    NoSuchAdapter {
        /// What was asked for.
        asked: String,
        /// The adapters there are.
        available: String,
    },
    /// The driver fails a known answer that the engine needs.
    #[error("the driver {driver} fails the self-test \"{test}\" ({detail}): update it, or use --device cpu")]
    Refused {
        /// Adapter and driver, with version.
        driver: String,
        /// The test.
        test: String,
        /// What came out.
        detail: String,
    },
    /// No adapter that matches can be used.
    #[error("no adapter is usable: {}", .refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NoneUsable {
        /// What is wrong with each, in the order of preference.
        refusals: Vec<DeviceError>,
    },
    /// The device could not be opened.
    #[error("{adapter} could not be opened: {message}")]
    Open {
        /// The adapter.
        adapter: String,
        /// What wgpu said, on one line.
        message: String,
    },
    /// The device has no memory left.
    #[error("the device has no memory for {} bytes ({label}): run fewer problems at a time", bytes)]
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
        /// For what.
        label: String,
    },
    /// A buffer larger than the device allows.
    #[error(
        "{label} needs {bytes} bytes and the device allows {limit} in one buffer: split the data, or use --device cpu"
    )]
    TooLarge {
        /// Bytes asked for.
        bytes: u64,
        /// The most there can be.
        limit: u64,
        /// For what.
        label: String,
    },
    /// Elements beyond the end of a buffer.
    #[error("elements {start}..{end} asked for {what}, and the buffer has {len}: mend the range")]
    OutOfRange {
        /// What was to be done with them.
        what: &'static str,
        /// First element.
        start: usize,
        /// One past the last.
        end: usize,
        /// Elements there are.
        len: usize,
    },
    /// The device is gone: reset by its driver, or unplugged.
    #[error("the device was lost ({reason}): run again, with smaller dispatches if it recurs")]
    Lost {
        /// What the driver said.
        reason: String,
    },
    /// A shader does not compile on this device.
    #[error("shader {name} does not compile here: {message}")]
    Shader {
        /// The kernel.
        name: String,
        /// What the compiler said, on one line.
        message: String,
    },
    /// A mapping asked for by name that there is not for this operation and shape.
    #[error("{operation} has no mapping \"{mapping}\": there are {}", .candidates.join(", "))]
    NoSuchMapping {
        /// The operation and its shape.
        operation: String,
        /// What was asked for.
        mapping: String,
        /// What there is.
        candidates: Vec<String>,
    },
    /// wgpu refused a call: a fault in natgrad, or in objects that the caller brought.
    #[error("wgpu refused {what}: {message}")]
    Validation {
        /// What was being done.
        what: String,
        /// What wgpu said, on one line.
        message: String,
    },
}

/// A message on one line.
pub(crate) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
