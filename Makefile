# SPDX-License-Identifier: GPL-2.0
#
# What a person calls; `make help` lists it. As root on Debian, everything that is missing is set up
# first, outside the checkout (in $QUIC_CACHE, /var/cache/linux-quic by default).

help:
	@echo 'make demo      a real file over in-kernel QUIC with TLS, in a guest, verified'
	@echo 'make check     all tests: host, guest, interoperation, style'
	@echo 'make check-debug  the guest tests on a kernel with KASAN, lockdep, kmemleak …, and fault injection'
	@echo 'make bench     TCP, kTLS and QUIC side by side, in instructions per byte'
	@echo 'make modules   quic.ko for the set-up kernel; KDIR=/path for one of your own'
	@echo 'make tools     the command quic and libquic'
	@echo 'make install   module, tools, library, headers and man pages on this machine'
	@echo 'make uninstall removes them again (both take DESTDIR=/folder)'
	@echo 'make setup     only what the others need: toolchain, kernel, guest'
	@echo 'make clean     remove what was built for this checkout'

setup:
	@scripts/setup.sh

# A kernel of the user's own needs no set-up.
ifndef KDIR
modules: setup
endif

include scripts/kbuild.mk

tools: setup
	@scripts/build-tools.sh

demo: setup
	@scripts/demo.sh

check: setup
	@scripts/check.sh

check-debug:
	@scripts/check-debug.sh

bench: setup
	@scripts/bench.sh

install:
	@scripts/install.sh

uninstall:
	@scripts/install.sh uninstall

clean:
	@scripts/clean.sh

.DEFAULT_GOAL := help
.PHONY: help setup tools demo check check-debug bench install uninstall clean
