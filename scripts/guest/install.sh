#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: make install on the running system (layers over /usr and /etc, so that the root folder stays as it is),
# programs built against what was installed and nothing else, which load the module by their first socket, the daemon
# and the pages, make uninstall. Prints TAP.
# shellcheck disable=SC2317 # functions are called through step()
set -uo pipefail
. "$(dirname "$0")/lib.sh"
DIR=/tmp/install
# Layers of /usr and /etc alone: one of the whole root would meet this checkout, which the host has mounted into it, and
# virtiofs does not let a layer look below such a place (EREMOTE).
LAYERS=(usr etc)
modprobe overlay
for dir in "${LAYERS[@]}"; do
	mkdir -p "$DIR/upper/$dir" "$DIR/work/$dir"
	mount -t overlay -o "lowerdir=/$dir,upperdir=$DIR/upper/$dir,workdir=$DIR/work/$dir" overlay "/$dir" || exit 1
done
# The scripts' cache, as set-up would have left it: what it knows of the kernel, and what was built for this checkout.
export QUIC_CACHE=$DIR/cache
mkdir -p "$QUIC_CACHE/build/${OUT##*/}"
mount --bind "$OUT" "$QUIC_CACHE/build/${OUT##*/}"
uname -r >$QUIC_CACHE/kernel-release

# files: what is there besides the system itself, apart from what depmod and ldconfig write anew.
files() {
	(cd "$DIR/upper" && find "${LAYERS[@]}" \( -type f -o -type l \) -printf '/%p %y\n') |
		grep -vE '/modules\.[a-z.]* f$|/ld.so.cache f$' | sort
}
# step SENTENCE CMD…: the command succeeds
step() {
	local what=$1 status=0
	shift
	"$@" >$DIR/log 2>&1 || status=1
	result "$status" "$what" $DIR/log
}
sums() { files | sed -n 's/ f$//p' | xargs sha256sum; }
listed() { files | grep "^/$1 "; }
is_loaded() { grep '^quic ' /proc/modules; }
not() { ! "$@"; }
in_program() { (cd "$DIR/program" && "$@"); }
# The first socket of the program loads the module.
tour() { ! is_loaded && in_program ./tour keys.psk && is_loaded; }
# shellcheck disable=SC2046 # words
compile() { in_program cc -Wall -Werror "$1.c" $(pkg-config --cflags --libs libquic) -o "$1"; }
pages() {
	local page
	for page in "$TOP"/Documentation/man/*.[1-9]; do
		mandoc -T lint -W warning "/usr/share/man/man${page##*.}/${page##*/}" || return 1
	done
}

step 'make install on the running system' make -s -C "$TOP" install
for file in usr/bin/quic usr/sbin/quic-handshaked usr/lib/x86_64-linux-gnu/libquic.so.1.0.0 usr/include/linux/quic.h \
	usr/include/netinet/quic.h usr/lib/systemd/system/quic-handshaked.service etc/quic-handshaked.conf \
	usr/share/man/man7/quic.7 usr/share/man/man8/quic-handshaked.8; do
	step "/$file is there" listed "$file"
done
step 'the module is found by its name' modprobe --dry-run quic
mkdir $DIR/program
cp "$TOP"/tools/lib/quic/examples/c/*.c $DIR/program/
for name in server client tour; do step "a C program compiles by pkg-config alone: $name.c" compile $name; done
printf 'me:000102030405060708090a0b0c0d0e0f\n' >$DIR/program/keys.psk
step 'and runs with the installed library; its first socket loads the installed module' tour
step 'the command runs' quic --version
timeout 100 quic-handshaked -v >$DIR/daemon 2>&1 &
daemon=$!
step 'the daemon runs with the configuration installed' wait_for 60 grep -q 'waiting for requests' $DIR/daemon
kill "$daemon"
wait "$daemon"
step 'the unit starts what was installed' grep -qx 'ExecStart=/usr/sbin/quic-handshaked' \
	/usr/lib/systemd/system/quic-handshaked.service
step 'the pages are what mandoc expects' pages
sums >$DIR/installed
step 'installing again' make -s -C "$TOP" install
sums >$DIR/again
step 'changes nothing' diff $DIR/installed $DIR/again
step 'the module can be removed after use' unload_module
echo '# mine' >>/etc/quic-handshaked.conf
step 'make uninstall' make -s -C "$TOP" uninstall
files >$DIR/left
printf '/etc/quic-handshaked.conf f\n' >$DIR/expected
step 'leaves only the configuration that was changed' diff $DIR/expected $DIR/left
step 'and the module is not found any more' not modprobe --dry-run quic
step 'make install DESTDIR=…' make -s -C "$TOP" install DESTDIR=$DIR/destination
step 'has all in that folder' test -x $DIR/destination/usr/sbin/quic-handshaked
step 'and nothing elsewhere' diff <(files) $DIR/left
step 'make uninstall DESTDIR=…' make -s -C "$TOP" uninstall DESTDIR=$DIR/destination
step 'leaves no file there' test -z "$(find $DIR/destination -type f -o -type l)"
status=0
kernel_log_clean >$DIR/dmesg 2>&1 || status=1
result "$status" 'the kernel log has no warning' $DIR/dmesg
echo "1..$N"
exit "$BAD"
