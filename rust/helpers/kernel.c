// SPDX-License-Identifier: GPL-2.0
/* What other modules call: <linux/quic.h>. */

#include <linux/export.h>
#include <linux/module.h>
#include <linux/quic.h>
#include <net/sock.h>

/* struct proto's own takes user pointers only. Set while the protocol is registered. */
static int (*quic_getsockopt)(struct sock *sk, int name, sockptr_t value, sockptr_t length);

void quic_helper_set_getsockopt(int (*get)(struct sock *sk, int name, sockptr_t value,
					   sockptr_t length))
{
	quic_getsockopt = get;
}

/*
 * A raw socket may have the number too, and the tables of another protocol.  The
 * sockets of this one, and no others, are the module's own.
 */
static bool is_quic(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_QUIC && READ_ONCE(sk->sk_prot)->owner == THIS_MODULE;
}

int quic_kernel_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			   unsigned int optlen)
{
	if (!is_quic(sk))
		return -ENOTSOCK;
	return sk->sk_prot->setsockopt(sk, SOL_QUIC, optname, optval, optlen);
}
EXPORT_SYMBOL_GPL(quic_kernel_setsockopt);

int quic_kernel_getsockopt(struct sock *sk, int optname, sockptr_t optval,
			   sockptr_t optlen)
{
	if (!is_quic(sk))
		return -ENOTSOCK;
	return quic_getsockopt(sk, optname, optval, optlen);
}
EXPORT_SYMBOL_GPL(quic_kernel_getsockopt);
