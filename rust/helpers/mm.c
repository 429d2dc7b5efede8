// SPDX-License-Identifier: GPL-2.0

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/skbuff_ref.h>

struct sk_buff *quic_helper_skb_get(struct sk_buff *skb)
{
	return skb_get(skb);
}

int quic_helper_skb_linearize(struct sk_buff *skb)
{
	return skb_linearize(skb);
}

bool quic_helper_skb_cloned(const struct sk_buff *skb)
{
	return skb_cloned(skb);
}

unsigned int quic_helper_skb_headlen(const struct sk_buff *skb)
{
	return skb_headlen(skb);
}
