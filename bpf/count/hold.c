// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Pages that a pool takes from the page allocator, where the kernel refuses function hooks: the first page of a slow
 * refill is the one that finds the cache empty.
 */
#include "slot.h"

/*
 * page_pool_state_hold(pool, netmem, hold): the slow path stores a page in the cache, then fires this, so it is the
 * first of its call where the cache holds one page (or none: a page of higher order is handed out directly).
 */
int page_held(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of(c, pool) : 0;

	if (!s)
		return 0;
	note_consumer(s);
	s->held++;
	if (pp_cache_count(pool) <= 1)
		s->slow++;
	return 0;
}
