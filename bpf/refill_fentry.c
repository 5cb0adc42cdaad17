// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Refill and slow path by BPF trampoline: exit programs see the arguments, so the slow path needs no entry, and at level
 * lean the refill needs none. A refill that is inside the allocation ends where the slow path begins.
 */

#ifdef INLINED_REFILL
ENTRY(SLOW_FUNCTION, struct page_pool *pool)
{
	end_refill((u64)pool, false);	/* it gave nothing */
	return 0;
}
#else
#ifndef REFILL_BY_EXIT
ENTRY(REFILL_FUNCTION, struct page_pool *pool)
{
	begin_refill((u64)pool);
	return 0;
}
#endif

EXIT(REFILL_FUNCTION, struct page_pool *pool, u64 page)
{
	end_refill((u64)pool, page != 0);
	return 0;
}
#endif

EXIT(SLOW_FUNCTION, struct page_pool *pool, u64 gfp, u64 page)
{
	end_slow((u64)pool, page != 0);
	return 0;
}
