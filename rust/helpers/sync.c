// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/spinlock.h>

void quic_helper_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void quic_helper_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

int quic_helper_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}
