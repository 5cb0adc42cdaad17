// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The refill of a pool's cache from its ring, and the slow path behind it: once per 64 pages.
 *
 * Both are noinline since they exist, so both can always be hooked. Before kernel commit 44768decb7c0 ("page_pool: handle
 * page recycle for NUMA_NO_NODE condition", 5.6) the refill is inside the allocation (INLINED_REFILL): an allocation
 * that finds the cache empty is one, until it leaves or enters the slow path.
 */

/* First sight of a pool is here at the latest: before this refill changes its ring, cache and count of releases. */
static void begin_refill(u64 pool)
{
	struct refilling *r = this_refill();
	u32 *entry = entry_of(pool);

	if (!r || !entry)
		return;
	r->pool = pool;
	r->entry = *entry;
	r->ring_head = pp_ring_head(pool);
}

/* The index of the histogram bucket with upper bounds 0 1 2 4 8 16 32 64. */
static u32 bucket_of(u32 pages)
{
	return (pages > 0) + (pages > 1) + (pages > 2) + (pages > 4) + (pages > 8) + (pages > 16) + (pages > 32);
}

/*
 * The cache was empty at entry, so the batch is what is in it now and the page handed out. A page that the ring gave
 * and the batch lacks was on the wrong node: at most one a refill, since the kernel stops there.
 */
static void end_refill(u64 pool, bool handed_out)
{
	struct refilling *r = this_refill();
	u32 pages = pp_cache_count(pool) + handed_out, head = pp_ring_head(pool);
	struct slot *s;

	if (!r || r->pool != pool)	/* none, or attached in the midst of it */
		return;
	r->pool = 0;
	s = slot_at(r->entry, bpf_get_smp_processor_id(), pool);
	if (!s)
		return;
	note_consumer(r->entry);
	s->batch[bucket_of(pages) & (BATCHES - 1)]++;
	s->batch_pages += pages;
	if (!pages)
		s->miss[head == r->ring_head ? MISS_RING_EMPTY : MISS_NUMA]++;
#ifdef MISMATCH_FROM_RING
	u32 taken = head >= r->ring_head ? head - r->ring_head : head + pp_ring_size(pool) - r->ring_head;

	u64 *cell = taken > pages ? mismatch_cell(s, UNKNOWN_NODE, wanted_node(pool)) : 0;
	if (cell)
		*cell += taken - pages;
#endif
}

/* The slow path puts a bulk from the page allocator into the empty cache and hands out one of it. */
static void end_slow(u64 pool, bool handed_out)
{
	struct slot *s = slot_of(pool);
	u32 pages = pp_cache_count(pool) + handed_out;

	if (!s || !pages)
		return;
	s->slow++;
	s->held += pages;
}
