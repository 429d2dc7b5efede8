// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/hrtimer.h>
#include <linux/ipv6.h>
#include <linux/memcontrol.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/proc_fs.h>
#include <linux/security.h>
#include <linux/siphash.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <linux/skbuff.h>
#include <linux/sockptr.h>
#include <linux/swap.h>
#include <linux/udp.h>
#include <net/dst.h>
#include <net/inet_ecn.h>
#include <net/inet_common.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/net_namespace.h>
#include <net/proto_memory.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>
#include <net/xfrm.h>

/* References and the lock. */

void quic_helper_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void quic_helper_sock_put(struct sock *sk)
{
	sock_put(sk);
}

void quic_helper_lock_sock(struct sock *sk)
{
	lock_sock(sk);
}

void quic_helper_bh_lock_sock(struct sock *sk)
{
	/* Also for the backlog, which release_sock() hands out in process context. */
	spin_lock_bh(&sk->sk_lock.slock);
}

void quic_helper_bh_unlock_sock(struct sock *sk)
{
	spin_unlock_bh(&sk->sk_lock.slock);
}

bool quic_helper_sock_owned_by_user(struct sock *sk)
{
	return sock_owned_by_user(sk);
}

int quic_helper_sk_add_backlog(struct sock *sk, struct sk_buff *skb,
			       unsigned int limit)
{
	return sk_add_backlog(sk, skb, limit);
}

void quic_helper_local_bh_disable(void)
{
	local_bh_disable();
}

void quic_helper_local_bh_enable(void)
{
	local_bh_enable();
}

void quic_helper_rcu_read_lock(void)
{
	rcu_read_lock();
}

void quic_helper_rcu_read_unlock(void)
{
	rcu_read_unlock();
}

/* Fields of a socket that live in unions, bit fields or behind macros. */

struct net *quic_helper_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

bool quic_helper_sock_flag(const struct sock *sk, enum sock_flags flag)
{
	return sock_flag(sk, flag);
}

void quic_helper_sock_set_flag(struct sock *sk, enum sock_flags flag)
{
	sock_set_flag(sk, flag);
}

long quic_helper_sock_rcvtimeo(const struct sock *sk, bool noblock)
{
	return sock_rcvtimeo(sk, noblock);
}

long quic_helper_sock_sndtimeo(const struct sock *sk, bool noblock)
{
	return sock_sndtimeo(sk, noblock);
}

int quic_helper_sock_intr_errno(long timeo)
{
	return sock_intr_errno(timeo);
}

bool quic_helper_ipv6_only_sock(const struct sock *sk)
{
	return ipv6_only_sock(sk);
}

bool quic_helper_sk_reuseport(const struct sock *sk)
{
	return sk->sk_reuseport;
}

int quic_helper_sk_bound_dev_if(const struct sock *sk)
{
	return READ_ONCE(sk->sk_bound_dev_if);
}

void quic_helper_sk_set_bound_dev_if(struct sock *sk, int ifindex)
{
	WRITE_ONCE(sk->sk_bound_dev_if, ifindex);
}

void quic_helper_sk_set_local4(struct sock *sk, __be32 addr, __be16 port)
{
	inet_sk(sk)->inet_saddr = addr;
	inet_sk(sk)->inet_rcv_saddr = addr;
	inet_sk(sk)->inet_sport = port;
	inet_sk(sk)->inet_num = ntohs(port);
}

void quic_helper_sk_set_remote4(struct sock *sk, __be32 addr, __be16 port)
{
	inet_sk(sk)->inet_daddr = addr;
	inet_sk(sk)->inet_dport = port;
}

void quic_helper_sk_set_local6(struct sock *sk, const struct in6_addr *addr,
			       __be16 port)
{
	sk->sk_v6_rcv_saddr = *addr;
	inet6_sk(sk)->saddr = *addr;
	inet_sk(sk)->inet_sport = port;
	inet_sk(sk)->inet_num = ntohs(port);
}

void quic_helper_sk_set_remote6(struct sock *sk, const struct in6_addr *addr,
				__be16 port)
{
	sk->sk_v6_daddr = *addr;
	inet_sk(sk)->inet_dport = port;
}

unsigned int quic_helper_sk_uid(const struct sock *sk)
{
	return from_kuid_munged(sock_net(sk)->user_ns, sk_uid(sk));
}

