#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Sets up all that building and testing need, outside the checkout: a Debian root folder with the
# kernel's own toolchain, the newest supported kernel, its Rust metadata, and the guest's tools.
# Each stage leaves a stamp: a second run, or one after an interruption, goes on where it was.
# setup.sh debug: also what the debug kernel is built and run with (make check-debug).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/stage.sh"

# The files that say what a stage installs: when they change, the stage runs again.
TOOLCHAIN="build-essential gcc-14 rustc cargo rust-src rustfmt rust-clippy bindgen libclang-dev bc bison
 flex libelf-dev libssl-dev cpio xz-utils zstd kmod pahole python3 pkg-config libgnutls28-dev gnutls-bin openssl
 ca-certificates perl-base git"
GUEST_TOOLS="qemu-system-x86 virtiofsd iproute2 iputils-ping procps tcpdump tshark ethtool nftables
 shellcheck mandoc keyutils python3-aioquic busybox-static util-linux netcat-openbsd jq file strace"
DEBUG_TOOLS="clang lld llvm erofs-utils"

SERIES='' SUITE='' RELEASE='' COMPILER='' VERSION=''

stage() { # stage NAME FINGERPRINT MESSAGE: true when the stage has to run
	STAGE=$1 PRINT=$2
	if [ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]; then return 1; fi
	say "$3"
}
stage_done() { printf '%s\n' "$PRINT" >"$STAMPS/$STAGE"; }

