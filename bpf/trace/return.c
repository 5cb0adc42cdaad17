// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Pages that leave their pool, with the reason; see bpf/count/return.c. */
#include "reason.h"
#include "trace/tearing.h"
#include "trace/tell.h"

int trace_page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];
#ifdef REASON_BY_STATE
	struct cpu *c = this_cpu();

	if (c)
		tell_return(ctx, pool, netmem, reason_by_state(c, pool, tearing.lookup(&pool) != 0, netmem));
#else
	if (may_be_wanted(pool))
		tell_return(ctx, pool, netmem, reason_by_callers(ctx, netmem));
#endif
	return 0;
}
