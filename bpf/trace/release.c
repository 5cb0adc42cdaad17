// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The end of a pool. */
#include "trace/tearing.h"
#include "trace/tell.h"

BPF_TABLE("lru_hash", u64, u8, detached, 1024); /* destroyed with pages out, and told so */

/*
 * page_pool_release(pool, inflight, hold, release): fires at destroy, then once a second until nothing is in flight. The
 * first is told, and the last; what lies between has nothing new.
 */
int trace_pool_released(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];
	s32 inflight = ctx->args[1];
	u8 one = 1;

	tearing.delete(&pool);
	if (!inflight)
		detached.delete(&pool);
	else if (detached.insert(&pool, &one))
		return 0;
	if (is_asked_for(EVENT_DESTROY))
		tell_destroy(ctx, pool, inflight);
	return 0;
}
