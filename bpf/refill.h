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
	struct cpu *c = this_cpu();

	if (!c || !slot_of(c, pool))
		return;
	c->refilling = pool;
	c->ring_head = HOOKED_U32(pool, PP_RING_CONSUMER_HEAD);
}

/* The index of the histogram bucket with upper bounds 0 1 2 4 8 16 32 64: mostly the last, or the first. */
static u64 bucket_of(u64 pages)
{
	if (pages > 32)
		return BATCHES - 1;
	return (pages > 0) + (pages > 1) + (pages > 2) + (pages > 4) + (pages > 8) + (pages > 16);
}

#ifdef MISMATCH_FROM_RING
static void count_mismatch(struct slot *s, u64 pool, u64 from, u64 pages)
{
	u64 head = HOOKED_U32(pool, PP_RING_CONSUMER_HEAD), *cell;
	u64 taken = head >= from ? head - from : head + HOOKED_U32(pool, PP_RING_SIZE) - from;

	if (taken <= pages)
		return;
	cell = mismatch_cell(s, UNKNOWN_NODE, wanted_node(pool));
	if (cell)
		*cell += taken - pages;
}
#endif

/*
 * The cache was empty at entry, so the batch is what is in it now and the page handed out. A page that the ring gave
 * and the batch lacks was on the wrong node: at most one a refill, since the kernel stops there.
 */
static void end_refill(u64 pool, bool handed_out)
{
	struct cpu *c = this_cpu();
	struct slot *s;
	u64 pages;

	if (!c || c->refilling != pool)	/* none, or attached in the midst of it */
		return;
	c->refilling = 0;
	s = slot_of(c, pool);
	if (!s)
		return;
	note_consumer(s);
	pages = HOOKED_U32(pool, PP_ALLOC_COUNT) + handed_out;
	s->batch[bucket_of(pages)]++;
	s->batch_pages += pages;
	if (!pages)
		s->miss[HOOKED_U32(pool, PP_RING_CONSUMER_HEAD) == c->ring_head ? MISS_RING_EMPTY : MISS_NUMA]++;
#ifdef MISMATCH_FROM_RING
	count_mismatch(s, pool, c->ring_head, pages);
#endif
}

/* The slow path puts a bulk from the page allocator into the empty cache and hands out one of it. */
static void end_slow(u64 pool, bool handed_out)
{
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of(c, pool) : 0;
	u64 pages = HOOKED_U32(pool, PP_ALLOC_COUNT) + handed_out;

	if (!s || !pages)
		return;
	s->slow++;
	s->held += pages;
}
