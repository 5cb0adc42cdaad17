// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Slow refills, where the kernel refuses function hooks; see bpf/count/hold.c. */
#include "trace/tell.h"

/* Of the pages of a slow refill this sees the first, and can't know how many follow. */
int trace_page_held(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];

	if (pp_cache_count(pool) <= 1)
		tell_slow(ctx, pool, ctx->args[1], 0);
	return 0;
}
