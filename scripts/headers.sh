#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The installed headers compile without a warning in every standard of C and C++ that programs use, alone and before
# or behind the system's headers that have a part of the same.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root check
dir=$OUT/headers
mkdir -p "$dir/include/linux" "$dir/include/netinet"
cp "$TOP/include/uapi/linux/quic.h" "$dir/include/linux/"
cp "$TOP/tools/lib/quic/include/netinet/quic.h" "$dir/include/netinet/"

# Program number N of the list below: these headers, and something of each kind that they define.
n=0
program() {
	n=$((n + 1))
	printf '#include <%s>\n' "$@" >"$dir/$n.c"
	cat >>"$dir/$n.c" <<-'PROGRAM'
		int values(void);
		int values(void)
		{
			struct quic_config config;
			union quic_event event;

			return IPPROTO_QUIC + SOL_QUIC + QUIC_SOCKOPT_INFO + MSG_QUIC_STREAM_FIN + QUIC_EVENT_MAX
				+ (int)sizeof(config) + (int)sizeof(event);
		}
	PROGRAM
	cp "$dir/$n.c" "$dir/$n.cc"
}
rm -f "$dir"/*.c "$dir"/*.cc
for header in linux/quic.h netinet/quic.h; do
	program $header
	program $header $header
	for other in netinet/in.h linux/in.h linux/tls.h sys/socket.h; do
		program $other $header
		program $header $other
	done
done
program linux/quic.h netinet/quic.h
program netinet/quic.h linux/quic.h

# compiles COMPILER SUFFIX STANDARD…: all programs in all standards
compiles() {
	local compiler=$1 suffix=$2 std
	shift 2
	for std in "$@"; do
		in_root -w "$dir" sh -c "$compiler -std=$std -Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only *.$suffix" ||
			die "the headers do not compile with $compiler -std=$std" "Read the message above"
		note "$compiler -std=$std: $n programs"
	done
}
compiles gcc-14 c gnu89 c99 gnu99 c11 gnu11 c17 gnu17 gnu23
compiles g++ cc c++11 c++14 c++17 c++20 gnu++20
