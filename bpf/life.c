// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The end of a pool. Its counts move into the group of its device, so no count is lost however briefly a pool lived,
 * and its slots are free again.
 */

#define REST	1ULL			/* the group of pools without a device, and of those that found no group left */

/* Odd, as no address is. */
static u64 group_key(struct pool *p)
{
	return p->ifindex ? (u64)p->netns << 32 | p->ifindex << 1 | 1 : REST;
}

/*
 * Groups gather from any CPU, so their additions are atomic; they need one slot only. It is theirs from the beginning:
 * a pool can end when no slot is left, which is what gives its own back.
 */
static struct slot *slot_of_group(u32 entry)
{
	u32 index = 1 + entry - POOLS;

	return slots.lookup(&index);
}

static u32 *enter_group(u64 key, struct pool *member)
{
	struct pool *group;
	struct slot *sum;
	u32 fresh = 0;

	if (free_groups.pop(&fresh))
		return 0;
	group = pools.lookup(&fresh);
	sum = slot_of_group(fresh);
	if (!group || !sum)
		return 0;
	sum->entry = fresh;
	sum->owner = group->owner = key;
	group->netns = member->netns;
	group->ifindex = member->ifindex;
	group->nid = group->queue = group->cpu = group->device_node = -1;
	__builtin_memcpy(group->netdev, member->netdev, NAME_BYTES);
	__builtin_memcpy(group->driver, member->driver, NAME_BYTES);
	if (entries.insert(&key, &fresh)) {
		sum->owner = group->owner = 0;
		free_groups.push(&fresh, 0);
	}
	return entries.lookup(&key);
}

static u32 *group_of(struct pool *p)
{
	u64 key = group_key(p), rest = REST;
	u32 *group = entries.lookup(&key);

	if (!group)
		group = enter_group(key, p);
	return group ? group : entries.lookup(&rest);
}

/* A device may have been renamed since its last pool ended. */
static void name_group(struct pool *group, struct pool *member)
{
	if (group->ifindex)
		__builtin_memcpy(group->netdev, member->netdev, NAME_BYTES);
}

static void fold_slot(struct slot *from, struct slot *to)
{
	u64 *source = (u64 *)from, *sum = (u64 *)to;

#pragma unroll
	for (u32 i = FIRST_COUNTER; i < SLOT_WORDS; i++) {
		__sync_fetch_and_add(&sum[i], source[i]);
		source[i] = 0;
	}
	from->owner = 0;
}

static void fold_slots(u32 entry, struct slot *to)
{
	for (u32 cpu = 0; cpu < CPUS; cpu++) {
		u32 cell = entry * CPUS + cpu, *index = slot_index.lookup(&cell);
		struct slot *from = index && *index ? slots.lookup(index) : 0;

		if (!from)
			continue;
		fold_slot(from, to);
		free_slots.push(index, 0);
		*index = 0;
	}
}

static void end_pool(u64 pool, u32 entry)
{
	struct pool *p = pools.lookup(&entry), *group;
	struct slot *to;
	u32 *into;

	if (!p)
		return;
	into = group_of(p);
	group = into ? pools.lookup(into) : 0;
	to = into ? slot_of_group(*into) : 0;
	if (!group || !to)
		return;
	measure(p, pool);
	__sync_fetch_and_add(&group->released, p->released);
	__sync_fetch_and_add(&group->first_cache, p->first_cache);
	__sync_fetch_and_add(&group->first_ring, p->first_ring);
	fold_slots(entry, to);
	name_group(group, p);		/* a branch before would have the verifier walk the fold twice */
	p->owner = 0;
	entries.delete(&pool);
	free_pools.push(&entry, 0);
}

/* page_pool_release(pool, inflight, hold, release): fires at destroy, then once a second until nothing is in flight. */
int pool_released(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];
	u32 *entry = entries.lookup(&pool);
	struct ledger *l = ledger();
	struct pool *p = entry ? pools.lookup(entry) : 0;

	if (!l)
		return 0;
	if (!p) {
		refused.delete(&pool);		/* its address may be another pool's soon */
		return 0;
	}
	if ((s32)ctx->args[1]) {
		if (!p->detached_ns)
			p->detached_ns = bpf_ktime_get_ns();
		p->tearing = 0;
		return 0;
	}
	__sync_fetch_and_add(&l->folds_begun, 1);
	end_pool(pool, *entry);
	__sync_fetch_and_add(&l->folds_done, 1);
	return 0;
}
