// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Pages that are handed out in fragments. A fragment that is its page's only one has started a page: a new one, or,
 * when all other fragments have come back, the last one anew (kernel commit 53e0961da1c7, "page_pool: add frag page
 * recycling support in page pool", 5.15). That counts as put into the cache and taken from it, as the kernel counts
 * it; the page's node is never looked at.
 */

/* Where this CPU's fragment comes from. They don't nest: a pool has one consumer, and it runs with softirqs off. */
struct cutting {
	u64 pool;			/* 0: none under way */
	u32 cache;			/* what the pool had before */
	u32 ring_head;
	u32 hold_cnt;
};
BPF_PERCPU_ARRAY(cutting, struct cutting, 1);

static struct cutting *this_cut(void)
{
	u32 zero = 0;

	return cutting.lookup(&zero);
}

static void begin_fragment(u64 pool)
{
	struct cutting *c = this_cut();

	if (!c)
		return;
	c->pool = pool;
	c->cache = pp_cache_count(pool);
	c->ring_head = pp_ring_head(pool);
	c->hold_cnt = pp_hold_cnt(pool);
}

/* Was no page taken, from anywhere, since the fragment began? */
static bool nothing_taken(struct cutting *c, u64 pool)
{
	return pp_cache_count(pool) == c->cache && pp_ring_head(pool) == c->ring_head && pp_hold_cnt(pool) == c->hold_cnt;
}

static void end_fragment(bool got)
{
	struct cutting *c = this_cut();
	struct slot *s;
	u64 pool;

	if (!c || !c->pool)		/* attached in the midst of it */
		return;
	pool = c->pool;
	c->pool = 0;
	s = got && pp_frag_users(pool) == 1 ? slot_of(pool) : 0;
	if (!s)
		return;
	if (nothing_taken(c, pool))
		s->frag_reuse++;
#ifdef FRAG_ALLOCATES			/* the compiler put the allocation into this function, as Debian's 6.1 has it */
	else if (pp_cache_count(pool) < c->cache)
		s->alloc_cache++;
#endif
}
