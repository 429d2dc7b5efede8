// SPDX-License-Identifier: LGPL-2.1-or-later
//! Gives the shared library its name, as libtool's 1:0:0 would.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libquic.so.1");
}
