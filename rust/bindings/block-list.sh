#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# block-list.sh BINDINGS OWN
#
# Prints the bindgen arguments that leave out every type which the kernel crate's BINDINGS define
# completely. Types that are opaque there (no fields) and those named in OWN are generated anew. So
# are plain names for integers: bindgen takes what it does not see for something that cannot be
# copied, and a union of such things is no Rust union.
set -eu
export LC_ALL=C

awk -v own="$2" '
BEGIN {
	while ((getline line < own) > 0)
		if (line !~ /^(#|$)/)
			keep[line] = 1
}
/^pub (struct|union) / {
	name = $3
	sub(/[^A-Za-z0-9_].*/, "", name)
	pending = name
	next
}
# An opaque type has one single field of length zero.
pending != "" {
	if ($0 !~ /^    _unused: \[u8; 0\],/)
		print pending
	pending = ""
}
' "$1" | grep -Ev '^(_bindgen_ty_[0-9]+|__BindgenBitfieldUnit|__IncompleteArrayField|__BindgenUnionField)$' |
	awk -v own="$2" '
BEGIN {
	while ((getline line < own) > 0)
		keep[line] = 1
}
!($1 in keep)
' |
	sh "$(dirname "$0")/join.sh" --blocklist-type
