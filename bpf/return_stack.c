// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Returns and holds, where the kernel refuses function hooks: the reason of a return is among its callers, and the
 * first page of a slow refill is the one that finds the cache empty.
 */

#define FRAMES	10			/* tracepoint glue (up to 4 frames), return, refill, and room */

struct callers {
	u64 ip[FRAMES];
};
BPF_PERCPU_ARRAY(callers, struct callers, 1);

static bool called_by_refill(void *ctx)
{
	u32 zero = 0;
	struct callers *c = callers.lookup(&zero);
	bool found = false;

	if (!c)
		return false;
	__builtin_memset(c, 0, sizeof(*c));
	bpf_get_stack(ctx, c, sizeof(*c), 0);
#pragma unroll
	for (int i = 0; i < FRAMES; i++)
		found |= c->ip[i] - REFILL_START < REFILL_END - REFILL_START;
	return found;
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	count_return(ctx->args[0], ctx->args[1], called_by_refill(ctx));
	return 0;
}

/*
 * page_pool_state_hold(pool, netmem, hold): the slow path stores a page in the cache, then fires this, so it is the
 * first of its call where the cache holds one page (or none: a page of higher order is handed out directly).
 */
int page_held(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];
	struct slot *s = slot_of(pool);

	if (!s)
		return 0;
	s->held++;
	if (pp_cache_count(pool) <= 1)
		s->slow++;
	return 0;
}
