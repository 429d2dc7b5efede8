// SPDX-License-Identifier: GPL-2.0

#include <linux/module.h>

/*
 * The drivers that make AES-GCM fast are loaded by the alias that they have in
 * common; without one of them the library does the work.
 */
MODULE_SOFTDEP("pre: crypto-aes");
