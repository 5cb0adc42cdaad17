// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The end of a pool. Its counts move into the group of its device, so no count is lost however briefly a pool lived,
 * and its slots are free again.
 */
#include "group.h"

/*
 * A pool whose slots are being folded. The verifier walks every instruction of a fold for every CPU, and gives up after a
 * million, so it is done in stretches: a program that calls itself, 32 times at most (MAX_TAIL_CALL_CNT). What a call
 * leaves to the next is kept by what both are called with, the first argument of the event.
 */
struct ending {
	u32 entry;
	u32 group; /* index in pools */
	u32 cpu;   /* slots of those before are folded */
};
BPF_TABLE("hash", u64, struct ending, endings, POOLS);
BPF_PROG_ARRAY(fold_program, 1);

/* Its own counts, beside those of its slots. */
static void fold_life(struct pool *p, struct pool *group, u64 pool, bool is_there)
{
	if (is_another(p, pool)) /* it has counted from 0, or is no pool */
		p->release_cnt = is_there ? 0 : pp_release_cnt(pool);
	measure(p, pool);
	__sync_fetch_and_add(&group->released, p->released);
	__sync_fetch_and_add(&group->first_cache, p->first_cache);
	__sync_fetch_and_add(&group->first_ring, p->first_ring);
	name_group(group, p);
}

/* Take the pool out of the table, for good, to fold it. False: someone else does, or there is no room for its counts. */
static bool begin_end(u64 key, u64 pool, u32 entry, bool is_there)
{
	struct pool *p = pools.lookup(&entry), *group;
	struct ending ending = {.entry = entry};
	u32 *into;
	u8 one = 1;

	into = p ? group_of(p) : 0;
	group = into ? pools.lookup(into) : 0;
	if (!group)
		return false;
	ending.group = *into;
	if (endings.insert(&key, &ending))
		return false;
	ended.update(&pool, &one);
	if (entries.delete(&pool)) {
		endings.delete(&key);
		return false;
	}
	fold_life(p, group, pool, is_there);
	return true;
}

static void folds_done(void)
{
	struct ledger *l = ledger();

	if (l)
		__sync_fetch_and_add(&l->folds_done, 1);
}

/* The entry is free again. */
static void finish_end(u64 key, struct ending *e)
{
	u32 entry = e->entry;
	struct pool *p = pools.lookup(&entry);

	endings.delete(&key);
	if (p)
		p->owner = 0;
	free_pools.push(&entry, 0);
	folds_done();
}

int fold_further(struct bpf_raw_tracepoint_args *ctx)
{
	u64 key = ctx->args[0];
	struct ending *e = endings.lookup(&key);
	struct slot *to = e ? slot_of_group(e->group) : 0;
	u32 first;

	if (!to)
		return 0;
	first = e->entry * CELLS + e->cpu;
	fold_slots(first, to);
	free_stretch(first);
	e->cpu += FOLD_STRETCH;
	if (e->cpu < CPUS)
		fold_program.call(ctx, 0);
	else
		finish_end(key, e);
	return 0;
}

/* A reader that looks meanwhile looks again. */
static void fold_pool(struct bpf_raw_tracepoint_args *ctx, u64 pool, u32 entry, bool is_there)
{
	struct ledger *l = ledger();

	if (!l)
		return;
	__sync_fetch_and_add(&l->folds_begun, 1);
	if (begin_end(ctx->args[0], pool, entry, is_there))
		fold_program.call(ctx, 0); /* does not come back */
	else
		folds_done();
}
