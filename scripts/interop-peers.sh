#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Makes the other ends of the interoperation tests ready: fetches the programs, builds the drivers of the libraries.
# What the archive does not have leaves its reason in $OUT/peers, for the test to skip.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root check
rm -rf "$OUT/peers"
mkdir -p "$OUT/peers"
for name in nginx haproxy quic-go; do
	status=0
	"$TOP/scripts/peers.sh" $name >"$OUT/peers/$name.skip" || status=$?
	cat "$OUT/peers/$name.skip"
	case $status in
	0) rm "$OUT/peers/$name.skip" ;;
	77) ;;
	*) exit $status ;;
	esac
done
if [ "$TOP/tools/testing/interop/openssl_peer.c" -nt "$OUT/openssl_peer" ]; then
	in_root gcc-14 -O1 -Wall -o "$OUT/openssl_peer" "$TOP/tools/testing/interop/openssl_peer.c" -lssl -lcrypto
fi
CARGO_TARGET_DIR=$OUT/target run_logged quinn-peer 'Is the crate registry there? The log says what is missing.' \
	in_root -w "$TOP/tools/testing/interop/quinn_peer" cargo build --release --locked
