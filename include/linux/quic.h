/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QUIC sockets for consumers in the kernel.
 *
 * A socket is made by sock_create_kern() with IPPROTO_QUIC, and used by
 * kernel_bind(), kernel_connect(), kernel_listen(), kernel_accept(),
 * kernel_sendmsg() and kernel_recvmsg() as by a program; what messages and
 * options mean is said in <uapi/linux/quic.h> and quic(7).  TLS runs in user
 * space: give the socket a file (sock_alloc_file()) and call
 * tls_client_hello_x509() and its relatives (<net/handshake.h>).
 */
#ifndef _LINUX_QUIC_H
#define _LINUX_QUIC_H

#include <linux/sockptr.h>
#include <uapi/linux/quic.h>

struct sock;

/**
 * quic_kernel_setsockopt - setsockopt() at level SOL_QUIC
 * @sk: QUIC socket; the caller does not hold its lock
 * @optname: QUIC_SOCKOPT_*
 * @optval: value, KERNEL_SOCKPTR() or USER_SOCKPTR()
 * @optlen: its length in bytes
 *
 * Context: process context, may sleep.
 * Return: 0 or what setsockopt() sets errno to, negative; -ENOTSOCK for a
 * socket of another protocol.
 */
int quic_kernel_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			   unsigned int optlen);

/**
 * quic_kernel_getsockopt - getsockopt() at level SOL_QUIC
 * @sk: QUIC socket; the caller does not hold its lock
 * @optname: QUIC_SOCKOPT_*
 * @optval: room for the value, and its argument for the options that take one
 * @optlen: an int: the room in bytes, then the length of the value
 *
 * Context: process context, may sleep.
 * Return: as for quic_kernel_setsockopt().
 */
int quic_kernel_getsockopt(struct sock *sk, int optname, sockptr_t optval,
			   sockptr_t optlen);

#endif /* _LINUX_QUIC_H */
