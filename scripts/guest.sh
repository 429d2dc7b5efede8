#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# guest.sh COMMAND…: boots the stock kernel in a virtual machine whose root is the toolchain root with this
# checkout in it, runs COMMAND there as root (bash -c), shows its output, and ends with its exit status.
# Environment: QUIC_TIMEOUT seconds (900), QUIC_CPUS (2), QUIC_MEMORY (1536M), QUIC_ACCEL (kvm or tcg),
# QUIC_ICOUNT=1 (one CPU, the guest's clock counts executed instructions), QUIC_DMESG file for the kernel's log,
# QUIC_DEBUG=1 (the debug kernel, from a disk image: scripts/debug), QUIC_COPY folders that its programs are in.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root check
[ $# -gt 0 ] || die "usage: scripts/guest.sh COMMAND…"

RUN=$(mkdir -p "$ROOT/var/lib/linux-quic/run" && mktemp -d "$ROOT/var/lib/linux-quic/run/XXXXXX")
INNER=${RUN#"$ROOT"}
trap 'rm -rf "$RUN"' EXIT
printf '%s\n' "$*" >"$RUN/command"
printf '%s\n' "$TOP" >"$RUN/dir"

accel=${QUIC_ACCEL:-$(cat "$CACHE/accel" 2>/dev/null || echo tcg)}
cpus=${QUIC_CPUS:-2}
machine=(-accel "$accel")
[ "$accel" = tcg ] && machine=(-accel "tcg,thread=multi")
if [ -n "${QUIC_ICOUNT:-}" ]; then
	cpus=1
	machine=(-accel tcg -icount "shift=0,sleep=off")
fi

kernel=/usr/lib/modules/$(kernel_release)/vmlinuz memory=${QUIC_MEMORY:-1536M}
root="root=ROOTFS rootfstype=virtiofs rw init=$TOP/scripts/guest/init"
disk="-chardev socket,id=fs,path=$INNER/fs.sock -device vhost-user-fs-pci,chardev=fs,tag=ROOTFS"
serve="virtiofsd --shared-dir / --socket-path $INNER/fs.sock --sandbox none --cache always >$INNER/fs.log 2>&1 &
for i in \$(seq 200); do [ -S $INNER/fs.sock ] && break; sleep 0.05; done"
if [ -n "${QUIC_DEBUG:-}" ]; then
	tree=$("$TOP/scripts/debug/kernel.sh" --where) || die "the debug kernel has not been built" "Run: make check-debug"
	image=$("$TOP/scripts/debug/image.sh")
	kernel=$tree/arch/x86/boot/bzImage memory=${QUIC_MEMORY:-3072M}
	root="root=/dev/vda rootfstype=erofs ro init=/usr/local/lib/linux-quic/init guest.top=$TOP"
	disk="-drive file=$image,format=raw,if=virtio,readonly=on"
	disk="$disk -virtfs local,path=/,mount_tag=share,security_model=none,multidevs=remap"
	serve=
	for path in ${QUIC_COPY:-}; do echo "${path#/}"; done >"$RUN/copy"
fi

cat >"$RUN/start" <<START
set -eu
cd /
$serve
exec qemu-system-x86_64 -machine q35 ${machine[*]} -cpu max -smp $cpus -m $memory \\
  -object memory-backend-memfd,id=mem,size=$memory,share=on -machine memory-backend=mem \\
  -kernel $kernel $disk \\
  -append "$root console=ttyS0 quiet loglevel=5 oops=panic panic=-1 panic_on_warn=0 guest.run=$INNER mitigations=off" \\
  -chardev stdio,id=out,signal=off -device virtio-serial-pci -device virtconsole,chardev=out \\
  -serial file:$INNER/serial -display none -no-reboot -nic none -device virtio-rng-pci
START

# boot: one start of the machine, to its end
boot() {
	status=0
	# shellcheck disable=SC2016 # the inner shell expands them
	timeout --foreground -k 5 "${QUIC_TIMEOUT:-900}" \
		bash -c '. "$1"; in_root bash "$2"' bash "$TOP/scripts/lib.sh" "$INNER/start" </dev/null || status=$?
}
boot
# Emulation on several threads has a race in which QEMU ends itself by an assertion (iotlb_to_section, when a device's
# window is being moved, that is at boot). No guest can cause or notice it: as long as COMMAND has not begun, once more.
for again in 1 2; do
	if [ "$status" != 134 ] || [ -e "$RUN/began" ]; then break; fi
	echo "QEMU aborted while the guest was booting; starting it again ($again of 2)" >&2
	rm -f "$RUN/fs.sock"
	boot
done
[ -n "${QUIC_DMESG:-}" ] && cp "$RUN/dmesg" "$QUIC_DMESG" 2>/dev/null
if [ -f "$RUN/status" ]; then exit "$(cat "$RUN/status")"; fi

# The command never ended: say why as well as it can be known.
tail -n 40 "$RUN/serial" >&2 2>/dev/null || true
if [ "$status" = 124 ]; then
	die "the guest did not finish within ${QUIC_TIMEOUT:-900} s" \
		"A slow machine may need more: QUIC_TIMEOUT=3600 make …; what it printed last is above"
fi
cat "$RUN/fs.log" >&2 2>/dev/null || true
die "the guest stopped before its command ended (status $status): the kernel's last words are above" \
	"A crash in quic.ko is a bug: please report it with these lines"
