//! Compiled pipelines, kept from run to run where a driver gives them out.
//!
//! Many drivers keep what they compile on their own; those that do not are asked for it, and given it back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

use super::caches;

/// A file beyond that is not written: it would take longer to read than what is in it takes to compile.
const MOST_BYTES: usize = 256 << 20;

const DIGEST: usize = 32;

/// The pipelines of a device, and the file that they are read from and written to.
#[derive(Debug)]
pub(super) struct Pipelines {
    cache: wgpu::PipelineCache,
    file: PathBuf,
    /// Whether there are more than the file has.
    grown: AtomicBool,
}

impl Pipelines {
    /// With what earlier runs left of this adapter and driver. `None` where the API has no such cache, or the user no place for
    /// it.
    pub(super) fn open(device: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> Option<Self> {
        Self::open_in(&caches::folder()?, device, adapter)
    }

    fn open_in(folder: &Path, device: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let key = wgpu::util::pipeline_cache_key(adapter)?;
        // Two drivers of one adapter would throw each other's away.
        let driver = Sha256::digest(format!("{} {}", adapter.driver, adapter.driver_info));
        let file =
            folder.join(format!("{key}_{:02x}{:02x}{:02x}{:02x}.bin", driver[0], driver[1], driver[2], driver[3]));
        let kept = std::fs::read(&file).ok().and_then(|bytes| intact(&bytes).map(<[u8]>::to_vec));
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("natgrad"), data: kept.as_deref(), fallback: true };
        // SAFETY: the data are what `get_data` gave, written by `save` with their digest, which still holds; wgpu looks whether
        // they are of this adapter and driver, and so does the driver itself.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { cache, file, grown: AtomicBool::new(false) })
    }

    /// To be given to the compilation of a pipeline.
    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        self.grown.store(true, Ordering::Relaxed);
        &self.cache
    }

    /// Writes what has been compiled, if anything has.
    fn save(&self) -> std::io::Result<()> {
        if !self.grown.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(data) = self.cache.get_data().filter(|data| data.len() <= MOST_BYTES) else { return Ok(()) };
        let digest: [u8; DIGEST] = Sha256::digest(&data).into();
        // Runs that compile nothing new write nothing.
        if std::fs::read(&self.file).is_ok_and(|there| there.starts_with(&digest)) {
            return Ok(());
        }
        caches::replace(&self.file, |file| {
            use std::io::Write;
            file.write_all(&digest)?;
            file.write_all(&data)
        })
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        if let Err(error) = self.save() {
            log::info!("{} cannot be written ({error}): pipelines are compiled again", self.file.display());
        }
    }
}

/// What a file holds, if nothing has become of it since it was written.
fn intact(bytes: &[u8]) -> Option<&[u8]> {
    let (digest, data) = bytes.split_at_checked(DIGEST)?;
    (Sha256::digest(data)[..] == *digest).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHADER: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(1) fn main() { x[0] = x[0] + 1u; }";

    fn compile(device: &wgpu::Device, pipelines: &Pipelines) {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let _pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: Some(pipelines.cache()),
        });
    }

    #[test]
    fn what_was_compiled_is_there_for_the_next_run_and_a_spoilt_file_is_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let mut tried = 0;
        for adapter in pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
            let descriptor = wgpu::DeviceDescriptor {
                required_features: adapter.features() & wgpu::Features::PIPELINE_CACHE,
                ..Default::default()
            };
            let Ok((device, _)) = pollster::block_on(adapter.request_device(&descriptor)) else { continue };
            let open = || Pipelines::open_in(folder.path(), &device, &adapter.get_info());
            let has_cache = adapter.features().contains(wgpu::Features::PIPELINE_CACHE);
            let Some(first) = open() else {
                assert!(!has_cache, "{:?}", adapter.get_info());
                continue;
            };
            println!("on {}", adapter.get_info().name);
            tried += 1;
            let file = first.file.clone();
            compile(&device, &first);
            let expected = first.cache.get_data();
            drop(first);
            let Some(expected) = expected else { continue };
            let written = std::fs::read(&file).unwrap();
            assert_eq!(intact(&written), Some(&expected[..]));
            let again = open().unwrap();
            compile(&device, &again);
            drop(again);
            assert_eq!(std::fs::read(&file).unwrap(), written, "nothing new, nothing written");
            for spoilt in [&b""[..], &written[..20], &written[1..], &[0; 200]] {
                std::fs::write(&file, spoilt).unwrap();
                assert_eq!(intact(spoilt), None);
                compile(&device, &open().unwrap());
                assert_eq!(std::fs::read(&file).unwrap(), written, "written anew");
            }
        }
        println!("{tried} adapters with a cache");
    }
}
