// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Returns, where functions are hooked: the reason is what the pool is going through, as in bpf/return_refill.c. */

static void begin_refill(u64 pool)
{
	struct cpu *c = this_cpu();

	if (c)
		c->refilling = pool;
}

static void end_refill(void)
{
	begin_refill(0);
}

static u32 reason_of(u64 pool, u64 netmem)
{
	struct cpu *c = this_cpu();

	if (c && is_refilling(c, pool))
		return RETURN_NUMA;
	if (tearing.lookup(&pool))
		return RETURN_TEARDOWN;
	return c && is_flushed(c, pool) ? RETURN_NID_UPDATE : page_reason(netmem);
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];

	tell_return(ctx, pool, netmem, reason_of(pool, netmem));
	return 0;
}
