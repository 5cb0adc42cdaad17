// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Returns, where functions are hooked: the reason is what the pool is going through. A refill of it on this CPU, its
 * end, a move to another node; else the page itself tells.
 */

static bool is_torn_down(struct slot *s)
{
	struct pool *p = pools.lookup(&s->entry);

	return p && p->tearing;
}

static u32 return_reason(struct cpu *c, struct slot *s, u64 pool, u64 netmem)
{
	if (is_refilling(c, pool))
		return RETURN_NUMA;
	if (is_torn_down(s))
		return RETURN_TEARDOWN;
	return is_flushed(c, pool) ? RETURN_NID_UPDATE : page_reason(netmem);
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of(c, pool) : 0;

	if (s)
		count_return(s, pool, netmem, return_reason(c, s, pool, netmem));
	return 0;
}
