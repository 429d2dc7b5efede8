# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts that set something up: what the archive has, and one set-up at a time.
# shellcheck shell=bash

# The supported kernels, best first: series, suite, release, compiler.
supported() { grep -v '^#' "$TOP/scripts/supported-kernels"; }

# candidate PACKAGE [APT-OPTIONS…]: the version that would be installed; fails when there is none.
candidate() { in_root apt-cache policy "${@:2}" "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '(none)'; }

# Two set-ups never run at the same time: the second one waits.
lock_setup() {
	exec 9>"$CACHE/lock"
	flock -n 9 || { note "another set-up is running: waiting for it"; flock 9; }
}
unlock_setup() { exec 9>&-; }
