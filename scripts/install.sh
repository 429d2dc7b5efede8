#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Installs module, commands, library, headers, man pages and the handshake daemon's unit on this machine, or removes
# them again (install.sh uninstall). DESTDIR=/folder does either there instead (for a package): then nothing is
# checked against, or done to, the running system.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root install
dest=${DESTDIR:-}
lib=/usr/lib/x86_64-linux-gnu
krel=$(kernel_release)
release=$OUT/target/release

# each DO: calls DO MODE SOURCE TARGET for all files, with MODE "link" for symbolic links.
each() {
	local do=$1 page
	"$do" 644 "$OUT/module/quic.ko" "/lib/modules/$krel/updates/quic.ko"
	"$do" 755 "$release/quic" /usr/bin/quic
	"$do" 755 "$release/quic-handshaked" /usr/sbin/quic-handshaked
	"$do" 755 "$release/libquic.so" "$lib/libquic.so.1.0.0"
	"$do" link libquic.so.1.0.0 "$lib/libquic.so.1"
	"$do" link libquic.so.1 "$lib/libquic.so"
	"$do" 644 "$OUT/libquic.pc" "$lib/pkgconfig/libquic.pc"
	"$do" 644 "$TOP/include/uapi/linux/quic.h" /usr/include/linux/quic.h
	"$do" 644 "$TOP/tools/lib/quic/include/netinet/quic.h" /usr/include/netinet/quic.h
	"$do" 644 "$TOP/tools/handshaked/quic-handshaked.service" /usr/lib/systemd/system/quic-handshaked.service
	"$do" config "$TOP/tools/handshaked/quic-handshaked.conf" /etc/quic-handshaked.conf
	for page in "$TOP"/Documentation/man/*.[1-9]; do
		"$do" 644 "$page" "/usr/share/man/man${page##*.}/$(basename "$page")"
	done
}

put() {
	local mode=$1 from=$2 to=$dest$3
	case $mode in
	link) mkdir -p "$(dirname "$to")"; ln -sf "$from" "$to" ;;
	# What the administrator has written stays.
	config) [ -e "$to" ] || install -D -m 644 "$from" "$to" ;;
	*) install -D -m "$mode" "$from" "$to" ;;
	esac
	note "$to"
}

remove() {
	local mode=$1 from=$2 to=$dest$3
	if [ "$mode" = config ] && [ -e "$to" ] && ! cmp -s "$from" "$to"; then
		note "$to stays: it was changed"
		return
	fi
	rm -f "$to"
	# The folder too, if it was made for this.
	case $to in */updates/*) rmdir "$(dirname "$to")" 2>/dev/null || true ;; esac
}

check() {
	[ -e "$OUT/module/quic.ko" ] || die "quic.ko has not been built" "Run: make modules tools, then make install again"
	[ -x "$release/quic-handshaked" ] || die "the tools have not been built" "Run: make modules tools, then make install again"
	[ -z "$dest" ] || return 0
	[ "$(uname -r)" = "$krel" ] || die "quic.ko was built for Linux $krel, and this machine runs $(uname -r)" \
		"Install and boot that kernel (README.md, \"Installing on your own machine\")," \
		"or build for your own: make modules KDIR=/lib/modules/$(uname -r)/build (a kernel with CONFIG_RUST=y)"
	# The tools were linked in the toolchain root: an older C library cannot run them.
	"$release/quic" --version >/dev/null 2>&1 || die "the command quic does not run on this release" \
		"Debian 13 or newer is needed for the built tools; elsewhere: cargo build --release in tools/"
}

# Tells the system what has changed.
settle() {
	[ -z "$dest" ] || return 0
	ldconfig
	depmod "$krel"
	if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
}

if [ "${1:-}" = uninstall ]; then
	say "Removing"
	if [ -z "$dest" ] && [ -d /run/systemd/system ]; then
		systemctl disable --now quic-handshaked.service 2>/dev/null || true
	fi
	each remove
	settle
	good "Removed. A module that is loaded stays until: rmmod quic"
	exit
fi
check
say "Installing"
sed -e "s|@prefix@|/usr|g" -e "s|@libdir@|$lib|g" -e "s|@includedir@|/usr/include|g" \
	"$TOP/tools/lib/quic/libquic.pc.in" >"$OUT/libquic.pc"
each put
settle
if [ -z "$dest" ]; then
	good "Installed. The first socket(AF_INET, SOCK_STREAM, IPPROTO_QUIC) loads the module."
	note "For file systems and drivers that use QUIC: systemctl enable --now quic-handshaked"
fi
