// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The refill this CPU is in. Refills don't nest: a pool has one consumer, and it runs with softirqs off. */
struct refilling {
	u64 pool;			/* 0: none */
	u32 entry;
	u32 ring_head;
};
BPF_PERCPU_ARRAY(refilling, struct refilling, 1);

static struct refilling *this_refill(void)
{
	u32 zero = 0;

	return refilling.lookup(&zero);
}

/* Is this CPU between entry and exit of a refill of this pool? A page released there is a NUMA mismatch. */
static bool is_refilling(u64 pool)
{
	struct refilling *r = this_refill();

	return r && r->pool == pool;
}
