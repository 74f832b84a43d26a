//! Standard output and standard error.

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

use super::failure::Failure;

/// Writes results to standard output. A closed pipe (`natgrad … | head`) ends the writing silently; any other failure,
/// such as a full disk behind a redirection, is told.
pub(super) fn results(
    write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut writer = BufWriter::new(io::stdout().lock());
    let result = write(&mut writer).and_then(|()| writer.flush());
    if result.is_err() {
        // What is still buffered would be tried once more on drop.
        drop(writer.into_parts());
    }
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            Err(Failure::request("cannot write the results: the disk is full; free some space"))
        }
        Err(error) => Err(Failure::request(format!("cannot write the results: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// A line for the user on standard error; nobody may be listening.
pub(super) fn note(message: &str) {
    let _ = writeln!(io::stderr(), "natgrad: {}", one_line(message));
}

/// Names from files may hold line breaks; a message is one line.
fn one_line(message: &str) -> String {
    message.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        assert_eq!(super::one_line("no column \"a\nb\"\r\n"), "no column \"a b\"");
    }
}
