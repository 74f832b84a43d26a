//! NPY files made by hand, after the format's own description (numpy.lib.format).

/// A file of version 1.0 with this header text and these bytes of elements.
pub(crate) fn file(header: &str, elements: &[u8]) -> Vec<u8> {
    versioned(1, header, elements)
}

/// The header ends in a line break and is padded so that the elements begin at a multiple of 64.
pub(crate) fn versioned(version: u8, header: &str, elements: &[u8]) -> Vec<u8> {
    let before = if version == 1 { 10 } else { 12 };
    let length = (before + header.len() + 1).next_multiple_of(64) - before;
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    if version == 1 {
        bytes.extend((length as u16).to_le_bytes());
    } else {
        bytes.extend((length as u32).to_le_bytes());
    }
    bytes.extend(header.bytes());
    bytes.resize(before + length - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(elements);
    bytes
}

/// The header's text as numpy writes it.
pub(crate) fn header(descr: &str, fortran_order: bool, shape: &[usize]) -> String {
    let order = if fortran_order { "True" } else { "False" };
    let mut lengths = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    if shape.len() == 1 {
        lengths.push(',');
    }
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({lengths}), }}")
}

/// An array of f32 in row-major order.
pub(crate) fn of_f32(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let elements: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    file(&header("<f4", false, shape), &elements)
}

/// An array of f64 in row-major order.
pub(crate) fn of_f64(shape: &[usize], values: &[f64]) -> Vec<u8> {
    let elements: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    file(&header("<f8", false, shape), &elements)
}
