// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The slow path behind a refill: __page_pool_alloc_netmems_slow(pool, gfp). Where the refill is inside the allocation
 * (INLINED_REFILL), it ends where the slow path begins: it gave nothing.
 */
#include "count/refill.h"
#include "program.h"

/* The slow path puts a bulk from the page allocator into the empty cache and hands out one of it. */
static void end_slow(u64 pool, bool handed_out)
{
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of(c, pool) : 0;
	u64 pages = HOOKED_U32(pool, PP_ALLOC_COUNT) + handed_out;

	if (!s || !pages)
		return;
	s->slow++;
	s->held += pages;
}

#ifdef BY_TRAMPOLINE
#ifdef INLINED_REFILL
int slow_entry(context *ctx)
{
	end_refill(ctx[0], false);
	return 0;
}
#endif

int slow_exit(context *ctx)
{
	end_slow(ctx[0], ctx[2] != 0);
	return 0;
}
#else
BPF_PERCPU_ARRAY(slow_pool, u64, 1); /* what the entry leaves behind for the exit */

int slow_entry(context *ctx)
{
	u32 zero = 0;
	u64 pool = PT_REGS_PARM1(ctx);

#ifdef INLINED_REFILL
	end_refill(pool, false);
#endif
	slow_pool.update(&zero, &pool);
	return 0;
}

int slow_exit(context *ctx)
{
	u32 zero = 0;
	u64 *pool = slow_pool.lookup(&zero);

	if (pool && *pool)
		end_slow(*pool, PT_REGS_RC(ctx) != 0);
	return 0;
}
#endif
