// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Every allocation, once per page: one that finds the cache filled is served from it (the kernel's alloc_stats.fast).
 * The others go to refill and slow path, which are hooked anyway. Puts need no hook: what went into cache and ring is
 * what came out of them and what is in them.
 */

static void begin_alloc(u64 pool)
{
	struct slot *s;

	if (!pp_cache_count(pool)) {
#ifdef INLINED_REFILL
		begin_refill(pool);
#endif
		return;
	}
	s = slot_of(pool);
	if (s)
		s->alloc_cache++;
}
