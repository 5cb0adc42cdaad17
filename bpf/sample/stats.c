// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The kernel's own counters of a pool, where it keeps them (CONFIG_PAGE_POOL_STATS), for comparison with ours: attached
 * to nothing, run on demand. Names as in its netlink (Documentation/netlink/specs/netdev.yaml).
 */
#include "table.h"

BPF_F_TABLE("array", u32, struct stats, stats, 1, BPF_F_MMAPABLE);

static void read_alloc_stats(struct stats *k, u64 pool)
{
	k->alloc_fast = read_u64(pool + PP_ALLOC_FAST);
	k->alloc_slow = read_u64(pool + PP_ALLOC_SLOW) + read_u64(pool + PP_ALLOC_SLOW_HIGH_ORDER);
	k->alloc_empty = read_u64(pool + PP_ALLOC_EMPTY);
	k->alloc_refill = read_u64(pool + PP_ALLOC_REFILL);
	k->alloc_waive = read_u64(pool + PP_ALLOC_WAIVE);
}

/* One set a CPU; all system pools share one (kernel commit 2b0cfa6e4956, "net: add generic percpu page_pool allocator", 6.9). */
static void read_recycle_stats(struct stats *k, u64 pool)
{
#ifdef PER_CPU_OFFSET
	u64 shared = read_u64(pool + PP_RECYCLE_STATS);

	k->has_recycled = shared != SYSTEM_RECYCLE_STATS;
	for (u32 cpu = 0; cpu < CPUS; cpu++) {
		u64 own = shared + read_u64(PER_CPU_OFFSET + 8ULL * cpu);

		k->recycle_cached += read_u64(own + RECYCLE_CACHED);
		k->recycle_ring += read_u64(own + RECYCLE_RING);
		k->recycle_ring_full += read_u64(own + RECYCLE_RING_FULL);
		k->recycle_released_ref += read_u64(own + RECYCLE_RELEASED_REF);
	}
#endif
}

int sample_stats(struct bpf_raw_tracepoint_args *ctx)
{
	u32 entry = ctx->args[0], zero = 0;
	struct pool *p = pools.lookup(&entry);
	struct stats *k = stats.lookup(&zero);

	if (!k)
		return 0;
	__builtin_memset(k, 0, sizeof(*k));
	if (!p || !p->owner || p->owner & 1)
		return 0;
	read_alloc_stats(k, p->owner);
	read_recycle_stats(k, p->owner);
	return 0;
}
