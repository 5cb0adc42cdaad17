// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Allocations by BPF trampoline, on every function that has the fast path in it. The exit is for a refill that is inside
 * the allocation: what is left of it ends with it.
 */

int alloc_entry(trampoline *ctx)
{
	begin_alloc(ctx[0]);
	return 0;
}

#ifdef INLINED_REFILL
int alloc_exit(trampoline *ctx)		/* page_pool_alloc_pages(pool, gfp) */
{
	end_refill(ctx[0], ctx[2] != 0);
	return 0;
}
#endif
