/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the QUIC selftests share: sockets with addresses for a family, waiting
 * for events under a time limit that scales with the machine's speed, a
 * handshake without TLS, and a byte pattern for transfers.
 *
 * Functions return a value >= 0 or a negative errno and never print; the test
 * that calls them says what it expected.
 */
#ifndef QUIC_KSFT_H
#define QUIC_KSFT_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <linux/quic.h>

/* TLS_CIPHER_* of <linux/tls.h>, which cannot be included beside libc's. */
#define QK_AES_GCM_128		51
#define QK_AES_GCM_256		52
#define QK_AES_CCM_128		53
#define QK_CHACHA20_POLY1305	54

/* Stream ids of the four kinds, number n counted from 0. */
#define QK_CLIENT_BIDI(n)	((__s64)(n) * 4)
#define QK_SERVER_BIDI(n)	((__s64)(n) * 4 + 1)
#define QK_CLIENT_UNI(n)	((__s64)(n) * 4 + 2)
#define QK_SERVER_UNI(n)	((__s64)(n) * 4 + 3)

#define QK_MAX_PARAMS		512	/* largest TRANSPORT_PARAM_EXT value */
#define QK_INITIAL		1200	/* smallest datagram with an Initial packet */

/* Address family under test; the third is IPv4 through an IPv6 socket. */
enum qk_family {
	QK_V4,
	QK_V6,
	QK_MAPPED,
};

/* What one recvmsg() call returned. */
enum qk_kind {
	QK_STREAM,
	QK_DATAGRAM,
	QK_EVENT,
	QK_HANDSHAKE,
	QK_OTHER,
};

struct qk_item {
	enum qk_kind kind;
	ssize_t len;		/* bytes, as returned by recvmsg() */
	int msg_flags;
	__s64 stream_id;
	__u32 stream_flags;
	__u8 level;		/* of a handshake message */
	int cmsgs;		/* control messages seen */
};

/* How to make a connection; zero everywhere gives IPv4, SOCK_DGRAM, AES-128. */
struct qk_opts {
	enum qk_family family;
	int type;
	__u32 cipher;
	const char *alpn;
	const struct quic_transport_param *client_param;
	const struct quic_transport_param *server_param;
	const struct quic_config *client_config;
	const struct quic_config *server_config;
	__u32 client_events;	/* bit n enables event n */
	__u32 server_events;
};

/* The limits of net.quic.quic_mem as they were. */
struct qk_limits {
	int fd;
	char text[128];
};

struct qk_pair {
	int listener;
	int client;
	int server;
};

/* quic_ksft.c: environment and sockets */
unsigned int qk_scale(void);
int qk_wait_ms(void);
__s64 qk_now_ms(void);
int qk_test_seconds(void);
int qk_setup(void);
int qk_link(const char *name, bool up);
int qk_limits_open(struct qk_limits *l);
bool qk_limits_set(const struct qk_limits *l, unsigned int bytes);
bool qk_limits_end(struct qk_limits *l);
__s64 qk_value(const char *path, const char *name);
__s64 qk_snmp(const char *name);
long qk_protocol(const char *name, int column);
bool qk_sockets_go(enum qk_family family, long sockets);
bool qk_listed(const char *file, const char *text);
int qk_udp(enum qk_family family);
int qk_socket(enum qk_family family, int type);
socklen_t qk_address(struct sockaddr_storage *ss, int family, const char *text, __u16 port);
socklen_t qk_loopback(struct sockaddr_storage *ss, enum qk_family family, __u16 port);
__u16 qk_port(int fd);
int qk_bind_loopback(int fd, enum qk_family family);
int qk_listen_at(const struct qk_opts *opts, __u16 port);
int qk_listen(const struct qk_opts *opts);
int qk_connect(const struct qk_opts *opts, __u16 port);
int qk_apply(int fd, const struct qk_opts *opts, bool server);
int qk_accept(int listener);
void qk_close(int *fd);

/* quic_ksft.c: options; the result is 0 or -errno */
int qk_set(int fd, int opt, const void *val, socklen_t len);
int qk_get(int fd, int opt, void *val, socklen_t *len);
int qk_set_int(int fd, int level, int opt, int val);
int qk_get_int(int fd, int level, int opt);
int qk_event(int fd, __u8 type, __u8 on);
int qk_events(int fd, __u32 mask);

/* quic_io.c: messages */
void qk_cmsg(struct msghdr *msg, int type, const void *data, size_t len);
int qk_queued(int fd, unsigned long request);
int qk_wait(int fd, short events);
ssize_t qk_send(int fd, __s64 id, __u32 stream_flags, const void *buf, size_t len, int flags);
ssize_t qk_recv(int fd, struct qk_item *it, void *buf, size_t len, int flags);
ssize_t qk_next(int fd, struct qk_item *it, void *buf, size_t len);
int qk_next_event(int fd, __u8 type, union quic_event *ev);
int qk_stream_state(int fd, __s64 id, __u8 state, struct quic_stream_update *up);
int qk_open(int fd, __s64 *id, __u32 flags);
bool qk_quiet(int fd);
void qk_unreadable(__u8 packet[QK_INITIAL], __u32 id);
ssize_t qk_initial(const struct qk_opts *opts, __u8 *buf, size_t size);

/* quic_tls.c: a handshake with dummy messages and fixed secrets */
ssize_t qk_hs_send(int fd, __u8 level, const void *buf, size_t len, int flags);
int qk_hs_recv(int fd, __u8 level, void *buf, size_t len);
int qk_secret(int fd, __u8 level, bool send, bool from_server, __u32 cipher);
int qk_give_params(int from, int to);
size_t qk_client_hello(int fd, const char *alpn, __u8 *buf, size_t size);
int qk_hs_hello(struct qk_pair *p, const struct qk_opts *opts);
size_t qk_client_hello_for(int fd, const char *alpn, const char *server, size_t padding,
			   __u8 *buf, size_t size);
int qk_hs_client(const struct qk_opts *opts, __u16 port, size_t padding, size_t *len);
int qk_hs_start(struct qk_pair *p, const struct qk_opts *opts);
int qk_hs_finish(struct qk_pair *p, __u32 cipher);
int qk_pair_open(struct qk_pair *p, const struct qk_opts *opts);
void qk_pair_close(struct qk_pair *p);

/* quic_flow.c: transfers of a known pattern */
struct qk_flow {
	int from;
	int to;
	__s64 id;
	size_t size;
	__u64 seed;
	bool opened;		/* the stream exists, no NEW with the first bytes */
	size_t sent;
	size_t received;
	bool sent_all;
	bool received_all;
};

void qk_pattern(__u8 *buf, size_t len, __u64 seed, __u64 offset);
int qk_flow_run(struct qk_flow *flows, size_t count);

/* Most tests need a limit of their own; the expression is read at start-up. */
#define QUIC_TEST_F(fixture, name) \
	TEST_F_TIMEOUT(fixture, name, qk_test_seconds())

/* The argument of a function that works on a fixture. */
#define QUIC_SELF(fixture) \
	struct _test_data_##fixture *self

#endif /* QUIC_KSFT_H */
