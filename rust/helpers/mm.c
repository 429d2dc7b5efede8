// SPDX-License-Identifier: GPL-2.0

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/skbuff_ref.h>
#include <net/dst.h>

struct sk_buff *quic_helper_skb_get(struct sk_buff *skb)
{
	return skb_get(skb);
}

/*
 * Makes the data of a received buffer linear and writable, and cuts the buffer
 * loose from sockets, routes and extensions. Fails for a shared buffer.
 */
int quic_helper_skb_make_exclusive(struct sk_buff *skb)
{
	int err;

	if (skb_shared(skb))
		return -EBUSY;
	err = skb_linearize_cow(skb);
	if (err)
		return err;
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb_ext_reset(skb);
	nf_reset_ct(skb);
	return 0;
}

/* For a buffer that was made exclusive and leaves the stack's hands for good. */
void quic_helper_skb_set_destructor(struct sk_buff *skb,
				    void (*destructor)(struct sk_buff *skb))
{
	skb->destructor = destructor;
}

void quic_helper_skb_put_data(struct sk_buff *skb, const void *data,
			      unsigned int len)
{
	skb_put_data(skb, data, len);
}

unsigned int quic_helper_skb_headlen(const struct sk_buff *skb)
{
	return skb_headlen(skb);
}
