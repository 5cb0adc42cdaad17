// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Every allocation, once per page: one that finds the cache filled is served from it (the kernel's alloc_stats.fast).
 * The others go to refill and slow path, which are hooked anyway. Puts need no hook: what went into cache and ring is
 * what came out of them and what is in them.
 *
 * Hooked is every function that has the fast path in it. Where the refill is inside the allocation (INLINED_REFILL), what
 * is left of it ends with the allocation.
 */
#include "count/refill.h"
#include "program.h"

static void begin_alloc(u64 pool)
{
	struct cpu *c;
	struct slot *s;

	if (!HOOKED_U32(pool, PP_ALLOC_COUNT)) {
#ifdef INLINED_REFILL
		begin_refill(pool);
#endif
		return;
	}
	c = this_cpu();
	s = c ? slot_of(c, pool) : 0;
	if (!s)
		return;
	note_consumer(s); /* it may have moved, and live on what its cache holds */
	s->alloc_cache++;
}

int alloc_entry(context *ctx)
{
	begin_alloc(FIRST_ARGUMENT(ctx));
	return 0;
}

#if defined(INLINED_REFILL) && defined(BY_TRAMPOLINE)
int alloc_exit(context *ctx) /* page_pool_alloc_pages(pool, gfp) */
{
	end_refill(ctx[0], ctx[2] != 0);
	return 0;
}
#elif defined(INLINED_REFILL)
int alloc_exit(context *ctx)
{
	struct cpu *c = this_cpu();

	if (c && c->refilling)
		end_refill(c->refilling, PT_REGS_RC(ctx) != 0);
	return 0;
}
#endif
