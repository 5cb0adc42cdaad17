// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What is traced by BPF trampoline: as much of it as the events asked for need. */

struct page_pool;

#define ENTRY(function, args...) KFUNC_PROBE(function, args)
#define EXIT(function, args...) KRETFUNC_PROBE(function, args)

#ifdef REFILL_FUNCTION
ENTRY(REFILL_FUNCTION, struct page_pool *pool)
{
	begin_refill((u64)pool);
	return 0;
}

EXIT(REFILL_FUNCTION, struct page_pool *pool, u64 page)
{
	end_refill();
	return 0;
}
#endif

#ifdef SLOW_FUNCTION
/*
 * Up to 6.11 this returns a struct page *, and the verifier lets nobody look at the bits of a pointer that it knows:
 * what the page is comes from the context by the helper, as a number.
 */
EXIT(SLOW_FUNCTION, struct page_pool *pool, u64 gfp, u64 page)
{
	if (page)
		tell_slow(ctx, (u64)pool, read_u64((u64)&ctx[2]), pp_cache_count((u64)pool) + 1);
	return 0;
}
#endif

#ifdef CREATE_FUNCTION
#ifdef CREATE_PERCPU
EXIT(CREATE_FUNCTION, u64 parameters, u64 cpu, u64 pool)
#else
EXIT(CREATE_FUNCTION, u64 parameters, u64 pool)
#endif
{
	if (!is_error(pool))
		tell_create(ctx, pool);
	return 0;
}
#endif
