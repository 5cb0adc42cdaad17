// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Refill and slow path, traced by BPF trampoline: as much of it as the events asked for need. */

#ifdef HOOK_REFILL
int refill_entry(trampoline *ctx)
{
	note_refill(ctx[0]);
	return 0;
}

int refill_exit(trampoline *ctx)
{
	note_refill(0);
	return 0;
}
#endif

#ifdef HOOK_SLOW
/*
 * Before 6.11 this returns a struct page *, and the verifier lets nobody look at the bits of a pointer that it knows:
 * what the page is comes from the context by the helper, as a number.
 */
int slow_exit(trampoline *ctx)		/* __page_pool_alloc_netmems_slow(pool, gfp) */
{
	u64 pool = ctx[0], page = ctx[2];

	if (page)
		tell_slow(ctx, pool, read_u64((u64)&ctx[2]), pp_cache_count(pool) + 1);
	return 0;
}
#endif
