// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A refill from its entry to its exit: a page that is returned in between was on the wrong node (bpf/return_refill.c). */

/* First sight of a pool is here at the latest: before this refill changes its ring, cache and count of releases. */
static void begin_refill(u64 pool)
{
	struct cpu *c = this_cpu();

	if (!c || !slot_of(c, pool))
		return;
	c->refilling = pool;
	c->ring_head = HOOKED_U32(pool, PP_RING_CONSUMER_HEAD);
}

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
	count_batch(s, pages);
	if (!pages)
		s->miss[HOOKED_U32(pool, PP_RING_CONSUMER_HEAD) == c->ring_head ? MISS_RING_EMPTY : MISS_NUMA]++;
}
