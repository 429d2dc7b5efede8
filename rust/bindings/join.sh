#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# join.sh OPTION
#
# Turns the names on the standard input into a few bindgen arguments, each OPTION with a regular
# expression of many names: thousands of options take bindgen minutes.
set -eu
export LC_ALL=C

xargs -n 400 | sed -e "s/ /|/g" -e "s/.*/$1 (&)/"
