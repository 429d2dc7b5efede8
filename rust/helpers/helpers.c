// SPDX-License-Identifier: GPL-2.0
/*
 * C inline functions and macros, made callable from Rust. One file per
 * subsystem, included here: bindgen reads them through this file (so a helper
 * needs no prototype of its own) and the compiler turns it into one object.
 * Nothing here decides anything; a helper forwards its arguments.
 */

#include "crypto.c"
#include "kernel.c"
#include "mm.c"
#include "module.c"
#include "net.c"
#include "sync.c"
