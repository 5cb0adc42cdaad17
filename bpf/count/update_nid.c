// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A driver tells its pool that the consumer moved: tracepoint page_pool_update_nid(pool, new_nid), since 5.5. */
#include "slot.h"

int nid_updated(struct bpf_raw_tracepoint_args *ctx)
{
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of(c, ctx->args[0]) : 0;

	if (s)
		s->nid_updates++;
#ifdef REASON_BY_STATE /* on the tracepoint rung the callers say that it is a flush */
	begin_flush(ctx->args[0]);
#endif
	return 0;
}
