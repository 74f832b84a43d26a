//! Compiled pipelines, kept from run to run where a driver gives them out: a file for each kernel, so that a run reads what it
//! needs and no more, however much others have compiled.
//!
//! Many drivers keep what they compile on their own; those that do not are asked for it, and given it back.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::caches;

/// What all files may take together, those of drivers and versions long gone included: beyond that the oldest go.
const MOST_BYTES: u64 = 256 << 20;

const DIGEST: usize = 32;

/// The files of a device.
#[derive(Debug)]
pub(super) struct Pipelines {
    folder: PathBuf,
    /// What tells adapter, driver and version of natgrad from others.
    device: String,
}

/// What a kernel is compiled with.
#[derive(Debug)]
pub(super) struct Entry {
    cache: wgpu::PipelineCache,
    /// What the cache gave out before anything was compiled with it.
    before: Option<Vec<u8>>,
    file: PathBuf,
}

impl Pipelines {
    /// `None` where the API has no such cache, or the user no place for it.
    pub(super) fn open(device: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> Option<Self> {
        Self::open_in(&caches::folder()?, device, adapter)
    }

    fn open_in(folder: &Path, device: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let key = wgpu::util::pipeline_cache_key(adapter)?;
        // Two drivers of one adapter would throw each other's away.
        let device = format!("{key} {} {} {}", adapter.driver, adapter.driver_info, env!("CARGO_PKG_VERSION"));
        Some(Self { folder: folder.join("pipelines"), device })
    }

    /// With what earlier runs left of the kernel that this text tells from all others.
    pub(super) fn entry(&self, device: &wgpu::Device, kernel: &str) -> Entry {
        let file = self.folder.join(format!("{}.bin", short_digest(&format!("{} {kernel}", self.device))));
        let kept = std::fs::read(&file).ok().and_then(|bytes| intact(&bytes).map(<[u8]>::to_vec));
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("natgrad"), data: kept.as_deref(), fallback: true };
        // SAFETY: the data are what `get_data` gave, written by `keep` with their digest, which still holds; wgpu looks whether
        // they are of this adapter and driver, and so does the driver itself.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Entry { before: cache.get_data(), cache, file }
    }
}

impl Entry {
    /// To be given to the compilation.
    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Writes what has been compiled, if the driver gives it out and it was not there.
    pub(super) fn keep(self) {
        let after = self.cache.get_data();
        let Some(data) = after.filter(|data| Some(data) != self.before.as_ref()) else { return };
        if let Err(error) = write(&self.file, &data, MOST_BYTES) {
            log::info!("{} cannot be written ({error}): the kernel is compiled again", self.file.display());
        }
    }
}

/// Writes a file with its digest, and makes room where there are too many.
fn write(file: &Path, data: &[u8], most: u64) -> std::io::Result<()> {
    use std::io::Write;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
        make_room(folder, most.saturating_sub(data.len() as u64))?;
    }
    caches::replace(file, |file| {
        file.write_all(&Sha256::digest(data))?;
        file.write_all(data)
    })
}

/// Where the files of a folder take more than that, the oldest go until three quarters are left: not a few with every file to come.
fn make_room(folder: &Path, most: u64) -> std::io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        // What another process has removed since is gone.
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), entry.path()));
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    if bytes <= most {
        return Ok(());
    }
    files.sort();
    for (_, of_file, path) in files {
        if bytes <= most / 4 * 3 {
            break;
        }
        let _ = std::fs::remove_file(path);
        bytes -= of_file;
    }
    Ok(())
}

/// 16 digits that tell texts apart.
fn short_digest(text: &str) -> String {
    Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
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

    fn compile(device: &wgpu::Device, entry: &Entry) {
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
            cache: Some(entry.cache()),
        });
    }

    #[test]
    fn what_a_driver_gives_out_is_there_for_the_next_run_and_a_driver_that_gives_nothing_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let (mut tried, mut given) = (0, 0);
        for adapter in pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
            let descriptor = wgpu::DeviceDescriptor {
                required_features: adapter.features() & wgpu::Features::PIPELINE_CACHE,
                ..Default::default()
            };
            let Ok((device, _)) = pollster::block_on(adapter.request_device(&descriptor)) else { continue };
            let has_cache = adapter.features().contains(wgpu::Features::PIPELINE_CACHE);
            let Some(pipelines) = Pipelines::open_in(folder.path(), &device, &adapter.get_info()) else {
                assert!(!has_cache, "{:?}", adapter.get_info());
                continue;
            };
            tried += 1;
            let entry = pipelines.entry(&device, "a kernel");
            let (file, before) = (entry.file.clone(), entry.before.clone());
            compile(&device, &entry);
            let expected = entry.cache.get_data();
            entry.keep();
            let Ok(written) = std::fs::read(&file) else {
                assert_eq!(expected, before, "{:?}", adapter.get_info());
                continue;
            };
            given += 1;
            assert_eq!(intact(&written), expected.as_deref());
            let again = pipelines.entry(&device, "a kernel");
            compile(&device, &again);
            again.keep();
            assert_eq!(std::fs::read(&file).unwrap(), written, "nothing new, nothing written");
            assert_ne!(pipelines.entry(&device, "another").file, file);
            std::fs::write(&file, &written[1..]).unwrap();
            let spoilt = pipelines.entry(&device, "a kernel");
            compile(&device, &spoilt);
            spoilt.keep();
            assert_eq!(std::fs::read(&file).unwrap(), written, "written anew");
        }
        println!("{tried} adapters with a cache, {given} of which give it out");
    }

    #[test]
    fn a_file_is_read_as_it_was_written_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("adapter").join("kernel.bin");
        write(&file, &[7; 100], MOST_BYTES).unwrap();
        let written = std::fs::read(&file).unwrap();
        assert_eq!(intact(&written), Some(&[7; 100][..]));
        for spoilt in [&b""[..], &written[..20], &written[1..], &written[..131], &[0; 200]] {
            assert_eq!(intact(spoilt), None);
        }
    }

    #[test]
    fn where_files_take_too_much_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let file = |k: u64| folder.path().join(format!("{k}.bin"));
        for k in 0..10 {
            write(&file(k), &[0; 968], 10_000).unwrap();
            let modified = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(k);
            std::fs::File::options().write(true).open(file(k)).unwrap().set_modified(modified).unwrap();
        }
        let there = || (0..12).filter(|&k| file(k).exists()).collect::<Vec<_>>();
        // Ten of a thousand bytes are as many as there may be; with an eleventh, a quarter goes.
        assert_eq!(there(), (0..10).collect::<Vec<_>>());
        write(&file(10), &[0; 968], 10_000).unwrap();
        assert_eq!(there(), (4..11).collect::<Vec<_>>());
    }
}
