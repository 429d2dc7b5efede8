#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The house rules that a machine can check. Prints TAP: one line per rule.
# shellcheck disable=SC2317 # the rules are called through rule()
set -uo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 1
N=0 BAD=0

rule() { # rule SENTENCE CMD…: the command prints what is wrong, or nothing
	local what=$1 found status=0
	shift
	N=$((N + 1))
	found=$("$@" 2>&1) || status=$?
	if [ -z "$found" ] && [ "$status" = 0 ]; then
		echo "ok $N - $what"
	else
		BAD=1
		echo "not ok $N - $what"
		printf '%s\n' "$found" | head -n 40 | sed 's/^/# /'
	fi
}

tracked() { git ls-files --cached --others --exclude-standard -- "$@"; }
core_files() { tracked 'net/quic/*.rs' 'net/quic/**/*.rs'; }
module_files() { tracked 'net/quic/*.rs' 'rust/*.rs'; }

format() {
	local list
	mapfile -t list < <(tracked '*.rs')
	in_root rustfmt --check --edition 2021 --config-path "$TOP" -l "${list[@]}" 2>/dev/null
	return 0
}
shell() {
	local list
	mapfile -t list < <(tracked '*.sh' '.ci/run' 'scripts/guest/init')
	in_root shellcheck -x -P scripts "${list[@]}"
}
checkpatch() {
	local list tree
	mapfile -t list < <(tracked '*.c' '*.h' | grep -E '^(rust|include|net|tools/testing)/' )
	[ ${#list[@]} = 0 ] && return 0
	tree=$(kernel_tree)
	in_root perl "$tree/scripts/checkpatch.pl" --root="$tree" --no-tree --no-summary --terse --strict \
		--ignore FILE_PATH_CHANGES,SPDX_LICENSE_TAG,LINUX_VERSION_CODE,CAMELCASE,PREFER_DEFINED_ATTRIBUTE_MACRO \
		--max-line-length=100 -f "${list[@]}"
	return 0
}
kernel_doc() {
	in_root "$(kernel_tree)/tools/docs/kernel-doc" -none -Wall include/uapi/linux/quic.h
}
man_pages() {
	local list
	mapfile -t list < <(tracked 'Documentation/man/*')
	in_root mandoc -T lint -W warning "${list[@]}"
}
unsafe_outside() {
	module_files | grep -v '^rust/' | xargs -r grep -nE '\bunsafe\b' |
		grep -vE 'forbid\(unsafe_code\)|^[^:]*:[0-9]*: *//'
	return 0
}
forbids() { core_files | grep -vE '^net/quic/main.rs$|tests' | xargs -r grep -L 'forbid(unsafe_code)'; return 0; }
safety() { # as many reasons as unsafe blocks
	local file blocks reasons
	for file in $(tracked 'rust/*.rs' 'rust/**/*.rs'); do
		blocks=$(grep -cE '\bunsafe (\{|impl)' "$file")
		reasons=$(grep -cE '// SAFETY:' "$file")
		[ "$reasons" -lt "$blocks" ] && echo "$file: $blocks unsafe blocks, $reasons reasons"
	done
	return 0
}
unfinished() {
	module_files | xargs -r grep -nE '\b(todo!|unimplemented!)|SAFETY: TODO|\b(XXX|FIXME)\b'
	return 0
}
licence() { tracked '*.rs' '*.c' '*.h' '*.sh' '*.py' | xargs -r grep -L 'SPDX-License-Identifier:'; return 0; }
long_files() { module_files | xargs -r wc -l | awk '$2 != "total" && $1 > 500 {print $2 ": " $1 " lines"}'; }

rule 'Rust is formatted by rustfmt' format
rule 'shell scripts pass shellcheck' shell
rule 'C passes checkpatch' checkpatch
rule 'the socket interface is documented field by field' kernel_doc
rule 'man pages pass mandoc' man_pages
rule 'there is no unsafe outside rust/' unsafe_outside
rule 'every other file of the module forbids unsafe code' forbids
rule 'every unsafe block in rust/ has its reason' safety
rule 'nothing is left unfinished' unfinished
rule 'every file names its licence' licence
rule 'no file of the module is over 500 lines' long_files
echo "1..$N"
exit "$BAD"