unsigned int quic_helper_sk_kuid(const struct sock *sk)
{
	return __kuid_val(sk_uid(sk));
}

u64 quic_helper_sock_i_ino(struct sock *sk)
{
	return sock_i_ino(sk);
}

u8 quic_helper_sk_tos(const struct sock *sk)
{
	return READ_ONCE(inet_sk(sk)->tos);
}

u8 quic_helper_sk_tclass(const struct sock *sk)
{
	return READ_ONCE(inet6_sk(sk)->tclass);
}

int quic_helper_sk_ttl(const struct sock *sk, bool v6)
{
	return v6 ? READ_ONCE(inet6_sk(sk)->hop_limit) : READ_ONCE(inet_sk(sk)->uc_ttl);
}

void quic_helper_sock_orphan(struct sock *sk)
{
	sock_orphan(sk);
}

/* The first namespace never goes. */
bool quic_helper_sk_keeps_net(const struct sock *sk)
{
	return sk->sk_net_refcnt || net_eq(sock_net(sk), &init_net);
}

/* IP_XFRM_POLICY and IPV6_XFRM_POLICY.  No softirq may find the socket any more. */
void quic_helper_xfrm_sk_free_policy(struct sock *sk)
{
	xfrm_sk_free_policy(sk);
}

void quic_helper_sock_graft(struct sock *sk, struct socket *parent)
{
	sock_graft(sk, parent);
}

/* Memory accounting. */

/* The defaults of the protocol's sysctls, for a socket that a program makes. */
void quic_helper_sk_default_buffers(struct sock *sk)
{
	int snd = READ_ONCE(sk->sk_prot->sysctl_wmem[1]);
	int rcv = READ_ONCE(sk->sk_prot->sysctl_rmem[1]);

	WRITE_ONCE(sk->sk_sndbuf, max_t(int, snd, SOCK_MIN_SNDBUF));
	WRITE_ONCE(sk->sk_rcvbuf, max_t(int, rcv, SOCK_MIN_RCVBUF));
}

int quic_helper_sk_max_sndbuf(const struct sock *sk)
{
	return READ_ONCE(sk->sk_prot->sysctl_wmem[2]);
}

bool quic_helper_sk_wmem_schedule(struct sock *sk, int size)
{
	return sk_wmem_schedule(sk, size);
}

/*
 * What a peer sends must neither wait for memory nor call the OOM killer, in
 * whichever context its packets are processed: sk_rmem_schedule() does so only
 * where softirqs are off.
 */
bool quic_helper_sk_rmem_schedule(struct sock *sk, int size)
{
	bool done;

	local_bh_disable();
	done = __sk_rmem_schedule(sk, size, false);
	local_bh_enable();
	return done;
}

/*
 * With softirqs off a charge to a control group succeeds beyond memory.max too:
 * whoever asks for memory in process context next makes room for it.  Hence
 * this look at the counters.  A group is often full of its own page cache; so a
 * socket gets its default receive buffer, as long as reclaim gets on.
 */
static bool sk_memcg_is_full(struct sock *sk, int size)
{
#ifdef CONFIG_MEMCG
	unsigned long pages = sk_mem_pages(size);
	struct mem_cgroup *memcg;

	if (!mem_cgroup_sk_enabled(sk) || !cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return false;
	for (memcg = mem_cgroup_from_sk(sk); memcg; memcg = parent_mem_cgroup(memcg)) {
		if (page_counter_read(&memcg->memory) + pages > READ_ONCE(memcg->memory.max))
			return atomic_read(&sk->sk_rmem_alloc) >= sk->sk_prot->sysctl_rmem[1] ||
			       mem_cgroup_sk_under_memory_pressure(sk);
	}
#endif
	return false;
}

/* Whether @size bytes more of received data may be kept; if so they are reserved. */
bool quic_helper_sk_may_keep(struct sock *sk, int size)
{
	return !sk_memcg_is_full(sk, size) && quic_helper_sk_rmem_schedule(sk, size);
}

bool quic_helper_sk_under_pressure(const struct sock *sk)
{
	return sk_under_memory_pressure(sk);
}

void quic_helper_enter_memory_pressure(struct sock *sk)
{
	unsigned long *pressure = sk->sk_prot->memory_pressure;

	if (!READ_ONCE(*pressure))
		WRITE_ONCE(*pressure, 1);
}

void quic_helper_sk_mem_charge(struct sock *sk, int size)
{
	sk_mem_charge(sk, size);
}

void quic_helper_sk_mem_uncharge(struct sock *sk, int size)
{
	sk_mem_uncharge(sk, size);
}

void quic_helper_sk_rmem_add(struct sock *sk, int size)
{
	atomic_add(size, &sk->sk_rmem_alloc);
}

/* Any context. */
void quic_helper_sk_purge_errors(struct sock *sk)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&sk->sk_error_queue)))
		dev_consume_skb_any(skb);
}

