// SPDX-License-Identifier: GPL-2.0
/*
 * Random sequences of system calls on several QUIC sockets, judged by a model
 * of what each call may answer in each state.
 *
 * QUIC_RANDOM_SEED	seed of the first round (default: a fixed one)
 * QUIC_RANDOM_ROUNDS	rounds, each from its own seed (default 4)
 * QUIC_RANDOM_STEPS	calls in a round (default 2000)
 * QUIC_RANDOM_FAULTS	memory may run out (fault injection is on)
 * QUIC_RANDOM_VERBOSE	print every call
 *
 * A round that fails prints its seed: the same calls come with that seed and
 * one round.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "quic_random.h"

/* So many wrong answers are told before the test gives up. */
#define MOST_WRONG	20

static __u64 setting(const char *name, __u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* A page that can be used, and behind it one that cannot. */
static unsigned char *edge_page(void)
{
	size_t page = getpagesize();
	unsigned char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + page, page, PROT_NONE))
		return NULL;
	return p;
}

static int long_seconds(void)
{
	__u64 steps = setting("QUIC_RANDOM_ROUNDS", 4) * setting("QUIC_RANDOM_STEPS", 2000);

	return qk_test_seconds() * (1 + steps / 20000);
}

FIXTURE(random_calls) {
	struct rd rd;
};

FIXTURE_SETUP(random_calls)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->rd.page = edge_page();
	self->rd.faults = setting("QUIC_RANDOM_FAULTS", 0);
	ASSERT_NE(NULL, self->rd.page);
}

FIXTURE_TEARDOWN(random_calls)
{
	rd_close_all(&self->rd);
}

TEST_F_TIMEOUT(random_calls, every_answer_is_one_that_the_state_allows, long_seconds())
{
	__u64 seed = setting("QUIC_RANDOM_SEED", 20261126);
	__u64 rounds = setting("QUIC_RANDOM_ROUNDS", 4);
	__u64 steps = setting("QUIC_RANDOM_STEPS", 2000);
	struct rd *r = &self->rd;
	__u64 i, wrong = 0;

	for (i = 0; i < rounds; i++) {
		r->rng = seed + i;
		for (r->step = 0; r->step < steps && wrong < MOST_WRONG;) {
			if (rd_step(r))
				continue;
			wrong++;
			TH_LOG("QUIC_RANDOM_SEED=%llu QUIC_RANDOM_ROUNDS=1, call %llu: %s",
			       seed + i, r->step, r->what);
		}
		rd_close_all(r);
	}
	EXPECT_EQ(0, wrong);
	TH_LOG("%llu rounds of %llu calls from seed %llu", rounds, steps, seed);
}

TEST_HARNESS_MAIN
