// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The refill of a pool's cache from its ring: once per 64 pages.
 *
 * It is noinline since it exists, as the slow path behind it is, so both can always be hooked. Before kernel commit
 * 44768decb7c0 ("page_pool: handle page recycle for NUMA_NO_NODE condition", 5.6) the refill is inside the allocation
 * (INLINED_REFILL): an allocation that finds the cache empty is one, until it leaves or enters the slow path.
 */
#include "slot.h"

/* The index of the histogram bucket with upper bounds 0 1 2 4 8 16 32 64: mostly the last, or the first. */
static u64 bucket_of(u64 pages)
{
	if (pages > 32)
		return BATCHES - 1;
	return (pages > 0) + (pages > 1) + (pages > 2) + (pages > 4) + (pages > 8) + (pages > 16);
}

#ifdef MISMATCH_FROM_RING
/*
 * A page that the ring gave and the batch lacks was on the wrong node: one a refill, since the kernel stops there. It
 * leaves the ring's consumer one further than the batch does, however small the ring.
 */
static void count_mismatch(struct slot *s, u64 pool, u64 from, u64 head, u64 pages)
{
	u64 size, *cell;

	if (head == from + pages) /* as nearly always */
		return;
	size = HOOKED_U32(pool, PP_RING_SIZE);
	if (size < 2 || head != (from + pages + 1) % size)
		return;
	cell = mismatch_cell(s, UNKNOWN_NODE, wanted_node(pool));
	if (cell)
		*cell += 1;
}
#endif

/*
 * A refill that found the ring's consumer at *from* and left it at *head*. The cache was empty before, so the batch is
 * what is in it now and the page handed out.
 */
static void count_refill(struct slot *s, u64 pool, u64 from, u64 head, bool handed_out)
{
	u64 pages = HOOKED_U32(pool, PP_ALLOC_COUNT) + handed_out;

	s->batch[bucket_of(pages)]++;
	s->batch_pages += pages;
	if (!pages)
		s->miss[head == from ? MISS_RING_EMPTY : MISS_NUMA]++;
#ifdef MISMATCH_FROM_RING
	count_mismatch(s, pool, from, head, pages);
#endif
}

#ifdef REFILL_BY_EXIT
/* The pool's entry, also where no slot was left. */
static struct pool *pool_of(struct slot *s, u64 pool)
{
	u32 *entry = s ? &s->entry : known_entry(pool);

	return entry ? pools.lookup(entry) : 0;
}

/*
 * Nobody but its refills takes from the ring of a pool in use, so the last one left the consumer where this one found
 * it. One that is first sight of a pool in use is not counted: what it changed is what the pool is known with.
 */
static void end_refill(u64 pool, bool handed_out)
{
	struct cpu *c = this_cpu();
	struct pool *p;
	struct slot *s;
	u32 from, head;

	if (!c)
		return;
	c->first_sight = 0;
	s = slot_of(c, pool);
	p = pool_of(s, pool);
	if (!p)
		return;
	from = p->ring_head;
	head = HOOKED_U32(pool, PP_RING_CONSUMER_HEAD);
	p->ring_head = head;
	p->consumer_cpu = c->number;
	if (s && !(c->first_sight && p->first_hold))
		count_refill(s, pool, from, head, handed_out);
}
#else
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

	if (!c || c->refilling != pool) /* none, or attached in the midst of it */
		return;
	c->refilling = 0;
	s = slot_of(c, pool);
	if (!s)
		return;
	note_consumer(s);
	count_refill(s, pool, c->ring_head, HOOKED_U32(pool, PP_RING_CONSUMER_HEAD), handed_out);
}
#endif
