//! Data files as users have them: the forms that are read, and the one line that names what is wrong.

use std::io::Write;

use natgrad::data::{Data, DataError};

fn read(text: &[u8]) -> Result<Data, DataError> {
    Data::from_reader("a.csv", text)
}

fn refusal(text: &[u8]) -> String {
    let message = read(text).expect_err("a refusal").to_string();
    assert!(!message.contains('\n'), "{message:?}");
    message
}

/// The line of each row of `text`, which has columns x and y.
fn lines(text: &str) -> Vec<u64> {
    let data = read(text.as_bytes()).expect("a readable file");
    let bound = data.bind(&["x"]).expect("numbers");
    (0..bound.rows()).map(|row| bound.line(row)).collect()
}

#[test]
fn a_file_is_read_from_its_path() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"x,y\n1,2\n3,4\n").unwrap();
    let data = Data::read_csv(file.path()).unwrap();
    assert_eq!(data.column_names(), ["x", "y"]);
    assert_eq!(data.rows(), 2);
    assert_eq!(data.bind(&["x"]).unwrap().response, [2.0, 4.0]);
}

#[test]
fn a_missing_file_is_named() {
    let message = Data::read_csv("no/such/file.csv").unwrap_err().to_string();
    assert!(message.starts_with("cannot open no/such/file.csv: "), "{message}");
}

#[test]
fn a_directory_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let message = Data::read_csv(folder.path()).unwrap_err().to_string();
    assert!(message.starts_with("cannot "), "{message}");
}

#[test]
fn byte_order_mark_crlf_quotes_and_blanks_are_no_hindrance() {
    let text = "\u{feff}\"x\", y \r\n\"1\", 2 \r\n3,\"4\"\r\n";
    let bound = read(text.as_bytes()).unwrap().bind(&["x"]).unwrap();
    assert_eq!(bound.inputs, [[1.0, 3.0]]);
    assert_eq!(bound.response, [2.0, 4.0]);
}

#[test]
fn line_numbers_count_what_an_editor_counts() {
    let text = "# heading\nx,y,note\n1,2,a\n\n3,4,b\n# between\n\n5,6,\"two\nlines\"\n7,8,c";
    for text in [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}\n")] {
        assert_eq!(lines(&text), [3, 5, 8, 10], "{text:?}");
    }
}

#[test]
fn a_ragged_row_is_named_with_its_counts() {
    let start = "a.csv, line 4: number of fields is 3, but the header names 2 columns";
    for text in ["x,y\n1,2\n\n3,4,5\n", "x,y\r\n1,2\r\n\r\n3,4,5\r\n"] {
        let message = refusal(text.as_bytes());
        assert!(message.starts_with(start), "{message}");
    }
    assert!(refusal(b"x,y\n1\n").starts_with("a.csv, line 2: number of fields is 1, but the header names 2 columns"));
}

#[test]
fn a_file_without_a_header_is_refused() {
    assert!(refusal(b"").contains("no header row: it is empty"));
    assert!(refusal(b"# only a comment\n").contains("no header row: it is empty"));
    assert!(refusal(b"1,2\n3,4\n").contains("no header row: its first row begins with \"1\""));
}

#[test]
fn a_header_alone_has_no_rows() {
    assert!(refusal(b"x,y\n").contains("a.csv has no rows of data"));
}

#[test]
fn columns_of_one_name_are_refused() {
    assert_eq!(refusal(b"x,y,x\n1,2,3\n"), "a.csv has two columns named \"x\"; rename one of them");
}

#[test]
fn other_separators_and_encodings_are_recognised() {
    assert!(refusal(b"x;y\n1;2\n").contains("not separated by commas"));
    assert!(refusal(b"x\ty\n1\t2\n").contains("not separated by commas"));
    assert!(refusal(b"x,y\n1,2\n3,\xe9\n").starts_with("a.csv, line 3: not UTF-8"));
}

#[test]
fn a_cell_of_any_length_or_content_leaves_the_message_on_one_line() {
    let long = "word ".repeat(1000);
    for cell in [long.as_str(), "two\nlines", "tab\tand\u{1b}[31m escape"] {
        let data = read(format!("x,y\n1,2\n3,\"{cell}\"\n").as_bytes()).unwrap();
        let message = data.bind(&["x"]).unwrap_err().to_string();
        assert!(message.len() < 250 && !message.contains(['\n', '\u{1b}']), "{message:?}");
        assert!(message.starts_with("a.csv, line 3, column \"y\": "), "{message}");
    }
}
