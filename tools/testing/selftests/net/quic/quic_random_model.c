// SPDX-License-Identifier: GPL-2.0
/* The model of the random tester: which call may end how in which state. */
#include <string.h>

#include "kselftest.h"
#include "quic_random.h"

#define CLOSED_STATES	(RD_FRESH | RD_BOUND | RD_CLOSED)
#define CONNECTED	(RD_HANDSHAKE | RD_ESTABLISHED | RD_CLOSED)
#define OPEN		(RD_HANDSHAKE | RD_ESTABLISHED)
#define MOST_ERRORS	10
#define ANY_OPTION	-1

/* In these states the call may end so; 0 is success.  Rows add up. */
struct rule {
	enum rd_op op;
	int opt;
	unsigned int states;
	int errors[MOST_ERRORS];
	bool success;
};

#define CALL(op, states, success, ...) \
	{ op, ANY_OPTION, states, { __VA_ARGS__ }, success }
#define OPTION(op, opt, states, success, ...) \
	{ op, QUIC_SOCKOPT_##opt, states, { __VA_ARGS__ }, success }

static const struct rule rules[] = {
	CALL(RD_BIND, RD_FRESH, true, EINVAL, EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EACCES, ENODEV),
	CALL(RD_BIND, RD_ANY & ~RD_FRESH, false, EINVAL),
	CALL(RD_LISTEN, RD_FRESH | RD_BOUND, true, EADDRINUSE, EAGAIN),
	CALL(RD_LISTEN, RD_LISTENING, true, 0),
	CALL(RD_LISTEN, CONNECTED, false, EINVAL),
	CALL(RD_LISTEN_0, RD_LISTENING, true, 0),
	CALL(RD_LISTEN_0, RD_ANY & ~RD_LISTENING, false, EINVAL),
	CALL(RD_CONNECT, RD_FRESH | RD_BOUND, true, EINVAL, ENETUNREACH, EHOSTUNREACH,
	     EADDRNOTAVAIL, EADDRINUSE, EAGAIN, EACCES, EOPNOTSUPP, EAFNOSUPPORT),
	CALL(RD_CONNECT, RD_ANY & ~(RD_FRESH | RD_BOUND), false, EINVAL, EOPNOTSUPP),
	CALL(RD_ACCEPT, RD_LISTENING, true, EAGAIN, EINVAL),
	CALL(RD_ACCEPT, RD_ANY & ~RD_LISTENING, false, EINVAL),
	CALL(RD_SEND, CLOSED_STATES | RD_LISTENING, false, EPIPE, EINVAL),
	CALL(RD_SEND, OPEN, true, EINVAL, EAGAIN, ENOSPC, ENOSTR, EMSGSIZE, EPIPE, ENETUNREACH,
	     EHOSTUNREACH),
	CALL(RD_RECV, RD_FRESH | RD_BOUND | RD_LISTENING, false, ENOTCONN),
	CALL(RD_RECV, OPEN, true, EAGAIN, ENOTCONN),
	CALL(RD_RECV, RD_CLOSED, true, ENOTCONN),
	CALL(RD_SHUTDOWN, CLOSED_STATES, false, EINVAL, ENOTCONN),
	CALL(RD_SHUTDOWN, RD_LISTENING | OPEN, true, EINVAL, ENOTCONN),
	CALL(RD_IOCTL, RD_LISTENING, false, EINVAL, ENOTTY),
	CALL(RD_IOCTL, RD_ANY & ~RD_LISTENING, true, EINVAL, ENOTTY),
	CALL(RD_NAME, RD_ANY, true, EINVAL),
	CALL(RD_PEER, RD_ANY & ~CONNECTED, false, ENOTCONN, EINVAL),
	CALL(RD_PEER, CONNECTED, true, ENOTCONN, EINVAL),

	OPTION(RD_SET, EVENT, RD_ANY, true, EINVAL),
	OPTION(RD_SET, STREAM_OPEN, RD_ANY, false, ENOPROTOOPT),
	OPTION(RD_SET, STREAM_RESET, RD_ANY & ~RD_ESTABLISHED, false, EINVAL),
	OPTION(RD_SET, STREAM_RESET, RD_ESTABLISHED, true, EINVAL, ENOSTR),
	OPTION(RD_SET, STREAM_STOP_SENDING, RD_ANY & ~RD_ESTABLISHED, false, EINVAL),
	OPTION(RD_SET, STREAM_STOP_SENDING, RD_ESTABLISHED, true, EINVAL, ENOSTR, EAGAIN),
	OPTION(RD_SET, CONNECTION_ID, RD_ANY & ~RD_ESTABLISHED, false, EINVAL),
	OPTION(RD_SET, CONNECTION_ID, RD_ESTABLISHED, true, EINVAL, EAGAIN),
	OPTION(RD_SET, CONNECTION_CLOSE, RD_ANY, true, 0),
	OPTION(RD_SET, CONNECTION_MIGRATION, RD_ANY & ~OPEN, false, EPIPE, EINVAL),
	OPTION(RD_SET, CONNECTION_MIGRATION, OPEN, true, EINVAL, EAGAIN, EPIPE, EADDRINUSE,
	       EADDRNOTAVAIL, EACCES),
	OPTION(RD_SET, KEY_UPDATE, RD_ANY & ~RD_ESTABLISHED, false, EPIPE),
	OPTION(RD_SET, KEY_UPDATE, RD_ESTABLISHED, true, EINVAL, EPIPE),
	OPTION(RD_SET, TRANSPORT_PARAM, RD_ESTABLISHED, false, EINVAL),
	OPTION(RD_SET, TRANSPORT_PARAM, RD_ANY & ~RD_ESTABLISHED, true, EINVAL),
	OPTION(RD_SET, CONFIG, RD_ESTABLISHED, false, EINVAL),
	OPTION(RD_SET, CONFIG, RD_ANY & ~RD_ESTABLISHED, true, EINVAL),
	OPTION(RD_SET, TOKEN, RD_ANY, true, EINVAL, EAGAIN),
	OPTION(RD_SET, ALPN, RD_LISTENING, false, EINVAL),
	OPTION(RD_SET, ALPN, RD_ANY & ~RD_LISTENING, true, EINVAL),
	OPTION(RD_SET, SESSION_TICKET, RD_ANY, true, EINVAL),
	OPTION(RD_SET, CRYPTO_SECRET, RD_ANY & ~RD_HANDSHAKE, false, EINVAL),
	OPTION(RD_SET, CRYPTO_SECRET, RD_HANDSHAKE, true, EINVAL, EPIPE, ENOENT),
	OPTION(RD_SET, TRANSPORT_PARAM_EXT, RD_ANY & ~RD_HANDSHAKE, false, EINVAL),
	OPTION(RD_SET, TRANSPORT_PARAM_EXT, RD_HANDSHAKE, true, EINVAL, EPIPE),
	OPTION(RD_SET, INFO, RD_ANY, false, ENOPROTOOPT),

	OPTION(RD_GET, EVENT, RD_ANY, true, EINVAL),
	OPTION(RD_GET, STREAM_OPEN, RD_ANY & ~OPEN, false, EPIPE, EINVAL),
	OPTION(RD_GET, STREAM_OPEN, OPEN, true, EINVAL, EAGAIN, ENOSTR, EPIPE),
	OPTION(RD_GET, STREAM_RESET, RD_ANY, false, ENOPROTOOPT),
	OPTION(RD_GET, STREAM_STOP_SENDING, RD_ANY, false, ENOPROTOOPT),
	OPTION(RD_GET, CONNECTION_ID, RD_ANY & ~RD_ESTABLISHED, false, EINVAL),
	OPTION(RD_GET, CONNECTION_ID, RD_ESTABLISHED, true, EINVAL),
	OPTION(RD_GET, CONNECTION_CLOSE, RD_ANY, true, 0),
	OPTION(RD_GET, CONNECTION_MIGRATION, RD_ANY, false, ENOPROTOOPT),
	OPTION(RD_GET, KEY_UPDATE, RD_ANY, false, ENOPROTOOPT),
	OPTION(RD_GET, TRANSPORT_PARAM, RD_ANY, true, EINVAL),
	OPTION(RD_GET, CONFIG, RD_ANY, true, 0),
	OPTION(RD_GET, TOKEN, RD_ANY, true, EINVAL),
	OPTION(RD_GET, ALPN, RD_ANY, true, EINVAL),
	OPTION(RD_GET, SESSION_TICKET, RD_LISTENING, false, EPIPE),
	OPTION(RD_GET, SESSION_TICKET, RD_ANY & ~RD_LISTENING, true, EINVAL, EPIPE),
	OPTION(RD_GET, CRYPTO_SECRET, RD_ANY, false, ENOPROTOOPT),
	OPTION(RD_GET, TRANSPORT_PARAM_EXT, RD_ANY & ~RD_HANDSHAKE, false, EINVAL),
	OPTION(RD_GET, TRANSPORT_PARAM_EXT, RD_HANDSHAKE, true, EINVAL),
	OPTION(RD_GET, INFO, RD_ANY, true, EINVAL, ENOTCONN),
};

/* Errors of the socket layer itself, and of what a value names. */
static bool generic(enum rd_op op, int err)
{
	if (op != RD_GENERIC)
		return false;
	return err > 0 && err < 134;
}

static bool has(const struct rule *rule, int err)
{
	size_t i;

	if (!err)
		return rule->success;
	for (i = 0; i < MOST_ERRORS && rule->errors[i]; i++) {
		if (rule->errors[i] == err)
			return true;
	}
	return false;
}

static bool known(enum rd_op op, int opt)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].op == op && (rules[i].opt == ANY_OPTION || rules[i].opt == opt))
			return true;
	}
	return false;
}

/* Whether a call may end with @err (0: success) on a socket in one of the states @may. */
bool rd_allows(const struct rd *r, unsigned int may, enum rd_op op, int opt, int err)
{
	size_t i;

	if (r->faults && (err == ENOMEM || err == ENOBUFS || err == EFAULT || err == EAGAIN))
		return true;
	if (op == RD_GENERIC)
		return !err || generic(op, err);
	/* Options above INFO come and go; below, an unknown number is none. */
	if (!known(op, opt))
		return err == ENOPROTOOPT || (opt > QUIC_SOCKOPT_INFO && err > 0 && err < 134) ||
		       (opt > QUIC_SOCKOPT_INFO && !err);
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *rule = &rules[i];

		if (rule->op == op && (rule->opt == ANY_OPTION || rule->opt == opt) &&
		    (rule->states & may) && has(rule, err))
			return true;
	}
	return false;
}
