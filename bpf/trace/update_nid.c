// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* page_pool_update_nid(pool, new_nid), since 5.5. */
#include "cpu.h"
#include "trace/tell.h"

int trace_nid_updated(struct bpf_raw_tracepoint_args *ctx)
{
	if (is_asked_for(EVENT_UPDATE_NID))
		tell_update_nid(ctx, ctx->args[0], ctx->args[1]);
#ifdef REASON_BY_STATE /* on the tracepoint rung the callers say that it is a flush */
	begin_flush(ctx->args[0]);
#endif
	return 0;
}
