// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Level lean: the exit of a refill tells all. Nobody else takes pages from the ring, so this refill took what lies between
 * where the last one left its consumer and where that stands now. A page that the ring gave and the batch lacks was on
 * the wrong node: at most one, since the kernel stops there.
 */

/* For a kretprobe, which sees no argument. */
static void begin_refill(u64 pool)
{
	struct cpu *c = this_cpu();

	if (c)
		c->refilling = pool;
}

/* Did the ring give a page more than these? A consumer that comes to the ring's end goes on at its beginning. */
static bool gave_another(u64 pool, u64 from, u64 to, u64 pages)
{
	return to != from + pages && to != (from + pages) % HOOKED_U32(pool, PP_RING_SIZE);
}

static void end_refill(u64 pool, bool handed_out)
{
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of(c, pool) : 0;
	struct pool *p = s ? pools.lookup(&s->entry) : 0;
	u64 from, to, pages, *cell;

	if (!p)
		return;
	from = p->ring_head;
	to = HOOKED_U32(pool, PP_RING_CONSUMER_HEAD);
	p->ring_head = to;
	p->consumer_cpu = s->cpu;
	c->refilling = 0;
	if (from == NOT_SEEN)		/* counted from the next one on */
		return;
	pages = HOOKED_U32(pool, PP_ALLOC_COUNT) + handed_out;
	count_batch(s, pages);
	if (!pages)
		s->miss[to == from ? MISS_RING_EMPTY : MISS_NUMA]++;
	cell = gave_another(pool, from, to, pages) ? mismatch_cell(s, UNKNOWN_NODE, wanted_node(pool)) : 0;
	if (cell)
		(*cell)++;
}
