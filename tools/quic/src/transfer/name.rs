// SPDX-License-Identifier: GPL-2.0
//! Names of received files. The sender chooses them, so nothing in them is believed.

use super::wire::MAX_NAME;

/// Checks that a name stands for a file directly in the receiver's directory, and that showing it
/// does not steer a terminal. Returns the reason of a refusal.
///
/// A name is refused instead of repaired: two names repaired to the same one would replace each
/// other, and a sender that means well does not send such names.
pub fn sanitise(name: &str) -> Result<&str, &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > MAX_NAME {
        return Err("it is too long");
    }
    if name.contains(['/', '\\']) {
        return Err("it contains a directory");
    }
    if name == "." || name == ".." {
        return Err("it stands for a directory");
    }
    if name.starts_with('.') {
        return Err("it begins with a dot: hidden files may configure programs");
    }
    if name.starts_with('-') {
        return Err("it begins with a minus: commands would take it for an option");
    }
    if name.starts_with('~') {
        return Err("it begins with a tilde: shells would take it for a home directory");
    }
    if name.chars().any(is_deceptive) {
        return Err("it contains control characters");
    }
    if name.trim() != name {
        return Err("it begins or ends with a space");
    }
    Ok(name)
}

/// Characters that move the cursor or turn the direction of writing around.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || c == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn names_by_table() {
        for name in [
            "a",
            "film.mkv",
            "two words.txt",
            "übersicht.pdf",
            "日本語",
            "a..b",
            "a-b~c",
            "con",
            "x.",
        ] {
            assert_eq!(sanitise(name), Ok(name));
        }
        for name in [
            "",
            ".",
            "..",
            "../x",
            "/etc/passwd",
            "a/b",
            "a/",
            "..\\x",
            "C:\\x",
            ".bashrc",
            "...",
            "-rf",
            "~root",
            "a\0b",
            "a\nb",
            "a\x1b[2Jb",
            "a\u{7f}b",
            "a\u{85}b",
            "txt.\u{202e}gpj",
            "a\u{200b}b",
            " a",
            "a ",
            "\u{a0}a",
        ] {
            assert!(sanitise(name).is_err(), "{name:?}");
        }
        assert!(sanitise(&"x".repeat(255)).is_ok());
        assert!(sanitise(&"x".repeat(256)).is_err());
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_one_plain_component(name in "[./\\\\a~\\- \\x00-\\x1f]{0,8}") {
            if let Ok(name) = sanitise(&name) {
                let components: Vec<_> = Path::new(name).components().collect();
                prop_assert!(matches!(components[..], [Component::Normal(one)] if one == name));
            }
        }
    }
}