void quic_helper_sk_mem_reclaim(struct sock *sk)
{
	sk_mem_reclaim(sk);
}

/* In the account of all sockets and in /proc/net/protocols. */
void quic_helper_count_sock(struct sock *sk)
{
	sk_sockets_allocated_inc(sk);
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, 1);
}

void quic_helper_uncount_sock(struct sock *sk)
{
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, -1);
	sk_sockets_allocated_dec(sk);
}

int __percpu *quic_helper_alloc_percpu_int(void)
{
	return alloc_percpu(int);
}

void quic_helper_free_percpu(void __percpu *p)
{
	free_percpu(p);
}

int quic_helper_percpu_counter_init(struct percpu_counter *c, s64 amount)
{
	return percpu_counter_init(c, amount, GFP_KERNEL);
}

void quic_helper_percpu_counter_destroy(struct percpu_counter *c)
{
	percpu_counter_destroy(c);
}

unsigned long quic_helper_free_buffer_pages(void)
{
	return nr_free_buffer_pages();
}

/* Sleeping and waking. */

long quic_helper_sk_wait_once(struct sock *sk, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	add_wait_queue(sk_sleep(sk), &wait);
	release_sock(sk);
	timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	lock_sock(sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	return timeo;
}

void quic_helper_sk_wake(struct sock *sk, __poll_t mask, int how, int band)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, mask);
	sk_wake_async_rcu(sk, how, band);
	rcu_read_unlock();
}

void quic_helper_sock_poll_wait(struct file *file, struct socket *sock,
				poll_table *wait)
{
	sock_poll_wait(file, sock, wait);
}

void quic_helper_raise_sigpipe(void)
{
	send_sig(SIGPIPE, current, 0);
}

bool quic_helper_task_signal_pending(void)
{
	return signal_pending(current);
}

/* Addresses and options. */

int quic_helper_copy_from_sockptr_offset(void *dst, sockptr_t src,
					 size_t offset, size_t size)
{
	return copy_from_sockptr_offset(dst, src, offset, size);
}

int quic_helper_copy_to_sockptr(sockptr_t dst, const void *src, size_t size)
{
	return copy_to_sockptr(dst, src, size);
}

sockptr_t quic_helper_user_sockptr(void *p)
{
	return USER_SOCKPTR((void __user *)p);
}

/* As inet_bind(): the addresses of a VRF are those in the table of its device. */
bool quic_helper_inet_addr_valid_or_nonlocal(struct net *net, struct sock *sk,
					     __be32 addr)
{
	int device = READ_ONCE(sk->sk_bound_dev_if);
	u32 table = device ? l3mdev_fib_table_by_index(net, device) : 0;

	if (!table)
		table = RT_TABLE_LOCAL;
	return inet_addr_valid_or_nonlocal(net, inet_sk(sk), addr,
					   inet_addr_type_table(net, addr, table));
}

bool quic_helper_inet6_can_nonlocal_bind(struct net *net, struct sock *sk)
{
	return ipv6_can_nonlocal_bind(net, inet_sk(sk));
}

/* As inet6_bind(): the addresses of a VRF are those of its devices. */
bool quic_helper_inet6_addr_is_local(struct net *net, struct sock *sk,
				     const struct in6_addr *addr)
{
	int device = READ_ONCE(sk->sk_bound_dev_if);
	struct net_device *dev = NULL;
	bool found;

	rcu_read_lock();
	if (device)
		dev = dev_get_by_index_rcu(net, device);
	found = (dev || !device) && ipv6_chk_addr(net, addr, dev, 0);
	rcu_read_unlock();
	return found;
}

