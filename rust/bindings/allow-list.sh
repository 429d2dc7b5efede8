#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# allow-list.sh SOURCES
#
# Prints the bindgen arguments that let in every C name which the Rust files below SOURCES call for,
# that is, what follows `bindings::`. A name that a C helper provides is not looked for elsewhere.
set -eu
export LC_ALL=C

helpers=$(mktemp)
trap 'rm -f "$helpers"' EXIT
grep -hoE 'quic_helper_[A-Za-z0-9_]+' "$1"/helpers/*.c | sed 's/^quic_helper_//' | sort -u >"$helpers"

find "$1" -name '*.rs' -exec grep -hoE 'bindings::[A-Za-z_][A-Za-z0-9_]*' {} + |
	sed 's/^bindings:://' |
	sort -u |
	comm -23 - "$helpers" |
	sh "$(dirname "$0")/join.sh" --allowlist-item
