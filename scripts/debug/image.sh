#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# image.sh: makes the debug guest's disk image, the toolchain root without its compilers, and prints its path
# inside the toolchain root. Made anew when the root's packages or the image's init have changed.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/../lib.sh"
need_root check-debug

# Contents only: the folders stay, as places to mount on.
LEFT_OUT='^(proc|sys|dev|run|tmp|mnt|root|home|boot|work|var/(cache|lib/apt|lib/linux-quic|log|tmp))/.
^usr/(src|include|libexec/gcc|lib/(gcc|rustlib|llvm-[0-9]+|modules|clang|python3/dist-packages/.*test)|share/(doc|man|locale|info|perl))/.
^usr/lib/x86_64-linux-gnu/(librustc|libLLVM|libclang|libasan|libtsan|liblsan|libhwasan|.*\.a$)
^usr/bin/(cargo|clippy|rust|ld\.|lto|gcc|g\+\+|cpp|x86_64-linux-gnu)'
print=$(cat "$ROOT/var/lib/dpkg/status" "$TOP/scripts/debug/init" <(echo "$LEFT_OUT") | sha256sum | cut -c1-12)
image=$KTREES/debug-image-$print
if [ ! -e "$ROOT$image" ]; then
	say "Making the debug guest's disk image (about 20 s)" >&2
	rm -f "$ROOT$KTREES"/debug-image-*
	mkdir -p "$ROOT/usr/local/lib/linux-quic"
	install -m 755 "$TOP/scripts/debug/init" "$ROOT/usr/local/lib/linux-quic/init"
	options=()
	while read -r pattern; do options+=("--exclude-regex=$pattern"); done <<<"$LEFT_OUT"
	# shellcheck disable=SC2016 # in_root's own shell expands them
	run_logged debug-image "Run it again; is there room on the disk of $CACHE (1 GB)?" in_root -w / \
		sh -c 'image=$1; shift; mkfs.erofs --quiet -x-1 "$@" "$image.partial" / && mv "$image.partial" "$image"' \
		sh "$image" "${options[@]}" >&2
fi
echo "$image"