bool quic_helper_inet_port_requires_bind_service(struct net *net,
						 unsigned short port)
{
	return inet_port_requires_bind_service(net, port);
}

bool quic_helper_net_bind_capable(struct net *net)
{
	return ns_capable(net->user_ns, CAP_NET_BIND_SERVICE);
}

bool quic_helper_dev_exists(struct net *net, int ifindex)
{
	bool found;

	rcu_read_lock();
	found = dev_get_by_index_rcu(net, ifindex);
	rcu_read_unlock();
	return found;
}

/* Buffers. */

unsigned char *quic_helper_skb_tail_pointer(const struct sk_buff *skb)
{
	return skb_tail_pointer(skb);
}

int quic_helper_skb_tailroom(const struct sk_buff *skb)
{
	return skb_tailroom(skb);
}

struct sk_buff *quic_helper_alloc_skb(unsigned int size, gfp_t gfp)
{
	return alloc_skb(size, gfp);
}

/*
 * Room for a buffer of at least @least bytes of data behind @headroom others, in what is left of
 * @frag; *@room is how many there may be. Only the owner of @frag may write there. The pages come
 * again when all that was taken from them is free.
 */
void *quic_helper_page_frag_room(struct page_frag *frag, unsigned int headroom,
				 unsigned int least, unsigned int *room)
{
	unsigned int min = SKB_HEAD_ALIGN(headroom + least);

	/* Without memory for many pages this gets one, however much was asked for. */
	if (!skb_page_frag_refill(min, frag, GFP_ATOMIC | __GFP_NOWARN) ||
	    frag->size - frag->offset < min)
		return NULL;
	/* Whatever is taken is a multiple of the alignment, and so is this. */
	*room = frag->size - frag->offset - SKB_HEAD_ALIGN(0) - headroom;
	return page_address(frag->page) + frag->offset + headroom;
}

/* Takes that room, or its beginning: a buffer of @len bytes, which are written. */
struct sk_buff *quic_helper_page_frag_take(struct page_frag *frag, unsigned int headroom,
					   unsigned int len)
{
	unsigned int size = SKB_HEAD_ALIGN(headroom + len);
	struct sk_buff *skb = build_skb(page_address(frag->page) + frag->offset, size);

	if (!skb)
		return NULL;
	get_page(frag->page);
	frag->offset += size;
	skb_reserve(skb, headroom);
	skb_put(skb, len);
	return skb;
}

void quic_helper_page_frag_put(struct page_frag *frag)
{
	if (frag->page)
		put_page(frag->page);
}

void quic_helper_skb_reserve(struct sk_buff *skb, int len)
{
	skb_reserve(skb, len);
}

unsigned char *quic_helper_skb_transport_header(const struct sk_buff *skb)
{
	return skb_transport_header(skb);
}

unsigned char *quic_helper_skb_network_header(const struct sk_buff *skb)
{
	return skb_network_header(skb);
}

unsigned int quic_helper_skb_headroom(const struct sk_buff *skb)
{
	return skb_headroom(skb);
}

int quic_helper_skb_linearize_cow(struct sk_buff *skb)
{
	return skb_linearize_cow(skb);
}

void quic_helper_skb_orphan(struct sk_buff *skb)
{
	skb_orphan(skb);
}

void quic_helper_skb_dst_drop(struct sk_buff *skb)
{
	skb_dst_drop(skb);
}

unsigned int quic_helper_skb_gso_size(const struct sk_buff *skb)
{
	return skb_is_gso(skb) ? skb_shinfo(skb)->gso_size : 0;
}

void quic_helper_skb_clear_gso(struct sk_buff *skb)
{
	skb_gso_reset(skb);
}

void quic_helper_skb_set_udp_gso(struct sk_buff *skb, unsigned int size,
				 unsigned int segs)
{
	skb_shinfo(skb)->gso_size = size;
	skb_shinfo(skb)->gso_segs = segs;
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) - sizeof(struct udphdr);
	skb->csum_offset = offsetof(struct udphdr, check);
}

/*
 * The flow label of a packet: a keyed hash of addresses and ports, so that it
 * tells nobody that two paths are of one connection (RFC 9000 9.7), unless the
 * system or IPV6_AUTOFLOWLABEL of the socket want none.
 */
