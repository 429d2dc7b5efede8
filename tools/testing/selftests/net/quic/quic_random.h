/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random system calls against a model: what the parts of quic_random share.
 *
 * The model knows of every socket the set of states it may be in; a call may
 * end in any way that one of them allows (quic_random_model.c).  Everything is
 * drawn from one generator, so that a seed gives the same calls again.
 */
#ifndef QUIC_RANDOM_H
#define QUIC_RANDOM_H

#include "quic_ksft.h"

/* States of section 4 of the interface; FRESH and BOUND are CLOSED there. */
enum rd_state {
	RD_FRESH = 1 << 0,
	RD_BOUND = 1 << 1,
	RD_LISTENING = 1 << 2,
	RD_HANDSHAKE = 1 << 3,
	RD_ESTABLISHED = 1 << 4,
	RD_CLOSED = 1 << 5,	/* was connected, or its listening ended by shutdown() */
	RD_ANY = (1 << 6) - 1,
};

enum rd_op {
	RD_BIND,
	RD_LISTEN,
	RD_LISTEN_0,
	RD_CONNECT,
	RD_ACCEPT,
	RD_SEND,
	RD_RECV,
	RD_SHUTDOWN,
	RD_IOCTL,
	RD_NAME,
	RD_PEER,
	RD_SET,		/* with the number of the option */
	RD_GET,
	RD_GENERIC,	/* options of other levels */
};

struct rd_sock {
	int refs;		/* descriptors */
	unsigned int may;	/* states it may be in */
	enum qk_family family;
};

#define RD_SLOTS 12

struct rd_slot {
	int fd;
	struct rd_sock *sock;
};

struct rd {
	__u64 rng;
	__u64 step;
	unsigned char *page;	/* a mapped page, the next one is not */
	struct rd_slot slot[RD_SLOTS];
	bool faults;		/* allocations may fail */
	char what[160];		/* the last call, for the message */
};

/* What a pointer given to the kernel is like. */
struct rd_buf {
	void *ptr;
	bool bad;		/* not all of it is mapped */
};

/* quic_random_draw.c */
__u64 rd_next(struct rd *r);
unsigned int rd_below(struct rd *r, unsigned int n);
bool rd_chance(struct rd *r, unsigned int percent);
struct rd_buf rd_buffer(struct rd *r, size_t len);
size_t rd_length(struct rd *r, size_t size);
socklen_t rd_address(struct rd *r, struct sockaddr_storage *ss);
size_t rd_option(struct rd *r, int opt, void *value, size_t size);
__s64 rd_stream(struct rd *r);
__u32 rd_stream_flags(struct rd *r);
int rd_msg_flags(struct rd *r);

/* quic_random_model.c */
bool rd_allows(const struct rd *r, unsigned int may, enum rd_op op, int opt, int err);

/* quic_random_calls.c: one call each; false if the model did not allow its result */
bool rd_step(struct rd *r);
bool rd_open_pair(struct rd *r);
void rd_close_all(struct rd *r);

#endif /* QUIC_RANDOM_H */
