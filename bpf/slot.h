// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * From a pool to its counters on this CPU: most events cost two array lookups and no hashing, since each CPU remembers
 * the slots that it used last.
 */
#include "cpu.h"
#include "table.h"

/* A fresh slot, as an index in slots; 0 when none is left, which is counted. */
static u32 take_slot(u32 entry, u32 cpu, u64 owner)
{
	u32 fresh = 0;
	struct slot *s;

	if (free_slots.pop(&fresh)) {
		drop_event();
		return 0;
	}
	s = slots.lookup(&fresh);
	if (!s)
		return 0;
	s->entry = entry;
	s->cpu = cpu;
	s->owner = owner;
	return fresh;
}

/*
 * The slot of a pool's entry on a CPU, given on first use: where its index is, which is 0 when there was none to give. A
 * softirq may come in the midst of that, and be quicker; then its slot stays, and ours goes back. By additions, because
 * programs have no compare-and-swap before kernel commit 5ffa25502b5a ("bpf: Add instructions for atomic_[cmp]xchg",
 * 5.12).
 */
static u32 *slot_at(u32 entry, u32 cpu, u64 owner)
{
	u32 cell = entry * CELLS + cpu, *index = slot_index.lookup(&cell), fresh;
	struct slot *s;

	if (!index || *index)
		return index;
	fresh = take_slot(entry, cpu, owner);
	__sync_fetch_and_add(index, fresh);
	s = slots.lookup(&fresh);
	if (!fresh || !s || *(volatile u32 *)index == fresh)
		return index;
	__sync_fetch_and_add(index, -fresh);
	s->owner = 0;
	free_slots.push(&fresh, 0);
	return index;
}

/*
 * The slot that this CPU did not remember, and from now on does. A return never is the first that happens to a pool: if
 * the last pool at its address has ended, it is that one's, which counted the page before it was shown to us.
 */
static struct slot *find_slot(struct cpu *c, u64 pool, u32 *recent, bool returns)
{
	u32 *entry = known_entry(pool), *index;
	struct slot *s;

	c->first_sight = !entry;
	if (!entry && !(returns && ended.lookup(&pool)))
		entry = enter(pool);
	index = entry ? slot_at(*entry, c->number, pool) : 0;
	s = index && *index ? slots.lookup(index) : 0;
	if (!s)
		return 0;
	if (s->owner != pool) { /* between the two additions of slot_at */
		drop_event();
		return 0;
	}
	*recent = *index;
	return s;
}

/*
 * The counters of this pool on this CPU; 0 when the tables are full, which is counted. A slot that was given to someone
 * else since it was remembered says so itself. Pools come from the kernel's slabs, 2 KiB apart or more.
 */
static struct slot *slot_for(struct cpu *c, u64 pool, bool returns)
{
	struct slot *s;
	u32 *recent;

	c->pool = pool;
	recent = &c->recent[(*(volatile u64 *)&c->pool >> 11) % RECENT];
	s = slots.lookup(recent);
	return s && s->owner == pool && s->cpu == c->number ? s : find_slot(c, pool, recent, returns);
}

static struct slot *slot_of(struct cpu *c, u64 pool)
{
	return slot_for(c, pool, false);
}

static struct slot *slot_of_return(struct cpu *c, u64 pool)
{
	return slot_for(c, pool, true);
}

/* Whoever allocates from a pool is its consumer; below level full, whoever refills it. */
static void note_consumer(struct slot *s)
{
	struct pool *p = pools.lookup(&s->entry);

	if (p)
		p->consumer_cpu = s->cpu;
}

/*
 * The cell of the mismatch matrix. The barriers keep the compiler from dropping a check that the verifier needs to see,
 * and from working out the address before it.
 */
static u64 *mismatch_cell(struct slot *s, u64 page, u64 wanted)
{
	u64 cell = page * (NODES + 1) + wanted;

	asm volatile("" : "+r"(cell));
	if (cell >= (NODES + 1) * (NODES + 1))
		return 0;
	asm volatile("" : "+r"(cell));
	return &s->mismatch[cell];
}
