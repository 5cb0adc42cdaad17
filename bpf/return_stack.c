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

/* A function that this kernel does not have begins and ends at 0. */
#define INSIDE(ip, function) ((ip) - function##_START < function##_END - function##_START)

static u32 reason_of_caller(u64 ip)
{
	if (INSIDE(ip, REFILL))
		return RETURN_NUMA;
	if (INSIDE(ip, DESTROY) || INSIDE(ip, RELEASE_RETRY))
		return RETURN_TEARDOWN;
	return INSIDE(ip, UPDATE_NID) ? RETURN_NID_UPDATE : RETURNS;
}

/* What the callers say, else what the page says. */
static u32 reason_of(void *ctx, u64 netmem)
{
	u32 zero = 0, reason = RETURNS;
	struct callers *c = callers.lookup(&zero);

	if (!c)
		return RETURN_OTHER;
	__builtin_memset(c, 0, sizeof(*c));
	bpf_get_stack(ctx, c, sizeof(*c), 0);
#pragma unroll
	for (int i = 0; i < FRAMES; i++)
		if (reason == RETURNS)
			reason = reason_of_caller(c->ip[i]);
	return reason == RETURNS ? page_reason(netmem) : reason;
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];
	u32 *entry = entry_of(pool);

	if (entry)
		count_return(*entry, pool, netmem, reason_of(ctx, netmem));
	return 0;
}

/*
 * page_pool_state_hold(pool, netmem, hold): the slow path stores a page in the cache, then fires this, so it is the
 * first of its call where the cache holds one page (or none: a page of higher order is handed out directly).
 */
int page_held(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];
	u32 *entry = entry_of(pool);
	struct slot *s = entry ? slot_at(*entry, bpf_get_smp_processor_id(), pool) : 0;

	if (!s)
		return 0;
	note_consumer(*entry);
	s->held++;
	if (pp_cache_count(pool) <= 1)
		s->slow++;
	return 0;
}
