//! stub
#![allow(missing_docs)]
#[derive(Debug, Clone)]
pub struct Device;
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("none")]
    NoAdapter,
    #[error("lost {reason}")]
    Lost { reason: String },
    #[error("large {label} {bytes} {limit}")]
    TooLarge { label: String, bytes: u64, limit: u64 },
}
pub enum AdapterChoice {
    Auto,
    Index(usize),
    Name(String),
}
pub struct Summary {
    pub name: String,
    pub backend: String,
    pub driver: String,
    pub driver_info: String,
}
impl Device {
    pub fn open(_: &AdapterChoice) -> Result<Self, DeviceError> {
        Err(DeviceError::NoAdapter)
    }
    pub fn summary(&self) -> &Summary {
        unreachable!()
    }
}
