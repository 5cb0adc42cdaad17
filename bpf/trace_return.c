// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Returns, where functions are hooked: the reason is what the pool is going through, as in bpf/return_refill.c. */

static void begin_refill(u64 pool)
{
	struct refilling *r = this_refill();

	if (r)
		r->pool = pool;
}

static void end_refill(void)
{
	begin_refill(0);
}

static u32 reason_of(u64 pool, u64 netmem)
{
	if (is_refilling(pool))
		return RETURN_NUMA;
	if (tearing.lookup(&pool))
		return RETURN_TEARDOWN;
	return is_flushed(pool) ? RETURN_NID_UPDATE : page_reason(netmem);
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];

	tell_return(ctx, pool, netmem, reason_of(pool, netmem));
	return 0;
}
