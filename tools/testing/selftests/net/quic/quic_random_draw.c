// SPDX-License-Identifier: GPL-2.0
/* What the random tester draws: numbers, pointers, addresses, values. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "quic_random.h"

__u64 rd_next(struct rd *r)
{
	__u64 x = r->rng += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

unsigned int rd_below(struct rd *r, unsigned int n)
{
	return n ? rd_next(r) % n : 0;
}

bool rd_chance(struct rd *r, unsigned int percent)
{
	return rd_below(r, 100) < percent;
}

/*
 * Room for @len bytes: mostly mapped, at any alignment or right before the end
 * of the page; now and then it ends on the unmapped page, or is no address.
 */
struct rd_buf rd_buffer(struct rd *r, size_t len)
{
	size_t page = getpagesize();
	struct rd_buf b = { .ptr = r->page };

	switch (rd_below(r, 20)) {
	case 0:
		b.ptr = NULL;
		b.bad = true;
		return b;
	case 1:
		b.ptr = (void *)(rd_next(r) | 1ull << 63);
		b.bad = true;
		return b;
	case 2:
		b.ptr = r->page + page - rd_below(r, 8);
		b.bad = true;
		return b;
	case 3 ... 8:
		if (len <= page)
			b.ptr = r->page + page - len;
		break;
	default:
		if (len < page)
			b.ptr = r->page + rd_below(r, page - len);
	}
	b.bad = len > page;
	return b;
}

/* A length around @size, or one of those at which something else begins. */
size_t rd_length(struct rd *r, size_t size)
{
	static const size_t odd[] = { 0, 1, 7, 8, 64, 127, 128, 512, 1200, 4095, 4096, 4097,
				      65536, 0x7fffffff, 0xffffffff };

	switch (rd_below(r, 8)) {
	case 0:
		return odd[rd_below(r, ARRAY_SIZE(odd))];
	case 1:
		return size + 1 + rd_below(r, 16);
	case 2:
		return rd_below(r, size + 1);
	default:
		return size;
	}
}

static __u16 any_port(struct rd *r)
{
	unsigned int i, from = rd_below(r, RD_SLOTS);

	if (rd_chance(r, 30))
		return 0;
	if (rd_chance(r, 10))
		return 1024 + rd_below(r, 100);
	for (i = 0; i < RD_SLOTS; i++) {
		struct rd_slot *s = &r->slot[(from + i) % RD_SLOTS];

		if (s->sock && (s->sock->may & (RD_LISTENING | RD_BOUND)))
			return qk_port(s->fd);
	}
	return 4433;
}

socklen_t rd_address(struct rd *r, struct sockaddr_storage *ss)
{
	static const char * const v4[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0", "224.0.0.1",
					   "255.255.255.255", "192.0.2.1" };
	static const char * const v6[] = { "::1", "::", "ff02::1", "fe80::1", "::ffff:127.0.0.1",
					   "2001:db8::1", "::ffff:224.0.0.1" };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	socklen_t len;

	len = qk_loopback(ss, rd_below(r, 3), any_port(r));
	if (rd_chance(r, 20) && ss->ss_family == AF_INET)
		inet_pton(AF_INET, v4[rd_below(r, 6)], &in->sin_addr);
	if (rd_chance(r, 20) && ss->ss_family == AF_INET6) {
		inet_pton(AF_INET6, v6[rd_below(r, 7)], &in6->sin6_addr);
		in6->sin6_scope_id = rd_below(r, 3);
		in6->sin6_flowinfo = rd_chance(r, 20) ? rd_next(r) : 0;
	}
	if (rd_chance(r, 5))
		ss->ss_family = rd_below(r, 48);
	return rd_chance(r, 10) ? rd_below(r, sizeof(*ss) + 8) : len;
}

__s64 rd_stream(struct rd *r)
{
	switch (rd_below(r, 10)) {
	case 0:
		return rd_next(r);
	case 1:
		return 1ll << rd_below(r, 63);
	case 2:
		return rd_below(r, 500);
	case 3 ... 5:
		return -1;
	default:
		return rd_below(r, 16);
	}
}

/* The waiting kind is drawn too: the sockets' time-outs are short. */
__u32 rd_stream_flags(struct rd *r)
{
	static const __u32 flags[] = {
		MSG_QUIC_STREAM_NEW, MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN,
		MSG_QUIC_STREAM_FIN, MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_UNI,
		MSG_QUIC_STREAM_UNI, MSG_QUIC_STREAM_SNDBLOCK, 0, 0, 0,
	};

	if (rd_chance(r, 3))
		return rd_next(r);
	return flags[rd_below(r, ARRAY_SIZE(flags))] |
	       (rd_chance(r, 70) ? MSG_QUIC_STREAM_DONTWAIT : 0);
}

int rd_msg_flags(struct rd *r)
{
	static const int more[] = { MSG_MORE, MSG_QUIC_DATAGRAM, MSG_QUIC_STREAM_NEW, MSG_PEEK,
				    MSG_WAITALL, MSG_OOB, MSG_TRUNC, MSG_ERRQUEUE };
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	if (rd_chance(r, 30))
		flags |= more[rd_below(r, ARRAY_SIZE(more))];
	if (rd_chance(r, 2))
		flags |= rd_next(r) & 0x7fffffff;
	return flags;
}

