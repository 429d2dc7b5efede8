/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libquic: TLS handshakes for in-kernel QUIC sockets, over GnuTLS.
 *
 * A program opens socket(AF_INET or AF_INET6, SOCK_STREAM or SOCK_DGRAM, IPPROTO_QUIC), connects
 * or accepts, runs one of the handshakes below on it, and then uses the socket: read and write on
 * one stream, quic_sendmsg and quic_recvmsg on several, close.  <linux/quic.h> has the socket
 * options.  Link with `pkg-config --libs libquic`.
 *
 * Functions that return int return 0 or a negative errno; quic_last_error() has the reason in
 * words.  Errors of a handshake:
 *   -EKEYREJECTED   the peer's certificate was refused
 *   -EPROTO         TLS failed on this side for another reason
 *   -ECONNREFUSED   the peer ended the handshake with a TLS alert
 *   -ECONNRESET     the connection ended otherwise
 *   -ETIMEDOUT      the peer did not answer in time
 *   -EINVAL         a file or a value cannot be used
 * After a failure close the socket: that tells the peer the TLS alert.
 *
 * Different sessions may be used in different threads at once, one session in one at a time.
 */
#ifndef _NETINET_QUIC_H
#define _NETINET_QUIC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/socket.h>
#if !defined(_LINUX_IN_H) && !defined(_UAPI_LINUX_IN_H)
#include <netinet/in.h> /* <linux/in.h> has the same structures and cannot come before it */
#endif
#include <linux/quic.h>
#include <gnutls/abstract.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef IPPROTO_QUIC
#define IPPROTO_QUIC	261
#endif

#ifndef SOL_QUIC
#define SOL_QUIC	288
#endif

/* GnuTLS priorities for a session of one's own: TLS 1.3 as QUIC has it, with all four ciphers. */
#define QUIC_PRIORITY \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+PSK:+ECDHE-PSK:-CIPHER-ALL" \
	":+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-CCM" \
	":-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519:+GROUP-SECP384R1:+GROUP-SECP521R1" \
	":%DISABLE_TLS13_COMPAT_MODE"

/*
 * The whole handshake of a connected client's socket.
 *
 * pkey_file: a file of pre-shared keys (lines of "identity:key in hexadecimal"; the first is
 * used), or NULL for certificates: the server's must be issued by an authority that the system
 * trusts, for the name or address hostname (NULL: for any name).  Trust is read once for a
 * process.  alpns: application protocols separated by commas, or NULL.
 *
 * Waits for the peer at most for SO_RCVTIMEO, or 10 seconds if that is not set.
 */
int quic_client_handshake(int sockfd, const char *pkey_file, const char *hostname,
			  const char *alpns);

/*
 * The whole handshake of an accepted socket.
 *
 * cert_file: the certificate with its chain, PEM, with its private key in pkey_file; or NULL,
 * then pkey_file is a file of pre-shared keys, all of which are accepted.  Files are read again
 * when they change.
 */
int quic_server_handshake(int sockfd, const char *pkey_file, const char *cert_file,
			  const char *alpns);

/*
 * The whole handshake of a session of the caller's own, made by gnutls_init() with credentials
 * and QUIC_PRIORITY, the socket given to it by gnutls_transport_set_int().
 */
int quic_handshake(gnutls_session_t session);

/*
 * The same in steps, for event loops: the caller does all sending and receiving.
 *
 *	struct quic_handshake_step *step = NULL;
 *	int ret = quic_handshake_init(session, &step);
 *
 *	while (ret == 0 && step) {
 *		... do what step says, wait while it would block, store its retval ...
 *		ret = quic_handshake_step(session, &step);
 *	}
 *	quic_handshake_deinit(session);
 */
enum quic_handshake_step_op {
	QUIC_HANDSHAKE_STEP_OP_SENDMSG = 1,
	QUIC_HANDSHAKE_STEP_OP_RECVMSG
};

/* sendmsg(sockfd, msg, flags); retval: bytes sent or a negative errno. */
struct quic_handshake_step_sendmsg {
	const struct msghdr *msg;
	int flags;
	ssize_t retval;
};

/* recvmsg(sockfd, msg, flags); retval: bytes received or a negative errno. */
struct quic_handshake_step_recvmsg {
	struct msghdr *msg;
	int flags;
	ssize_t retval;
};

struct quic_handshake_step {
	enum quic_handshake_step_op op;
	__extension__ union {
		struct quic_handshake_step_sendmsg s_sendmsg;
		struct quic_handshake_step_recvmsg s_recvmsg;
	};
};

/* Starts; *pstep must be NULL, and becomes the first step. */
int quic_handshake_init(gnutls_session_t session, struct quic_handshake_step **pstep);
/* Takes the result of *pstep, which becomes the next step, or NULL at the end. */
int quic_handshake_step(gnutls_session_t session, struct quic_handshake_step **pstep);
/* Frees what the steps used.  To be called after success and failure. */
void quic_handshake_deinit(gnutls_session_t session);

/*
 * Client, after the handshake: data by which a later session continues this one.  *size: room in,
 * length out; 0 if the server has sent no ticket yet; -ENOBUFS if there is too little room.
 */
int quic_session_get_data(gnutls_session_t session, void *data, size_t *size);
/*
 * Client, before the handshake: continues the session that the data came from, if the socket begins
 * in the QUIC version that it had; else the handshake makes a new one.
 */
int quic_session_set_data(gnutls_session_t session, const void *data, size_t size);

/* The application protocol agreed on, without a terminator.  *size: room in, length out. */
int quic_session_get_alpn(gnutls_session_t session, void *alpn, size_t *size);
/* Offers or accepts these protocols, separated by commas, and no connection without one. */
int quic_session_set_alpn(gnutls_session_t session, const void *alpns, size_t size);

/*
 * sendmsg() with a stream: sid (-1: the active one) and MSG_QUIC_STREAM_* among the flags.
 * Returns what sendmsg() returns.
 */
ssize_t quic_sendmsg(int sockfd, const void *msg, size_t len, int64_t sid, uint32_t flags);
/*
 * recvmsg() with a stream: *sid is set if stream data were received.  *flags: flags in, message
 * and stream flags out.  Returns what recvmsg() returns.
 */
ssize_t quic_recvmsg(int sockfd, void *msg, size_t len, int64_t *sid, uint32_t *flags);

/* Messages of the library: LOG_ERR and LOG_DEBUG of <syslog.h>.  Both return the former value. */
typedef void (*quic_set_log_func_t)(int level, const char *msg);
/* NULL: to standard error. */
quic_set_log_func_t quic_set_log_func(quic_set_log_func_t func);
/* -1: none, which is the default. */
int quic_set_log_level(int level);

/*
 * Why the last function of this library that failed in this thread has failed, in words.  Valid
 * until the next one fails.  Not in the libquic of lxin/quic.
 */
const char *quic_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* _NETINET_QUIC_H */
