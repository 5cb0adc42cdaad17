// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What a CPU is doing, and the slots that it used last (bpf/slot.h). */
#include "page_pool.h"

#define RECENT 8

struct cpu {
	u64 refilling;  /* the pool that it refills, one at a time, with softirqs off; 0: none */
	u64 ring_head;  /* where that pool's consumer stood before */
	u64 flushing;   /* the pool whose cache page_pool_update_nid empties */
	u64 flush_left; /* how many of its next returns are pages of that cache */
	u64 pool;       /* what is looked for, as a number: on a pointer the verifier allows no arithmetic */
	u32 number;
	u32 recent[RECENT]; /* by some bits of the pool's address: index in slots; 0: none */
	u32 first_sight;    /* the pool looked for last was not known before */
	u32 apart[12];      /* from the next CPU's cache lines */
};
BPF_TABLE("array", u32, struct cpu, cpus, CPUS);

static struct cpu *this_cpu(void)
{
	u32 number = bpf_get_smp_processor_id();
	struct cpu *c = cpus.lookup(&number);

	if (c)
		c->number = number;
	return c;
}

/* Is this CPU between entry and exit of a refill of this pool? A page released there is a NUMA mismatch. */
static bool is_refilling(struct cpu *c, u64 pool)
{
	return c->refilling == pool;
}

static void begin_flush(u64 pool)
{
	struct cpu *c = this_cpu();

	if (!c)
		return;
	c->flushing = pool;
	c->flush_left = pp_cache_count(pool);
}

static bool is_flushed(struct cpu *c, u64 pool)
{
	if (!c->flush_left || c->flushing != pool)
		return false;
	c->flush_left--;
	return true;
}