/* Mostly 0, else around the limits of some field. */
static __u64 a_number(struct rd *r)
{
	static const __u64 edge[] = { 1, 2, 7, 8, 20, 21, 100, 1199, 1200, 4096, 4097, 16383,
				      65527, 1000000, 5000000, 1ull << 28, 1ull << 31, 1ull << 62 };

	if (rd_chance(r, 60))
		return 0;
	if (rd_chance(r, 10))
		return rd_next(r);
	return edge[rd_below(r, ARRAY_SIZE(edge))] + rd_below(r, 2);
}

static size_t draw_param(struct rd *r, void *value)
{
	struct quic_transport_param p = {
		.remote = rd_chance(r, 20),
		.disable_active_migration = rd_chance(r, 5),
		.grease_quic_bit = rd_chance(r, 20),
		.stateless_reset = rd_chance(r, 20),
		.disable_1rtt_encryption = rd_chance(r, 5),
		.disable_compatible_version = rd_chance(r, 5),
		.active_connection_id_limit = a_number(r),
		.ack_delay_exponent = a_number(r),
		.max_datagram_frame_size = a_number(r),
		.max_udp_payload_size = a_number(r),
		.max_idle_timeout = a_number(r),
		.max_ack_delay = a_number(r),
		.max_streams_bidi = a_number(r),
		.max_streams_uni = a_number(r),
		.max_data = a_number(r),
		.max_stream_data_bidi_local = a_number(r),
		.max_stream_data_bidi_remote = a_number(r),
		.max_stream_data_uni = a_number(r),
	};

	memcpy(value, &p, sizeof(p));
	return sizeof(p);
}

static size_t draw_config(struct rd *r, void *value)
{
	struct quic_config c = {
		.version = rd_chance(r, 80) ? 0 : QUIC_VERSION_V2,
		.plpmtud_probe_interval = a_number(r),
		.initial_smoothed_rtt = a_number(r),
		.payload_cipher_type = rd_chance(r, 80) ? 0 : 50 + rd_below(r, 6),
		.congestion_control_algo = rd_below(r, 3),
		.validate_peer_address = rd_chance(r, 10),
		.stream_data_nodelay = rd_chance(r, 30),
		.receive_session_ticket = rd_below(r, 2),
		.certificate_request = rd_below(r, 4),
		.keepalive_probe_interval = a_number(r),
	};

	memcpy(value, &c, sizeof(c));
	return sizeof(c);
}

static size_t draw_secret(struct rd *r, void *value)
{
	struct quic_crypto_secret s = {
		.send = rd_below(r, 2),
		.level = rd_below(r, 5),
		.type = 50 + rd_below(r, 6),
	};
	size_t i;

	for (i = 0; i < sizeof(s.secret); i++)
		s.secret[i] = i;
	memcpy(value, &s, sizeof(s));
	return sizeof(s);
}

/* A value of the right type for the option at @value; its length. */
size_t rd_option(struct rd *r, int opt, void *value, size_t size)
{
	struct quic_event_option event = { .type = rd_below(r, 11), .on = rd_below(r, 2) };
	struct quic_errinfo err = { .stream_id = rd_stream(r), .errcode = rd_below(r, 100) };
	struct quic_stream_info info = { .stream_id = err.stream_id,
					 .stream_flags = rd_stream_flags(r) };
	struct quic_connection_id_info ids = { .dest = rd_below(r, 2), .active = rd_below(r, 12),
					       .prior_to = rd_below(r, 12) };
	size_t i, len;

	for (i = 0; i < size; i++)
		((__u8 *)value)[i] = rd_chance(r, 10) ? ',' : 'a' + rd_below(r, 3);
	switch (opt) {
	case QUIC_SOCKOPT_EVENT:
		memcpy(value, &event, sizeof(event));
		return sizeof(event);
	case QUIC_SOCKOPT_STREAM_OPEN:
		memcpy(value, &info, sizeof(info));
		return sizeof(info);
	case QUIC_SOCKOPT_STREAM_RESET:
	case QUIC_SOCKOPT_STREAM_STOP_SENDING:
		memcpy(value, &err, sizeof(err));
		return sizeof(err);
	case QUIC_SOCKOPT_CONNECTION_ID:
		memcpy(value, &ids, sizeof(ids));
		return sizeof(ids);
	case QUIC_SOCKOPT_CONNECTION_MIGRATION:
		len = rd_address(r, value);
		return len < size ? len : size;
	case QUIC_SOCKOPT_KEY_UPDATE:
		return 0;
	case QUIC_SOCKOPT_TRANSPORT_PARAM:
		return draw_param(r, value);
	case QUIC_SOCKOPT_CONFIG:
		return draw_config(r, value);
	case QUIC_SOCKOPT_CRYPTO_SECRET:
		return draw_secret(r, value);
	case QUIC_SOCKOPT_CONNECTION_CLOSE:
		return sizeof(struct quic_connection_close);
	case QUIC_SOCKOPT_TOKEN:
	case QUIC_SOCKOPT_ALPN:
	case QUIC_SOCKOPT_SESSION_TICKET:
		return 1 + rd_below(r, 130);
	default:
		return rd_below(r, 256);
	}
}
