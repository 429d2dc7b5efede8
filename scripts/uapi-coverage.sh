#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# uapi-coverage.sh: checks Documentation/networking/quic-uapi-coverage.md. Every test that it names exists, and every
# option, event, flag of a message and bit of quic_info of the header is named in it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"
table=Documentation/networking/quic-uapi-coverage.md
header=include/uapi/linux/quic.h
bad=0
tests=0

problem() {
	echo "$table: $1" >&2
	bad=$((bad + 1))
}

# exists KIND NAME: whether there is a test of the name
exists() {
	case $1 in
	quic_*) grep -qE "^(QUIC_)?TEST(_F|_F_TIMEOUT)?\(([a-z_]+, )?$2[,)]" "tools/testing/selftests/net/quic/$1.c" ;;
	host) grep -rqE "fn $2\(" net/quic tools/testing/host --include=*.rs ;;
	lib) grep -rqE "fn $2\(" tools/lib/quic/tests --include=*.rs ;;
	scenarios) grep -qE "^scenario $2 " scripts/guest/scenarios.sh ;;
	*) return 1 ;;
	esac
}

names=$(grep -oE '\b(QUIC_SOCKOPT|QUIC_EVENT|QUIC_INFO|MSG_QUIC)_[A-Z0-9_]+' "$header" | sort -u |
	grep -vxE 'QUIC_EVENT_(NONE|MAX|END)|MSG_QUIC_STREAM_')
for name in $names; do
	grep -qE "\`$name\`" "$table" || problem "$name is not named"
done

rows=$(grep -E '^\| ' "$table" | grep -vc '^| statement ')
while read -r kind list; do
	for test in ${list//,/ }; do
		tests=$((tests + 1))
		exists "${kind%:}" "$test" || problem "there is no test $kind $test"
	done
done < <(awk -F' [|] ' '/^\| / { print $3 }' "$table" | tr ';' '\n' | sed -n 's/^ *\([a-z_]*: .*[a-z0-9]\).*$/\1/p')

[ "$tests" -gt 100 ] || problem "its rows cannot be read"
[ "$bad" = 0 ] || exit 1
echo "$rows statements, $tests tests named"
