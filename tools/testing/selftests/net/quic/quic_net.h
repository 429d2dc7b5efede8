/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connections between two network namespaces with a router in between, which
 * quic_net.sh makes.  One process holds both ends: it changes its namespace to
 * make the sockets of either.
 *
 * Functions return a value >= 0 or a negative errno, as those of quic_ksft.h.
 */
#ifndef QUIC_NET_H
#define QUIC_NET_H

#include "quic_ksft.h"

/* The server's port, the same for every test; quic_net.sh is told the client's. */
#define QN_SERVER_PORT	4433
#define QN_CLIENT_PORT	4000

enum qn_side {
	QN_CLIENT,
	QN_SERVER,
};

/* Packets at the router since the last qn("count reset"), by sender. */
struct qn_count {
	__s64 ect0;
	__s64 other;
};

int qn_setup(void);
int qn_enter(enum qn_side side);
int qn(const char *verb);
__s64 qn_snmp(enum qn_side side, const char *name);
int qn_count(enum qn_side side, struct qn_count *count);
socklen_t qn_addr(struct sockaddr_storage *ss, enum qn_side side, enum qk_family family,
		  int host, __u16 port);
int qn_listen(const struct qk_opts *opts);
int qn_connect(const struct qk_opts *opts);
int qn_hs_start(struct qk_pair *p, const struct qk_opts *opts);
int qn_pair_open(struct qk_pair *p, const struct qk_opts *opts);
int qn_transfer(struct qk_pair *p, __s64 id, bool to_server, size_t size);
int qn_echo(struct qk_pair *p, const char *text);
int qn_migrate(int fd, enum qn_side side, enum qk_family family, int host, __u16 port);
int qn_migrated(int fd);
int qn_info(int fd, struct quic_info *info);
int qn_name(int fd, bool peer, char *buf, size_t size);
int qn_await(int fd, bool (*done)(const struct quic_info *info, __u64 arg), __u64 arg);

#endif /* QUIC_NET_H */