static __be32 flow_label(struct net *net, const struct sock *sk, struct sk_buff *skb,
			 const struct in6_addr *saddr, const struct in6_addr *daddr,
			 const struct udphdr *uh)
{
	bool wanted = inet6_test_bit(AUTOFLOWLABEL_SET, sk) ?
		      inet6_test_bit(AUTOFLOWLABEL, sk) : ip6_default_np_autolabel(net);
	struct flowi6 flow = {
		.saddr = *saddr,
		.daddr = *daddr,
		.flowi6_proto = IPPROTO_UDP,
		.fl6_sport = uh->source,
		.fl6_dport = uh->dest,
	};

	/* RFC 9000 9.7 #1, RFC 9000 9.7 #2 */
	return ip6_make_flowlabel(net, skb, 0, wanted, &flow);
}

/*
 * Sends a datagram by IPv6.  udp_tunnel6_xmit_skb() will not do: what comes by
 * it counts as the packet of a device on top of another one, and the IP layer
 * keeps to the route's MTU then, whatever IPV6_MTU_DISCOVER says.
 */
void quic_helper_udp6_xmit(struct dst_entry *dst, struct sock *sk, struct sk_buff *skb,
			   const struct in6_addr *saddr, const struct in6_addr *daddr,
			   u8 tos, u8 ttl, __be16 sport, __be16 dport)
{
	/* Not the device's: that of a route whose device has gone is in the first one. */
	struct net *net = sock_net(sk);
	struct ipv6hdr *ip6h;
	struct udphdr *uh;

	uh = __skb_push(skb, sizeof(*uh));
	skb_reset_transport_header(skb);
	uh->source = sport;
	uh->dest = dport;
	udp_set_len(uh, skb->len);
	skb_dst_set(skb, dst);
	udp6_set_csum(false, skb, saddr, daddr, skb->len);

	ip6h = __skb_push(skb, sizeof(*ip6h));
	skb_reset_network_header(skb);
	ip6_flow_hdr(ip6h, tos, flow_label(net, sk, skb, saddr, daddr, uh));
	ip6h->nexthdr = IPPROTO_UDP;
	ip6h->hop_limit = ttl;
	ip6h->saddr = *saddr;
	ip6h->daddr = *daddr;
	memset(skb->cb, 0, sizeof(struct inet6_skb_parm));
	ip6_local_out(net, sk, skb);
}

/* SO_PRIORITY and SO_MARK. */
void quic_helper_skb_set_marks(struct sk_buff *skb, const struct sock *sk)
{
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
}

void quic_helper_skb_set_delivery_time(struct sk_buff *skb, u64 ns)
{
	skb_set_delivery_time(skb, ns_to_ktime(ns), SKB_CLOCK_MONOTONIC);
}

bool quic_helper_skb_csum_bad(struct sk_buff *skb)
{
	return udp_lib_checksum_complete(skb);
}

int quic_helper_skb_iif(const struct sk_buff *skb, bool v6)
{
	return v6 ? inet6_iif(skb) : inet_iif(skb);
}

/*
 * A buffer of its own for @len bytes of data of a received packet from @at on,
 * with the headers before them and all else that is known of the packet.
 */
struct sk_buff *quic_helper_skb_copy_udp(const struct sk_buff *skb,
					 unsigned int at, unsigned int len,
					 gfp_t gfp)
{
	unsigned int headers = -skb_network_offset(skb);
	struct sk_buff *copy = alloc_skb(headers + len, gfp);

	if (!copy)
		return NULL;
	skb_put_data(copy, skb_network_header(skb), headers);
	skb_reset_network_header(copy);
	skb_set_transport_header(copy, skb_transport_offset(skb) + headers);
	skb_pull(copy, headers);
	skb_put_data(copy, skb->data + at, len);
	memcpy(copy->cb, skb->cb, sizeof(copy->cb));
	copy->protocol = skb->protocol;
	copy->skb_iif = skb->skb_iif;
	copy->mark = skb->mark;
	copy->priority = skb->priority;
	copy->tstamp = skb->tstamp;
	copy->tstamp_type = skb->tstamp_type;
	skb_shinfo(copy)->gso_size = skb_shinfo(skb)->gso_size;
	skb_shinfo(copy)->gso_segs = skb_shinfo(skb)->gso_segs;
	skb_shinfo(copy)->gso_type = skb_shinfo(skb)->gso_type;
	return copy;
}

