#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# peers.sh NAME: fetches a program of others that only tests need, with what it depends on, from Debian's archive
# into a folder of its own. It is unpacked, not installed: the versions that different programs want exclude one
# another, and the root folder must not change by them. The guest lays the folder over its /usr (peer_overlay in
# guest/lib.sh). Ends with 77 and the reason when the archive does not have it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/stage.sh"
need_root check

read -r _ SUITE RELEASE _ < <(supported)
# The oldest version that serves, where it matters.
OLDEST=''
# The program of ours that is built with it.
DRIVER=/dev/null
NAME=${1:-}
case $NAME in
samba) FROM=$SUITE PACKAGES='samba smbclient' OLDEST=4.23 ;; # SMB over QUIC came with 4.23
nginx) FROM=$RELEASE PACKAGES=nginx-light ;;
haproxy) FROM=$RELEASE PACKAGES=haproxy ;;
quic-go)
	FROM=$RELEASE PACKAGES='golang-go golang-github-lucas-clemente-quic-go-dev'
	DRIVER=$TOP/tools/testing/interop/quic_go_peer.go
	;;
*) die "usage: scripts/peers.sh samba | nginx | haproxy | quic-go" ;;
esac
FOLDER=$ROOT$PEERS/$NAME
DEBS=$PEERS/$NAME.debs

skip() {
	echo "$*"
	exit 77
}

available() {
	local package version
	for package in $PACKAGES; do
		version=$(candidate "$package" -t "$FROM") || skip "Debian's archive has no $package at present"
		[ -z "$OLDEST" ] || in_root dpkg --compare-versions "${version#*:}" ge "$OLDEST" ||
			skip "Debian's $FROM has $package $version at present: $OLDEST or newer is needed"
	done
}

download() {
	rm -rf "${ROOT:?}$DEBS"
	mkdir -p "$ROOT$DEBS/partial"
	# shellcheck disable=SC2086 # a list of words
	in_root apt-get install -q -y --download-only --no-install-recommends \
		-o Dir::Cache::archives="$DEBS" -t "$FROM" $PACKAGES
}

# quic-go is a library, and with its compiler it is large: only the driver that is built with it is kept.
build_quic_go() {
	local folder=$PEERS/$NAME.partial
	in_root env GOROOT="$folder/usr/lib/go" GOPATH="$folder/usr/share/gocode" GO111MODULE=off GOFLAGS=-p=2 \
		GOCACHE="$folder/cache" CGO_ENABLED=0 "$folder/usr/lib/go/bin/go" build -o "$folder/driver" "$DRIVER" || return 1
	rm -rf "$FOLDER.partial"/{usr,etc,var,cache}
	mkdir -p "$FOLDER.partial/usr/bin"
	mv "$FOLDER.partial/driver" "$FOLDER.partial/usr/bin/quic_go_peer"
}

unpack() {
	rm -rf "$FOLDER.partial" "$FOLDER"
	mkdir -p "$FOLDER.partial"
	# shellcheck disable=SC2016 # the inner shell expands them
	in_root bash -euc 'for deb in "$1"/*.deb; do dpkg-deb -x "$deb" "$2"; done' bash "$DEBS" "$PEERS/$NAME.partial"
}

# Runs with set -e switched off, as run_logged calls it.
fetch() {
	# The lists of the last set-up may name versions that the archive has replaced since.
	download || { in_root apt-get update && download; } || return 1
	unpack || return 1
	[ "$NAME" != quic-go ] || build_quic_go || return 1
	rm -rf "${ROOT:?}$DEBS"
	printf '%s\n' "$PRINT" >"$FOLDER.partial/fetched"
	mv "$FOLDER.partial" "$FOLDER"
}

# What is fetched depends on what the root folder has already: when that changed, it is fetched again.
PRINT=$(printf '%s' "$RELEASE $FROM $PACKAGES" "$(cat "$STAMPS/toolchain" "$DRIVER")" | sha256sum)
[ "$(cat "$FOLDER/fetched" 2>/dev/null)" != "$PRINT" ] || exit 0
lock_setup
available
say "Fetching $PACKAGES from Debian $FROM"
run_logged "peer-$NAME" "Is the network there? Then run it again." fetch
