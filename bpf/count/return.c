// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A page leaves its pool for the page allocator: tracepoint page_pool_state_release(pool, netmem, release), in every
 * kernel, never inlined, and the cheapest hook there is. __page_pool_return_page, page_pool_return_page and
 * page_pool_return_netmem all fire it; 6.1 inlines them.
 */
#include "page.h"
#include "reason.h"
#include "slot.h"

/*
 * The end of a pool empties its cache, from the top, and then its ring (page_pool_scrub in net/core/page_pool.c): a page
 * of the cache was where the cache now ends. The page that was being cut into fragments, given back first, was in
 * neither, though it may have come from there.
 */
static void count_scrubbed(struct slot *s, u64 pool, u64 netmem)
{
	struct pool *p = pools.lookup(&s->entry);
	u32 count = pp_cache_count(pool);

	if (!p || p->frag_page == netmem)
		return;
	if (read_u64(pool + PP_ALLOC_CACHE + 8ULL * count) == netmem)
		__sync_fetch_and_add(&s->scrubbed[IN_CACHE], 1);
	else if (!count)
		__sync_fetch_and_add(&s->scrubbed[IN_RING], 1);
}

static void count_return(struct slot *s, u64 pool, u64 netmem, u64 reason)
{
	u64 *cell;

	if (reason >= RETURNS)
		return;
	__sync_fetch_and_add(&s->returned[reason], 1);
	if (reason == RETURN_TEARDOWN)
		count_scrubbed(s, pool, netmem);
	if (reason != RETURN_NUMA)
		return;
	cell = mismatch_cell(s, page_node(netmem), wanted_node(pool));
	if (cell)
		__sync_fetch_and_add(cell, 1);
}

#ifdef REASON_BY_STATE
static bool is_torn_down(struct slot *s)
{
	struct pool *p = pools.lookup(&s->entry);

	return p && p->tearing;
}
#endif

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of_return(c, pool) : 0;

	if (!s)
		return 0;
#ifdef REASON_BY_STATE
	count_return(s, pool, netmem, reason_by_state(c, pool, is_torn_down(s), netmem));
#else
	count_return(s, pool, netmem, reason_by_callers(ctx, netmem));
#endif
	return 0;
}