/* The VRF that a packet came by, 0 for none. */
int quic_helper_skb_vrf(const struct sk_buff *skb, bool v6)
{
	bool by_vrf = v6 ? ipv6_l3mdev_skb(IP6CB(skb)->flags) :
			   ipv4_l3mdev_skb(IPCB(skb)->flags);

	return by_vrf ? skb->skb_iif : 0;
}

/*
 * Whether a packet was sent to this host, and not to many: the link layer may
 * have done that too, for an address that is none of many.
 */
bool quic_helper_skb_is_to_host(const struct sk_buff *skb)
{
	if (skb->pkt_type != PACKET_HOST)
		return false;
	if (skb->protocol == htons(ETH_P_IPV6))
		return !ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
	return !ipv4_is_multicast(ip_hdr(skb)->daddr) &&
	       !ipv4_is_lbcast(ip_hdr(skb)->daddr);
}

bool quic_helper_skb_is_ipv6(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IPV6);
}

void quic_helper_skb_clear_dev(struct sk_buff *skb)
{
	skb->dev = NULL;
}

/* The UDP socket below. */

/*
 * Sockets for which this holds may be bound to one port, as with SO_REUSEPORT.
 * No user's socket has that owner, so that none can be bound among them.
 */
void quic_helper_udp_share_port(struct sock *sk, bool yes)
{
	kuid_t root = make_kuid(sock_net(sk)->user_ns, 0);

	WRITE_ONCE(sk->sk_uid, yes ? INVALID_UID : root);
	sk->sk_reuseport = yes;
}

static int bind_udp(struct socket *sock, const struct udp_port_cfg *cfg)
{
	struct sockaddr_in6 addr6 = {
		.sin6_family = AF_INET6,
		.sin6_port = cfg->local_udp_port,
	};
	struct sockaddr_in addr4 = {
		.sin_family = AF_INET,
		.sin_port = cfg->local_udp_port,
	};

	if (cfg->family == AF_INET) {
		addr4.sin_addr = cfg->local_ip;
		return kernel_bind(sock, (struct sockaddr_unsized *)&addr4,
				   sizeof(addr4));
	}
	addr6.sin6_addr = cfg->local_ip6;
	return kernel_bind(sock, (struct sockaddr_unsized *)&addr6,
			   sizeof(addr6));
}

/*
 * Its lock is taken below that of a socket which may be of the same family, and
 * one of the kernel's own too, so that lockdep would take both for one.
 */
static void set_udp_lock_class(struct sock *sk)
{
	static struct lock_class_key keys[2], slock_keys[2];

	if (sk->sk_family == AF_INET)
		sock_lock_init_class_and_name(sk, "slock-AF_INET-QUIC-UDP", &slock_keys[0],
					      "sk_lock-AF_INET-QUIC-UDP", &keys[0]);
	else
		sock_lock_init_class_and_name(sk, "slock-AF_INET6-QUIC-UDP", &slock_keys[1],
					      "sk_lock-AF_INET6-QUIC-UDP", &keys[1]);
}

/*
 * As udp_sock_create(), for a socket that is not connected and has checksums.
 * With @share it may be bound beside those of quic_helper_udp_share_port().
 */
int quic_helper_udp_create(struct net *net, const struct udp_port_cfg *cfg,
			   bool share, struct socket **sockp)
{
	struct socket *sock;
	int err;

	err = sock_create_kern(net, cfg->family, SOCK_DGRAM, 0, &sock);
	if (err)
		return err;
	set_udp_lock_class(sock->sk);
	if (cfg->ipv6_v6only)
		err = ip6_sock_set_v6only(sock->sk);
	if (!err && cfg->bind_ifindex)
		err = sock_bindtoindex(sock->sk, cfg->bind_ifindex, true);
	quic_helper_udp_share_port(sock->sk, share);
	if (!err)
		err = bind_udp(sock, cfg);
	quic_helper_udp_share_port(sock->sk, false);
	if (err)
		sock_release(sock);
	else
		*sockp = sock;
	return err;
}

void quic_helper_udp_accept_batches(struct sock *sk)
{
	udp_set_bit(GRO_ENABLED, sk);
	udp_set_bit(ACCEPT_L4, sk);
}

