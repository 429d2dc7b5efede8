#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The inner half of in_root (lib.sh): runs in a new mount namespace, binds what the toolchain root
# needs from the machine, and becomes the command. ROOT, TOP, OUT and QUIC_DIR come from lib.sh.
set -eu

bind() { # bind SOURCE TARGET, unless something is mounted there already
	mkdir -p "$2"
	mountpoint -q "$2" || mount --bind "$1" "$2"
}

mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
mountpoint -q "$ROOT/sys" || mount --rbind /sys "$ROOT/sys"
mountpoint -q "$ROOT/dev" || mount --rbind /dev "$ROOT/dev"
# A checkout that lies in an already bound folder needs no mount of its own.
[ "$TOP" -ef "$ROOT$TOP" ] || bind "$TOP" "$ROOT$TOP"
[ "$OUT" -ef "$ROOT$OUT" ] || bind "$OUT" "$ROOT$OUT"

# A registry mirror that the user set up for cargo holds inside the root too.
cargo_conf=${CARGO_HOME:-${HOME:-/root}/.cargo}/config.toml
if [ -f "$cargo_conf" ]; then
	mkdir -p "$ROOT/root/.cargo"
	cp "$cargo_conf" "$ROOT/root/.cargo/config.toml"
fi

keep=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY TERM CI \
	QUIC_ACCEL QUIC_SEED SIM_SEED SIM_SEEDS CARGO_TARGET_DIR RUSTFLAGS; do
	[ -n "${!name:-}" ] && keep+=("$name=${!name}")
done
exec chroot "$ROOT" /usr/bin/env -i -C "$QUIC_DIR" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec \
	"${keep[@]}" "$@"