host_packages() {
	local missing=()
	command -v debootstrap >/dev/null || missing+=(debootstrap)
	command -v unshare >/dev/null || missing+=(util-linux)
	[ ${#missing[@]} = 0 ] && return
	say "Installing on this machine: ${missing[*]}"
	run_logged host-packages "Is the network there? Try: apt-get update && apt-get install ${missing[*]}" \
		sh -c 'apt-get update -q && apt-get install -q -y "$@"' sh "${missing[@]}"
}

# The Debian mirror this machine uses itself, so that a local mirror or a proxy is honoured.
mirror() {
	local site
	# shellcheck disable=SC2016 # apt's own format
	site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
		grep -v security | head -n 1)
	printf '%s\n' "$site"
}

make_root() {
	local site
	stage root "$RELEASE" "Unpacking Debian $RELEASE into $ROOT (about 40 s)" || return 0
	rm -rf "$ROOT.partial"
	site=$(mirror)
	# shellcheck disable=SC2086 # no mirror means debootstrap's own default: no argument at all
	run_logged debootstrap "Is the network there, and room on the disk of $CACHE (6 GB)? Then run it again." \
		debootstrap --variant=minbase --include=ca-certificates "$RELEASE" "$ROOT.partial" $site
	rm -rf "$ROOT"
	mv "$ROOT.partial" "$ROOT"
	stage_done
}

make_sources() {
	local line
	stage sources "$SUITE" "Reading the package lists of $RELEASE and $SUITE" || return 0
	line=$(grep -m1 "^deb .* $RELEASE main" "$ROOT/etc/apt/sources.list")
	printf '%s\n%s\n' "$line" "${line/ $RELEASE main/ $SUITE main}" >"$ROOT/etc/apt/sources.list"
	printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAcquire::Retries "3";\n' \
		>"$ROOT/etc/apt/apt.conf.d/90linux-quic"
	run_logged apt-update "Is the network there? Then run it again." in_root apt-get update
	stage_done
}

# Certificate authorities that were added on this machine (a proxy's, a mirror's) hold in the root too.
trust_authorities() {
	local own=/usr/local/share/ca-certificates print
	print=$(cat "$own"/*.crt 2>/dev/null | sha256sum)
	stage authorities "$print" "Trusting the certificate authorities of this machine" || return 0
	mkdir -p "$ROOT$own"
	rm -f "$ROOT$own"/*.crt
	cp "$own"/*.crt "$ROOT$own/" 2>/dev/null || true
	run_logged authorities "Look at the certificates in $own" in_root update-ca-certificates --fresh
	stage_done
}

install_toolchain() {
	stage toolchain "$(printf '%s' "$TOOLCHAIN $GUEST_TOOLS" | sha256sum)" \
		"Installing the toolchain and the guest's tools in the root folder (about 80 s)" || return 0
	# shellcheck disable=SC2086 # lists of words
	run_logged toolchain "Run it again; if it fails again: rm $STAMPS/sources, and again" \
		in_root apt-get install -q -y $TOOLCHAIN $GUEST_TOOLS
	stage_done
}

# Rust under KASAN needs a kernel built by clang; the rest boots it from an image.
install_debug_tools() {
	stage debug-tools "$(printf '%s' "$DEBUG_TOOLS" | sha256sum)" \
		"Installing the tools of the debug kernel in the root folder (about 60 s)" || return 0
	# shellcheck disable=SC2086 # a list of words
	run_logged debug-tools "Run it again; if it fails again: rm $STAMPS/sources, and again" \
		in_root apt-get install -q -y $DEBUG_TOOLS
	stage_done
}

# Finds the newest kernel of a supported series whose source and binaries the archive has in one
# version: sets SERIES, COMPILER, VERSION and KREL.
choose_kernel() {
	local line upstream
	KREL=''
	while read -r SERIES SUITE RELEASE COMPILER; do
		VERSION=$(candidate "linux-source-$SERIES") || continue
		upstream=${VERSION%%-*}
		for KREL in $(in_root apt-cache search --names-only "^linux-headers-$upstream.*-cloud-amd64\$" | cut -d' ' -f1); do
			KREL=${KREL#linux-headers-}
			if [ "$(candidate "linux-headers-$KREL")" = "$VERSION" ] &&
				[ -n "$(candidate "linux-binary-$KREL")" ]; then return 0; fi
		done
		KREL=''
	done < <(supported)
	line=$(supported | cut -d' ' -f1 | paste -sd' ')
	die "Debian's archive has no Rust-enabled kernel of a supported series ($line) at present" \
		"Look what it has: in $ROOT: apt-cache search linux-headers- ; the supported series are in" \
		"scripts/supported-kernels: a newer one may just work when added there." \
		"For a kernel of your own: make modules KDIR=/path/to/a/prepared/kernel/tree"
}

install_kernel() {
	stage kernel "$(supported | sha256sum)" "Choosing and installing the kernel" || return 0
	choose_kernel
	note "Linux $KREL, package version $VERSION"
	run_logged kernel "Run it again; the archive may have moved on: rm $STAMPS/sources, and again" \
		in_root apt-get install -q -y "linux-headers-$KREL" "linux-binary-$KREL" "linux-modules-$KREL" "linux-source-$SERIES"
	printf '%s\n' "$KREL" >"$CACHE/kernel-release"
	printf '%s %s\n' "$SERIES" "$COMPILER" >"$CACHE/kernel-build"
	stage_done
}

# The headers package has no Rust metadata (libkernel.rmeta …): it is made from the kernel's source
# with the kernel's own configuration and compiler, without building a kernel.
make_metadata() {
	KREL=$(kernel_release)
	stage metadata "$KREL" "Making the kernel's Rust metadata (1 to 3 minutes)" || return 0
	read -r SERIES COMPILER <"$CACHE/kernel-build"
	run_logged metadata "Run it again; if it fails again: rm -r $ROOT$KTREES, and again" \
		in_root bash scripts/kernel-tree.sh "$KREL" "$SERIES" "$COMPILER"
	stage_done
}

# KVM is used where it really boots this kernel: the file /dev/kvm alone proves nothing.
try_kvm() {
	stage accel "$(kernel_release) $(uname -r)" "Trying whether KVM boots the kernel here" || return 0
	if [ -w /dev/kvm ] && QUIC_ACCEL=kvm QUIC_TIMEOUT=25 "$TOP/scripts/guest.sh" true >"$LOGS/kvm.log" 2>&1
	then echo kvm >"$CACHE/accel"; note "it does"
	else echo tcg >"$CACHE/accel"; note "it does not: the guest runs by emulation"; fi
	stage_done
}

main() {
	need_root setup
	[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] ||
		die "set-up knows Debian on amd64 only" "Elsewhere: make modules KDIR=… with a Rust-enabled kernel tree"
	read -r SERIES SUITE RELEASE COMPILER < <(supported)
	mkdir -p "$CACHE" "$STAMPS" "$LOGS"
	lock_setup
	host_packages
	make_root
	trust_authorities
	make_sources
	install_toolchain
	install_kernel
	make_metadata
	[ "${1:-}" = debug ] && install_debug_tools
	unlock_setup
	try_kvm
}
main "$@"