/* ICMP messages to this socket leave what routes know of the path's MTU alone. */
void quic_helper_udp_ignore_pmtu(struct sock *sk)
{
	WRITE_ONCE(inet_sk(sk)->pmtudisc, IP_PMTUDISC_INTERFACE);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		WRITE_ONCE(inet6_sk(sk)->pmtudisc, IPV6_PMTUDISC_INTERFACE);
#endif
}

/*
 * As udp_tunnel_sock_release(), which in some kernels waits for a grace period:
 * the memory goes after one, and nobody has to wait for it here.
 */
void quic_helper_udp_sock_close(struct sock *sk)
{
	struct socket *sock = sk->sk_socket;

	rcu_assign_sk_user_data(sk, NULL);
	kernel_sock_shutdown(sock, SHUT_RDWR);
	sock_release(sock);
}

void quic_helper_sk_no_busy_poll(struct sock *sk)
{
#ifdef CONFIG_NET_RX_BUSY_POLL
	WRITE_ONCE(sk->sk_ll_usec, 0);
#endif
}

void *quic_helper_sk_user_data(const struct sock *sk)
{
	return rcu_dereference_sk_user_data(sk);
}

/*
 * The IP layer shall let packets of any size that the device takes pass, whatever
 * ICMP said of the path: else a forged message could stop a connection, and no
 * probe would ever find out that the path has widened.  The user may choose
 * otherwise by IP_MTU_DISCOVER.
 */
void quic_helper_sk_probe_pmtu(struct sock *sk)
{
	WRITE_ONCE(inet_sk(sk)->pmtudisc, IP_PMTUDISC_PROBE);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && inet6_sk(sk))
		WRITE_ONCE(inet6_sk(sk)->pmtudisc, IPV6_PMTUDISC_PROBE);
#endif
}

/* Whether sockets of no device take what comes by VRFs. */
bool quic_helper_udp_takes_vrfs(const struct sock *sk)
{
#ifdef CONFIG_NET_L3_MASTER_DEV
	return READ_ONCE(sock_net(sk)->ipv4.sysctl_udp_l3mdev_accept);
#else
	return true;
#endif
}

unsigned short quic_helper_inet_num(const struct sock *sk)
{
	return inet_sk(sk)->inet_num;
}

/* Routes. */

/*
 * What the device or the administrator says.  What ICMP said of the path is
 * left out: anybody may have sent that, and QUIC probes for itself.
 */
u32 quic_helper_dst_mtu(const struct dst_entry *dst)
{
	u32 route = dst_metric_raw(dst, RTAX_MTU);
	u32 device;

	rcu_read_lock();
	device = READ_ONCE(dst_dev_rcu(dst)->mtu);
	rcu_read_unlock();

#if IS_ENABLED(CONFIG_IPV6)
	if (dst->ops->family == AF_INET6 &&
	    dst_rt6_info(dst)->rt6i_flags & RTF_CACHE)
		route = 0;
#endif
	return route ? min(route, device) : device;
}

bool quic_helper_dst_check(struct dst_entry *dst, u32 cookie)
{
	return dst_check(dst, cookie);
}

void quic_helper_dst_hold(struct dst_entry *dst)
{
	dst_hold(dst);
}

/* Whether an IPv4 route leads to one host. */
bool quic_helper_rt_is_unicast(const struct rtable *rt)
{
	return !(rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST));
}

u32 quic_helper_dst_cookie6(struct dst_entry *dst)
{
	return rt6_get_cookie(dst_rt6_info(dst));
}

int quic_helper_ip4_dst_hoplimit(const struct dst_entry *dst)
{
	return ip4_dst_hoplimit(dst);
}

/* Work. */

void quic_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

void quic_helper_init_delayed_work(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}

bool quic_helper_queue_delayed_work(struct workqueue_struct *wq,
				    struct delayed_work *work, unsigned int ms)
{
	return queue_delayed_work(wq, work, msecs_to_jiffies(ms));
}

void quic_helper_init_rcu_work(struct rcu_work *work, work_func_t func)
{
	INIT_RCU_WORK(work, func);
}

/* Hashes. */

u64 quic_helper_siphash(const void *data, size_t len, const siphash_key_t *key)
{
	return siphash(data, len, key);
}

