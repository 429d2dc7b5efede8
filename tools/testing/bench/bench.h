/* SPDX-License-Identifier: GPL-2.0 */
#ifndef QUIC_BENCH_H
#define QUIC_BENCH_H

/* The two ends of one connection, in one process until the test forks. */
struct pair {
	int client;
	int server;
};

/* bench_quic.c: fixed secrets, stream 0 open and active on both sides */
void quic_pair(struct pair *p);
void fail(const char *what);

#endif
