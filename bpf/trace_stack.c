// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Returns and slow refills, where the kernel refuses function hooks; see bpf/return_stack.c. */

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];

	if (may_be_wanted(pool))
		tell_return(ctx, pool, netmem, reason_by_callers(ctx, netmem));
	return 0;
}

/* Of the pages of a slow refill this sees the first, and can't know how many follow. */
int page_held(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];

	if (pp_cache_count(pool) <= 1)
		tell_slow(ctx, pool, ctx->args[1], 0);
	return 0;
}