/*
 * Flags that stand for nothing but themselves.  Others have a count elsewhere
 * that goes down when the socket is destroyed (SOCK_TIMESTAMP), or go with a
 * field that is not inherited (SOCK_TIMESTAMPING_ANY, SOCK_FILTER_LOCKED).
 */
#define INHERITED_FLAGS							\
	(BIT(SOCK_URGINLINE) | BIT(SOCK_KEEPOPEN) | BIT(SOCK_LINGER) |	\
	 BIT(SOCK_BROADCAST) | BIT(SOCK_DBG) | BIT(SOCK_RCVTSTAMP) |	\
	 BIT(SOCK_RCVTSTAMPNS) | BIT(SOCK_TSTAMP_NEW) |			\
	 BIT(SOCK_LOCALROUTE) | BIT(SOCK_RXQ_OVFL) |			\
	 BIT(SOCK_WIFI_STATUS) | BIT(SOCK_NOFCS) |			\
	 BIT(SOCK_SELECT_ERR_QUEUE) | BIT(SOCK_RCVMARK) |		\
	 BIT(SOCK_RCVPRIORITY))

/* What a socket made by accept() takes from its listener. */
void quic_helper_sk_inherit(struct sock *sk, struct sock *parent)
{
	struct inet_sock *inet = inet_sk(sk), *from = inet_sk(parent);

	sk->sk_family = parent->sk_family;
	sk->sk_type = parent->sk_type;
	sk->sk_protocol = parent->sk_protocol;
	sk->sk_backlog_rcv = parent->sk_prot->backlog_rcv;
	sk->sk_reuse = parent->sk_reuse;
	sk->sk_reuseport = parent->sk_reuseport;
	sk->sk_ipv6only = parent->sk_ipv6only;
	sk->sk_bound_dev_if = parent->sk_bound_dev_if;
	sk->sk_flags |= parent->sk_flags & INHERITED_FLAGS;
	sk->sk_userlocks = parent->sk_userlocks;
	sk->sk_sndbuf = READ_ONCE(parent->sk_sndbuf);
	sk->sk_rcvbuf = READ_ONCE(parent->sk_rcvbuf);
	sk->sk_rcvtimeo = READ_ONCE(parent->sk_rcvtimeo);
	sk->sk_sndtimeo = READ_ONCE(parent->sk_sndtimeo);
	sk->sk_lingertime = parent->sk_lingertime;
	sk->sk_mark = READ_ONCE(parent->sk_mark);
	sk->sk_priority = READ_ONCE(parent->sk_priority);
	sk->sk_max_pacing_rate = READ_ONCE(parent->sk_max_pacing_rate);
	sk->sk_uid = parent->sk_uid;
	security_sk_clone(parent, sk);

	inet->inet_flags = from->inet_flags;
	inet->tos = READ_ONCE(from->tos);
	inet->uc_ttl = READ_ONCE(from->uc_ttl);
	inet->pmtudisc = READ_ONCE(from->pmtudisc);
	inet->mc_ttl = 1;
	atomic_set(&inet->inet_id, 0);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		struct ipv6_pinfo *np, *from6 = inet6_sk(parent);

		np = (void *)sk + sk->sk_prot->ipv6_pinfo_offset;
		inet->pinet6 = np;
		np->hop_limit = READ_ONCE(from6->hop_limit);
		np->mcast_hops = IPV6_DEFAULT_MCASTHOPS;
		np->tclass = READ_ONCE(from6->tclass);
		np->pmtudisc = READ_ONCE(from6->pmtudisc);
		sk->sk_destruct = inet6_sock_destruct;
		return;
	}
#endif
	sk->sk_destruct = inet_sock_destruct;
}

/* Files below /proc/net. */

struct proc_dir_entry *quic_helper_proc_net_dir(struct net *net,
						const char *name)
{
	return proc_net_mkdir(net, name, net->proc_net);
}

void quic_helper_proc_net_remove(struct net *net, const char *name)
{
	remove_proc_subtree(name, net->proc_net);
}

struct net *quic_helper_seq_single_net(struct seq_file *m)
{
	return seq_file_single_net(m);
}

void quic_helper_seq_put_pointer(struct seq_file *m, const void *ptr)
{
	seq_printf(m, "%pK", ptr);
}
