// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The end of a pool, and its moves between nodes: by tracepoint on every rung. */

BPF_TABLE("lru_hash", u64, u8, tearing, 1024);	/* pools that are giving their pages back */
BPF_TABLE("lru_hash", u64, u8, detached, 1024);	/* destroyed with pages out, and told so */

/* From here to tracepoint page_pool_release its returns are its end; see bpf/teardown.h. */
static void begin_teardown(u64 pool)
{
	u8 one = 1;

	if (!pp_is_shared(pool))
		tearing.update(&pool, &one);
}

/*
 * page_pool_release(pool, inflight, hold, release): fires at destroy, then once a second until nothing is in flight. The
 * first is told, and the last; what lies between has nothing new.
 */
int pool_released(struct bpf_raw_tracepoint_args *ctx)
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

/* page_pool_update_nid(pool, new_nid), since 5.5. */
int nid_updated(struct bpf_raw_tracepoint_args *ctx)
{
	if (is_asked_for(EVENT_UPDATE_NID))
		tell_update_nid(ctx, ctx->args[0], ctx->args[1]);
#ifdef REASON_BY_STATE	/* on the tracepoint rung the callers say that it is a flush */
	begin_flush(ctx->args[0]);
#endif
	return 0;
}
