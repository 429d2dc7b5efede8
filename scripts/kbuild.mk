# SPDX-License-Identifier: GPL-2.0
#
# Builds quic.ko. Included by the top-level Makefile.
#
#   make modules                  for the kernel of the toolchain root (scripts/setup.sh made it)
#   make modules KDIR=/path       for a kernel of one's own: configured, CONFIG_RUST=y, built
#   make modules CLIPPY=1         with clippy, every warning an error
#   make modules MO=/path         objects there; the checkout itself stays clean in any case

quic-paths = $(shell bash -c '. scripts/lib.sh && echo "$$ROOT $$OUT $$KTREES/$$(cat $$CACHE/kernel-release 2>/dev/null)"')
QUIC_ROOT ?= $(word 1,$(quic-paths))
QUIC_KDIR ?= $(word 3,$(quic-paths))

# A kernel of the user's own is built with the user's tools, ours inside its toolchain root.
ifdef KDIR
kbuild-run :=
kbuild-kdir := $(KDIR)
kbuild-config := $(KDIR)/.config
else
kbuild-run := scripts/root-run.sh
kbuild-kdir := $(QUIC_KDIR)
kbuild-config = $(QUIC_ROOT)$(QUIC_KDIR)/.config
endif

ifdef KDIR
MO ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/linux-quic/module$(if $(CLIPPY),-clippy)
else
MO ?= $(word 2,$(quic-paths))/module$(if $(CLIPPY),-clippy)
endif

# The module must be compiled by the compiler that made the kernel.
kbuild-cc = $(shell sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ "]*\).*/\1/p' $(kbuild-config) 2>/dev/null)
# Clang's text may begin with the distribution's name.
kbuild-clang = $(shell grep -x CONFIG_CC_IS_CLANG=y $(kbuild-config) 2>/dev/null)
kbuild-llvm = $(if $(kbuild-clang),LLVM=1,$(addprefix CC=,$(kbuild-cc)))

KBUILD_MAKE = $(kbuild-run) $(MAKE) -C $(kbuild-kdir) M=$(CURDIR) MO=$(MO) $(kbuild-llvm) \
	$(if $(CLIPPY),CLIPPY=1 KRUSTFLAGS=-Dwarnings)

.PHONY: modules modules_clean test-module
modules:
ifdef KDIR
	@test -f $(KDIR)/rust/libkernel.rmeta || { \
		echo "error: $(KDIR) has no Rust metadata (rust/libkernel.rmeta)" >&2; \
		echo "       It must be a configured tree with CONFIG_RUST=y: make modules_prepare there" >&2; \
		exit 1; }
endif
	@mkdir -p $(MO)
	+$(KBUILD_MAKE) modules
ifndef CLIPPY
	@$(kbuild-run) scripts/panic-calls.sh $(MO)/net/quic/main.o scripts/panic-ceiling
endif

# The test of include/linux/quic.h: a module that uses QUIC sockets.
test-module:
	@mkdir -p $(MO)-test
	+$(kbuild-run) $(MAKE) -s -C $(kbuild-kdir) M=$(CURDIR)/tools/testing/selftests/net/quic/module \
		MO=$(MO)-test $(kbuild-llvm) KBUILD_EXTRA_SYMBOLS=$(MO)/Module.symvers modules

modules_clean:
	+$(KBUILD_MAKE) clean
