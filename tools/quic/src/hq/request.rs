// SPDX-License-Identifier: GPL-2.0
//! Requests and the files they stand for.

use std::{
    io::{
        self,
        Read, //
    },
    path::{
        Path,
        PathBuf, //
    },
};

/// Longest request read.
const MAX_REQUEST: usize = 8192;

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is not `GET /path`.
    Request,
    /// It asks for something outside the directory.
    Outside,
    /// There is no such file.
    Missing,
}

/// The line that asks for a path.
pub fn encode(path: &str) -> String {
    format!("GET {path}\r\n")
}

/// Reads a request up to its line end or the end of the stream, and returns the path.
pub fn read(from: &mut impl Read) -> io::Result<Result<String, Bad>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MAX_REQUEST {
        match from.read(&mut byte) {
            Ok(0) => return Ok(parse(&line)),
            Ok(_) if byte == *b"\n" => return Ok(parse(&line)),
            Ok(_) => line.extend_from_slice(&byte),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(Err(Bad::Request))
}

fn parse(line: &[u8]) -> Result<String, Bad> {
    let line = std::str::from_utf8(line).map_err(|_| Bad::Request)?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let path = line.strip_prefix("GET ").ok_or(Bad::Request)?;
    if !path.starts_with('/') || path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Bad::Request);
    }
    let path = path.split(['?', '#']).next().unwrap_or(path);
    decode_percent(path).ok_or(Bad::Request)
}

/// Replaces %XX. `None` if that is malformed, not UTF-8, or a NUL.
fn decode_percent(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out)
        .ok()
        .filter(|path| !path.contains('\0'))
}

/// Finds the file in `root`, which must be canonical. `/` and directories stand for their
/// `index.html`.
pub fn locate(root: &Path, path: &str) -> Result<PathBuf, Bad> {
    let mut found = root.to_path_buf();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == "." || part == ".." {
            return Err(Bad::Outside);
        }
        found.push(part);
    }
    if found.is_dir() {
        found.push("index.html");
    }
    // Resolves symbolic links, which must not lead out either.
    let found = found.canonicalize().map_err(|_| Bad::Missing)?;
    if !found.starts_with(root) {
        return Err(Bad::Outside);
    }
    match found.is_file() {
        true => Ok(found),
        false => Err(Bad::Missing),
    }
}

/// Name under which a path is stored by a client: its last part.
pub fn file_name(path: &str) -> Option<String> {
    let path = path.split(['?', '#']).next()?;
    let last = path.rsplit('/').next().filter(|last| !last.is_empty());
    let name = decode_percent(last.unwrap_or("index.html"))?;
    let plain = !name.contains('/') && name != "." && name != "..";
    (plain && !name.chars().any(char::is_control)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn requests_by_table() {
        for (bytes, want) in [
            ("GET /\r\n", Ok("/")),
            ("GET /a/b.txt\r\n", Ok("/a/b.txt")),
            ("GET /a\n", Ok("/a")),
            ("GET /a", Ok("/a")),
            ("GET /a\r\nmore", Ok("/a")),
            ("GET /a?x=1\r\n", Ok("/a")),
            ("GET /a%20b%C3%A9\r\n", Ok("/a bé")),
            ("GET a\r\n", Err(Bad::Request)),
            ("get /a\r\n", Err(Bad::Request)),
            ("POST /a\r\n", Err(Bad::Request)),
            ("GET /a HTTP/1.1\r\n", Err(Bad::Request)),
            ("GET /%\r\n", Err(Bad::Request)),
            ("GET /%2\r\n", Err(Bad::Request)),
            ("GET /%+1\r\n", Err(Bad::Request)),
            ("GET /%00\r\n", Err(Bad::Request)),
            ("GET /%ff\r\n", Err(Bad::Request)),
            ("", Err(Bad::Request)),
            ("\r\n", Err(Bad::Request)),
        ] {
            let got = read(&mut bytes.as_bytes()).unwrap();
            assert_eq!(got, want.map(String::from), "{bytes:?}");
        }
        let long = format!("GET /{}\r\n", "x".repeat(MAX_REQUEST));
        assert_eq!(read(&mut long.as_bytes()).unwrap(), Err(Bad::Request));
    }

    #[test]
    fn only_files_inside_the_directory_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("a"), "").unwrap();
        fs::write(root.join("sub/index.html"), "").unwrap();
        fs::write(root.parent().unwrap().join("secret"), "").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
        std::os::unix::fs::symlink("a", root.join("in")).unwrap();
        for (path, want) in [
            ("/a", Ok("a")),
            ("//a", Ok("a")),
            ("/in", Ok("a")),
            ("/sub", Ok("sub/index.html")),
            ("/sub/", Ok("sub/index.html")),
            ("/", Err(Bad::Missing)),
            ("/b", Err(Bad::Missing)),
            ("/a/b", Err(Bad::Missing)),
            ("/../secret", Err(Bad::Outside)),
            ("/sub/../a", Err(Bad::Outside)),
            ("/out", Err(Bad::Outside)),
        ] {
            assert_eq!(
                locate(&root, path),
                want.map(|file| root.join(file)),
                "{path}"
            );
        }
    }

    #[test]
    fn names_for_storing_by_table() {
        for (path, want) in [
            ("/a/b.txt", Some("b.txt")),
            ("/", Some("index.html")),
            ("/a/", Some("index.html")),
            ("/a?b/c", Some("a")),
            ("/a%20b", Some("a b")),
            ("/..", None),
            ("/a/%2e%2e", None),
            ("/%2fetc%2fpasswd", None),
            ("/a%0ab", None),
        ] {
            assert_eq!(file_name(path).as_deref(), want, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = read(&mut &bytes[..]);
        }

        #[test]
        fn a_plain_path_is_read_back(path in "(/[a-z0-9._-]{1,8}){1,4}") {
            let got = read(&mut encode(&path).as_bytes()).unwrap();
            prop_assert_eq!(got, Ok(path));
        }
    }
}
