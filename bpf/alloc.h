// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Every allocation, once per page: one that finds the cache filled is served from it (the kernel's alloc_stats.fast).
 * The others go to refill and slow path, which are hooked anyway. Puts need no hook: what went into cache and ring is
 * what came out of them and what is in them.
 */

static void begin_alloc(u64 pool)
{
	u32 *entry;
	struct slot *s;

	if (!pp_cache_count(pool)) {
#ifdef INLINED_REFILL
		begin_refill(pool);
#endif
		return;
	}
	entry = entry_of(pool);
	s = entry ? slot_at(*entry, bpf_get_smp_processor_id(), pool) : 0;
	if (!s)
		return;
	note_consumer(*entry);		/* it may have moved, and live on what its cache holds */
	s->alloc_cache++;
}
