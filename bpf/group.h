// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The sum of a device's ended pools. */
#include "table.h"

#define REST 1ULL /* the group of pools without a device, and of those that found no group left */

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
	for (u32 i = FIRST_COUNTER; i < SLOT_WORDS; i++)
		__sync_fetch_and_add(&sum[i], source[i]);
}

/*
 * Add up the slots of a stretch of CPUs: their cells of slot_index from *first* on. Both lookups find what they look for,
 * so they leave the loop else: of each way to go on in it the verifier would walk another fold.
 */
static void fold_slots(u32 first, struct slot *to)
{
	for (u32 i = 0; i < FOLD_STRETCH; i++) {
		u32 cell = first + i, *index = slot_index.lookup(&cell);
		struct slot *from;

		if (!index)
			break;
		if (!*index)
			continue;
		from = slots.lookup(index);
		if (!from)
			break;
		fold_slot(from, to);
	}
}

/* Give them back, apart from that: the verifier compares states where a loop begins again after much straight code. */
static void free_stretch(u32 first)
{
	u32 none = 0;
	struct slot *empty = slots.lookup(&none);

	for (u32 i = 0; i < FOLD_STRETCH; i++) {
		u32 cell = first + i, *index = slot_index.lookup(&cell);

		if (!index || !empty)
			break;
		if (!*index)
			continue;
		slots.update(index, empty);
		free_slots.push(index, 0);
		*index = 0;
	}
}
