// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Pages that are handed out in fragments. A fragment that is its page's only one has started a page: a new one, or,
 * when all other fragments have come back, the last one anew (kernel commit 53e0961da1c7, "page_pool: add frag page
 * recycling support in page pool", 5.15). That counts as put into the cache and taken from it, as the kernel counts
 * it; the page's node is never looked at.
 */
#include "program.h"
#include "slot.h"

/* Where this CPU's fragment comes from. They don't nest: a pool has one consumer, and it runs with softirqs off. */
struct cutting {
	u64 pool;  /* 0: none under way */
	u64 cache; /* what the pool had before */
	u64 ring_head;
	u64 hold_cnt;
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
	c->cache = HOOKED_U32(pool, PP_ALLOC_COUNT);
	c->ring_head = HOOKED_U32(pool, PP_RING_CONSUMER_HEAD);
	c->hold_cnt = HOOKED_U32(pool, PP_HOLD_CNT);
}

/* Was no page taken, from anywhere, since the fragment began? */
static bool nothing_taken(struct cutting *c, u64 pool)
{
	return HOOKED_U32(pool, PP_ALLOC_COUNT) == c->cache &&
	       HOOKED_U32(pool, PP_RING_CONSUMER_HEAD) == c->ring_head && HOOKED_U32(pool, PP_HOLD_CNT) == c->hold_cnt;
}

static void end_fragment(u64 pool, bool got)
{
	struct cutting *c = this_cut();
	struct cpu *cpu = this_cpu();
	struct slot *s;

	if (!c || !cpu || c->pool != pool) /* attached in the midst of it */
		return;
	c->pool = 0;
	s = got && HOOKED_FRAG_USERS(pool) == 1 ? slot_of(cpu, pool) : 0;
	if (!s)
		return;
	if (nothing_taken(c, pool))
		s->frag_reuse++;
#ifdef FRAG_ALLOCATES /* the compiler put the allocation into this function, as Debian's 6.1 has it */
	else if (HOOKED_U32(pool, PP_ALLOC_COUNT) < c->cache)
		s->alloc_cache++;
#endif
}

int fragment_entry(context *ctx)
{
	begin_fragment(FIRST_ARGUMENT(ctx));
	return 0;
}

#ifdef BY_TRAMPOLINE
int fragment_exit(context *ctx) /* page_pool_alloc_frag_netmem(pool, offset, size, gfp) */
{
	end_fragment(ctx[0], ctx[4] != 0);
	return 0;
}
#else
int fragment_exit(context *ctx)
{
	struct cutting *c = this_cut();

	if (c && c->pool)
		end_fragment(c->pool, PT_REGS_RC(ctx) != 0);
	return 0;
}
#endif
