// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Refill and slow path by BPF trampoline: exit programs see the arguments, so the slow path needs no entry, and at level
 * lean the refill needs none. A refill that is inside the allocation ends where the slow path begins.
 */

#ifdef INLINED_REFILL
int slow_entry(trampoline *ctx)
{
	end_refill(ctx[0], false);	/* it gave nothing */
	return 0;
}
#else
#ifndef REFILL_BY_EXIT
int refill_entry(trampoline *ctx)
{
	begin_refill(ctx[0]);
	return 0;
}
#endif

int refill_exit(trampoline *ctx)	/* page_pool_refill_alloc_cache(pool) */
{
	end_refill(ctx[0], ctx[1] != 0);
	return 0;
}
#endif

int slow_exit(trampoline *ctx)		/* __page_pool_alloc_netmems_slow(pool, gfp) */
{
	end_slow(ctx[0], ctx[2] != 0);
	return 0;
}
