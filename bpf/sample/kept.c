// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Where the pages are that a pool keeps: attached to nothing, run on demand for a stretch of one pool's ring (bounded
 * work, whatever its size), the first time for its cache too. The kernel's waive sees neither pages recycled straight
 * into the cache, nor a ring whose pool has a fixed node while its consumer runs on another.
 */
#include "page.h"
#include "table.h"

BPF_F_TABLE("array", u32, struct kept, kept, 1, BPF_F_MMAPABLE);

static void keep(struct kept *k, u32 place, u64 page)
{
	u64 cell = place * (NODES + 1);

	if (!page)
		return;
	cell += page_node(page);
	asm volatile("" : "+r"(cell));
	if (cell < PLACES * (NODES + 1))
		((u64 *)k)[cell]++;
}

static void keep_cache(struct kept *k, u64 pool)
{
	u32 count = pp_cache_count(pool);

	__builtin_memset(k, 0, sizeof(*k));
	for (u32 i = 0; i < CACHE_PAGES; i++)
		if (i < count)
			keep(k, IN_CACHE, read_u64(pool + PP_ALLOC_CACHE + 8 * i));
}

/*
 * From the consumer's place on, as many slots as there are pages: those behind it keep what was taken from them until
 * the ring empties them in batches (__ptr_ring_discard_one in include/linux/ptr_ring.h).
 */
static void keep_ring(struct kept *k, u64 pool, u32 from)
{
	u64 queue = read_u64(pool + PP_RING_QUEUE);
	u32 size = pp_ring_size(pool), count = pp_ring_count(pool), slot = pp_ring_head(pool) + from;

	for (u32 i = 0; i < RING_STRETCH; i++) {
		if (slot >= size)
			slot -= size;
		if (from + i < count)
			keep(k, IN_RING, read_u64(queue + 8ULL * slot));
		slot++;
	}
}

/* A pool may vanish meanwhile: user space looks whether it is still there before it believes what was read. */
int sample_kept(struct bpf_raw_tracepoint_args *ctx)
{
	u32 entry = ctx->args[0], from = ctx->args[1], zero = 0;
	struct pool *p = pools.lookup(&entry);
	struct kept *k = kept.lookup(&zero);

	if (!p || !k || !p->owner || p->owner & 1)
		return 0;
	if (!from)
		keep_cache(k, p->owner);
	keep_ring(k, p->owner, from);
	return 0;
}
