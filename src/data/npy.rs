//! NumPy's NPY files, mapped into memory: the form of the file, and its values as they are asked for.
//!
//! The header is read here, and not by one of the crates that there are: each brings a grammar of Python and a dozen
//! crates for one line of text.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};

use super::error::{DataError, NpyProblem, one_line};

const MAGIC: &[u8] = b"\x93NUMPY";
/// A header of plain numbers is one line; numpy itself reads no more than 10 kB unasked.
const LONGEST_HEADER: u64 = 1 << 16;
/// Bytes that are read at a time where all of a file is.
const PIECE: usize = 1 << 24;

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    F4,
    F8,
    I1,
    I2,
    I4,
    I8,
    U1,
    U2,
    U4,
    U8,
}

impl Kind {
    /// By numpy's name without its mark of the order of bytes; a truth value is 0 or 1.
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "f4" => Self::F4,
            "f8" => Self::F8,
            "i1" => Self::I1,
            "i2" => Self::I2,
            "i4" => Self::I4,
            "i8" => Self::I8,
            "u1" | "b1" => Self::U1,
            "u2" => Self::U2,
            "u4" => Self::U4,
            "u8" => Self::U8,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::I1 | Self::U1 => 1,
            Self::I2 | Self::U2 => 2,
            Self::F4 | Self::I4 | Self::U4 => 4,
            Self::F8 | Self::I8 | Self::U8 => 8,
        }
    }
}

/// An open file and where its values lie.
#[derive(Debug)]
struct Npy {
    file: File,
    name: String,
    kind: Kind,
    /// Where the first value begins.
    offset: u64,
}

impl Npy {
    /// Maps some of the values.
    fn map(&self, values: &Range<usize>) -> Result<Option<Arc<Mmap>>, DataError> {
        if values.is_empty() {
            return Ok(None);
        }
        let bytes = self.kind.bytes();
        let offset = self.offset + (values.start * bytes) as u64;
        let mut options = MmapOptions::new();
        options.offset(offset).len(values.len() * bytes);
        // SAFETY: the file is only read. Whoever changes it while it is in use changes the numbers, any bytes of which are
        // numbers; that a file in use must not be cut short is told where it is opened.
        let map = unsafe { options.map(&self.file) };
        map.map(|map| Some(Arc::new(map))).map_err(|source| DataError::Read { file: self.name.clone(), source })
    }
}

/// Values of a file at hand: its whole, or a part.
#[derive(Clone, Debug)]
pub(super) struct Mapped {
    npy: Arc<Npy>,
    map: Option<Arc<Mmap>>,
    values: Range<usize>,
}

/// What a file's header says.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
    offset: u64,
}

/// Opens a file; the shape of its array, and its values.
pub(super) fn open(path: &Path) -> Result<(Vec<usize>, Mapped), DataError> {
    let name = one_line(&path.display().to_string());
    let mut file = File::open(path).map_err(|source| DataError::Open { file: name.clone(), source })?;
    let fail = |problem: NpyProblem| DataError::Npy { file: name.clone(), problem };
    let read_error = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof => fail(NpyProblem::HeaderCut),
        _ => DataError::Read { file: name.clone(), source },
    };
    let (text, offset) = match header_text(&mut file).map_err(read_error)? {
        Ok(found) => found,
        Err(problem) => return Err(fail(problem)),
    };
    let header = parse_header(&text, offset).ok_or_else(|| fail(NpyProblem::Header))?;
    let kind = kind_of(&header).map_err(fail)?;
    let too_large = || DataError::TooLarge { shape: header.shape.clone() };
    let product = |a: usize, &b: &usize| a.checked_mul(b);
    let count = header.shape.iter().try_fold(1, product).ok_or_else(too_large)?;
    let wanted = count.checked_mul(kind.bytes()).ok_or_else(too_large)? as u64;
    let found = file.metadata().map_err(read_error)?.len().saturating_sub(header.offset);
    if found < wanted {
        return Err(fail(NpyProblem::Truncated { shape: header.shape, descr: header.descr, wanted, found }));
    }
    let npy = Npy { file, name, kind, offset: header.offset };
    let map = npy.map(&(0..count))?;
    Ok((header.shape, Mapped { npy: Arc::new(npy), map, values: 0..count }))
}

