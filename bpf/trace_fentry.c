// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Refill and slow path, traced by BPF trampoline: as much of it as the events asked for need. */

#ifdef REFILL_FUNCTION
ENTRY(REFILL_FUNCTION, struct page_pool *pool)
{
	note_refill((u64)pool);
	return 0;
}

EXIT(REFILL_FUNCTION, struct page_pool *pool, u64 page)
{
	note_refill(0);
	return 0;
}
#endif

#ifdef SLOW_FUNCTION
/*
 * Before 6.11 this returns a struct page *, and the verifier lets nobody look at the bits of a pointer that it knows:
 * what the page is comes from the context by the helper, as a number.
 */
EXIT(SLOW_FUNCTION, struct page_pool *pool, u64 gfp, u64 page)
{
	if (page)
		tell_slow(ctx, (u64)pool, read_u64((u64)&ctx[2]), pp_cache_count((u64)pool) + 1);
	return 0;
}
#endif
