#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: make install on the running system (a layer over it, so that the root folder stays as it is), programs
# built against what was installed and nothing else, the daemon and the pages, make uninstall. Prints TAP.
# shellcheck disable=SC2317 # functions are called through step()
set -uo pipefail
. "$(dirname "$0")/lib.sh"
DIR=/tmp/install
LAYER=$DIR/root
mkdir -p $DIR/data $LAYER
install_module
modprobe overlay
umount /lib/modules
mount -t tmpfs layer $DIR/data
mkdir $DIR/data/upper $DIR/data/work
mount -t overlay -o "lowerdir=/,upperdir=$DIR/data/upper,workdir=$DIR/data/work" overlay $LAYER
for dir in proc sys dev tmp run; do mount --rbind /$dir $LAYER/$dir; done
inside() { chroot $LAYER /usr/bin/env -C "${WHERE:-/}" PATH="$PATH" HOME=/root "$@"; }
# What set-up knows of the kernel, which is not in the guest.
mkdir -p $LAYER/var/cache/linux-quic
uname -r >$LAYER/var/cache/linux-quic/kernel-release

# files: what is there besides the system itself, apart from what depmod and ldconfig write anew.
files() {
	(cd $DIR/data/upper && find . \( -type f -o -type l \) -printf '%p %y\n') |
		grep -vE '^\./(tmp|proc|var/cache)/|modules\.[a-z.]* f$|/ld.so.cache f$' | sort
}
# step SENTENCE CMD…: the command succeeds
step() {
	local what=$1 status=0
	shift
	"$@" >$DIR/log 2>&1 || status=1
	result "$status" "$what" $DIR/log
}
listed() { files >"$DIR/files" && grep -q "^\./$1 " "$DIR/files"; }

step 'make install on the running system' inside make -s -C "$TOP" install
for file in usr/bin/quic usr/sbin/quic-handshaked usr/lib/x86_64-linux-gnu/libquic.so.1.0.0 usr/include/linux/quic.h \
	usr/include/netinet/quic.h usr/lib/systemd/system/quic-handshaked.service etc/quic-handshaked.conf \
	usr/share/man/man7/quic.7 usr/share/man/man8/quic-handshaked.8; do
	step "/$file is there" listed "$file"
done
step 'the module is found by its name' inside modprobe quic
mkdir $LAYER/root/program
cp "$TOP"/tools/lib/quic/examples/c/*.c $LAYER/root/program/
for name in server client tour; do
	# shellcheck disable=SC2016 # the inner shell expands it
	WHERE=/root/program step "a C program compiles by pkg-config alone: $name.c" \
		inside sh -c 'cc -Wall -Werror "$0.c" $(pkg-config --cflags --libs libquic) -o "$0"' $name
done
printf 'me:000102030405060708090a0b0c0d0e0f\n' >$LAYER/root/program/keys.psk
WHERE=/root/program step 'and runs with the installed library' inside ./tour keys.psk
step 'the command runs' inside quic --version
chroot $LAYER /usr/bin/env PATH="$PATH" timeout 100 quic-handshaked -v >$DIR/daemon 2>&1 &
daemon=$!
step 'the daemon runs with the configuration installed' wait_for 20 grep -q 'waiting for requests' $DIR/daemon
kill "$daemon"
wait "$daemon"
step 'the unit starts what was installed' grep -qx 'ExecStart=/usr/sbin/quic-handshaked' \
	$LAYER/usr/lib/systemd/system/quic-handshaked.service
pages() {
	local page
	for page in "$LAYER"/usr/share/man/man*/*quic*; do mandoc -T lint -W warning "$page" || return 1; done
}
step 'the pages are what mandoc expects' pages
step 'installing again changes nothing' inside make -s -C "$TOP" install
rm -r $LAYER/root/program
inside rmmod quic
echo '# mine' >>$LAYER/etc/quic-handshaked.conf
step 'make uninstall' inside make -s -C "$TOP" uninstall
files >$DIR/left
printf './etc/quic-handshaked.conf f\n' >$DIR/expected
step 'leaves only the configuration that was changed' diff $DIR/expected $DIR/left
step 'make install DESTDIR=…' inside make -s -C "$TOP" install DESTDIR=/tmp/destination
step 'has all in that folder' test -x /tmp/destination/usr/sbin/quic-handshaked
step 'make uninstall DESTDIR=…' inside make -s -C "$TOP" uninstall DESTDIR=/tmp/destination
step 'leaves no file there' test -z "$(find /tmp/destination -type f -o -type l)"
umount -R $LAYER
status=0
kernel_log_clean >$DIR/dmesg 2>&1 || status=1
result "$status" 'the kernel log has no warning' $DIR/dmesg
echo "1..$N"
exit "$BAD"
