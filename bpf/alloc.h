// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Every allocation, once per page: one that finds the cache filled is served from it (the kernel's alloc_stats.fast).
 * The others go to refill and slow path, which are hooked anyway. Puts need no hook: what went into cache and ring is
 * what came out of them and what is in them.
 */

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
	note_consumer(s);		/* it may have moved, and live on what its cache holds */
	s->alloc_cache++;
}