/// The header's text and where the values begin.
fn header_text(file: &mut File) -> io::Result<Result<(String, u64), NpyProblem>> {
    let mut start = [0; 8];
    let mut filled = 0;
    while filled < start.len() {
        match file.read(&mut start[filled..])? {
            0 => return Ok(Err(NpyProblem::NotNpy)),
            more => filled += more,
        }
    }
    if &start[..MAGIC.len()] != MAGIC {
        return Ok(Err(NpyProblem::NotNpy));
    }
    let (length, before) = match start[6] {
        1 => {
            let mut bytes = [0; 2];
            file.read_exact(&mut bytes)?;
            (u64::from(u16::from_le_bytes(bytes)), 10)
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            file.read_exact(&mut bytes)?;
            (u64::from(u32::from_le_bytes(bytes)), 12)
        }
        version => return Ok(Err(NpyProblem::Version { version })),
    };
    if length > LONGEST_HEADER {
        return Ok(Err(NpyProblem::Header));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text)?;
    Ok(Ok((String::from_utf8_lossy(&text).into_owned(), before + length)))
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 5, 5), }`.
fn parse_header(text: &str, offset: u64) -> Option<Header> {
    let value = |key: &str| {
        let at = ["'", "\""].iter().find_map(|quote| {
            let quoted = format!("{quote}{key}{quote}");
            text.find(&quoted).map(|at| at + quoted.len())
        })?;
        Some(text[at..].trim_start().strip_prefix(':')?.trim_start())
    };
    let descr = value("descr")?;
    let descr = match descr.chars().next()? {
        quote @ ('\'' | '"') => descr[1..].split(quote).next()?.to_owned(),
        // A list of fields.
        '[' => descr.split(']').next()?.to_owned() + "]",
        _ => return None,
    };
    let order = value("fortran_order")?;
    let fortran_order = match (order.starts_with("True"), order.starts_with("False")) {
        (true, _) => true,
        (_, true) => false,
        _ => return None,
    };
    let inside = value("shape")?.strip_prefix('(')?.split(')').next()?;
    let lengths =
        inside.split(',').map(|length| length.trim().trim_end_matches('L')).filter(|length| !length.is_empty());
    let shape = lengths.map(|length| length.parse().ok()).collect::<Option<Vec<usize>>>()?;
    Some(Header { descr, fortran_order, shape, offset })
}

fn kind_of(header: &Header) -> Result<Kind, NpyProblem> {
    let descr = header.descr.clone();
    let name = descr.trim_start_matches(['<', '>', '|', '=']);
    let Some(kind) = Kind::parse(name) else {
        return Err(NpyProblem::Kind { descr });
    };
    let is_big = descr.starts_with('>') || (descr.starts_with('=') && cfg!(target_endian = "big"));
    if is_big && kind.bytes() > 1 {
        return Err(NpyProblem::BigEndian { descr });
    }
    // Along a single axis both orders are one.
    if header.fortran_order && header.shape.iter().filter(|&&length| length > 1).count() > 1 {
        return Err(NpyProblem::FortranOrder);
    }
    Ok(kind)
}

impl Mapped {
    /// How many values are at hand.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The file's name.
    pub(super) fn name(&self) -> &str {
        &self.npy.name
    }

    /// Some of the file's values, in a mapping of their own: with it their memory is given back.
    pub(super) fn part(&self, values: Range<usize>) -> Result<Self, DataError> {
        Ok(Self { npy: Arc::clone(&self.npy), map: self.npy.map(&values)?, values })
    }

    fn raw(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], |map| map)
    }

    /// The value at a place among those at hand.
    pub(super) fn value(&self, place: usize) -> f64 {
        let bytes = self.raw();
        macro_rules! number {
            ($t:ty) => {{
                const SIZE: usize = size_of::<$t>();
                let at = place * SIZE;
                let mut element = [0; SIZE];
                element.copy_from_slice(&bytes[at..at + SIZE]);
                <$t>::from_le_bytes(element)
            }};
        }
        match self.npy.kind {
            Kind::F4 => number!(f32).into(),
            Kind::F8 => number!(f64),
            Kind::I1 => number!(i8).into(),
            Kind::I2 => number!(i16).into(),
            Kind::I4 => number!(i32).into(),
            // Beyond 2^53 the nearest f64.
            Kind::I8 => number!(i64) as f64,
            Kind::U1 => number!(u8).into(),
            Kind::U2 => number!(u16).into(),
            Kind::U4 => number!(u32).into(),
            Kind::U8 => number!(u64) as f64,
        }
    }

    /// The values at hand as they lie, where they are f32.
    pub(super) fn as_f32(&self) -> Option<&[f32]> {
        (self.npy.kind == Kind::F4 && cfg!(target_endian = "little"))
            .then(|| bytemuck::try_cast_slice(self.raw()).ok())?
    }

    /// The same where they are f64.
    pub(super) fn as_f64(&self) -> Option<&[f64]> {
        (self.npy.kind == Kind::F8 && cfg!(target_endian = "little"))
            .then(|| bytemuck::try_cast_slice(self.raw()).ok())?
    }

    /// Whether every value is finite because the file holds integers.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self.npy.kind, Kind::F4 | Kind::F8)
    }

    /// Hands the bytes of all values to `add`, without holding more than a piece of them.
    pub(super) fn bytes(&self, add: &mut dyn FnMut(&[u8])) {
        add(format!("{:?}", self.npy.kind).as_bytes());
        for start in self.values.clone().step_by(PIECE / 8) {
            let piece = start..(start + PIECE / 8).min(self.values.end);
            // What is mapped already serves where a mapping of its own is refused.
            match self.part(piece.clone()) {
                Ok(part) => add(part.raw()),
                Err(_) => {
                    let size = self.npy.kind.bytes();
                    let first = (piece.start - self.values.start) * size;
                    add(&self.raw()[first..first + piece.len() * size]);
                }
            }
        }
    }
}
