// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Where counts live: a slot for each (pool, CPU) pair, given on first use and found through a dense index of u32. User
 * space maps pools, slots and the ledger and reads them without a system call.
 *
 * Free entries and slots are kept on stacks, which the loader fills: 5.10 has no fetch-and-add for programs (it came
 * with kernel commit 5ca419f2864a, 5.12), and a stack's pop is the one atomic "next, please" there.
 */
#include "identity.h"

BPF_F_TABLE("array", u32, struct pool, pools, POOLS + GROUPS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct slot, slots, 1 + GROUPS + SLOTS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct ledger, ledgers, 1, BPF_F_MMAPABLE);
BPF_TABLE("hash", u64, u32, entries, POOLS + GROUPS);   /* key of a pool or group: its index in pools */
BPF_TABLE("array", u32, u32, slot_index, POOLS *CELLS); /* pool's entry x CPU: index in slots; 0: none yet */
BPF_TABLE("lru_hash", u64, u8, refused, 1024);          /* so that a pool is dropped, and counted, once */
BPF_TABLE("lru_hash", u64, u8, ended, 1024);            /* addresses of pools that are no more */
BPF_STACK(free_pools, u32, POOLS);
BPF_STACK(free_groups, u32, GROUPS);
BPF_STACK(free_slots, u32, SLOTS);

static struct ledger *ledger(void)
{
	u32 zero = 0;

	return ledgers.lookup(&zero);
}

static void drop_pool(u64 pool)
{
	struct ledger *l = ledger();
	u8 one = 1;

	if (l && !refused.insert(&pool, &one))
		__sync_fetch_and_add(&l->pools_dropped, 1);
}

static void drop_event(void)
{
	struct ledger *l = ledger();

	if (l)
		__sync_fetch_and_add(&l->slots_dropped, 1);
}

/* First sight of a pool. Two CPUs may come at once: the second finds the first one's entry. */
static u32 *enter(u64 pool)
{
	u64 key = pool;
	struct pool *p;
	u32 fresh = 0;

	if (free_pools.pop(&fresh)) {
		drop_pool(pool);
		return 0;
	}
	p = pools.lookup(&fresh);
	if (!p)
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	p->seen_ns = bpf_ktime_get_ns();
	p->release_cnt = pp_release_cnt(pool);
	p->consumer_cpu = -1;
	p->first_cache = pp_cache_count(pool);
	p->first_ring = pp_ring_count(pool);
	p->first_hold = pp_hold_cnt(pool);
	p->ring_head = pp_ring_head(pool);
	identify(p, pool);
	p->owner = pool;
	ended.delete(&key);
	if (entries.insert(&key, &fresh)) {
		p->owner = 0;
		free_pools.push(&fresh, 0);
	}
	return entries.lookup(&key);
}

static u32 *known_entry(u64 pool)
{
	u64 key = pool; /* the pool itself stays in a register, where the verifier knows what it is */

	return entries.lookup(&key);
}

/* The entry of this pool; 0 when the table is full, which is counted. */
static u32 *entry_of(u64 pool)
{
	u32 *entry = known_entry(pool);

	return entry ? entry : enter(pool);
}
