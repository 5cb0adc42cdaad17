// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Returns, where functions are hooked: the reason is what the pool is going through. A refill of it on this CPU, its
 * end, a move to another node; else the page itself tells.
 */

static bool is_torn_down(u32 entry)
{
	struct pool *p = pools.lookup(&entry);

	return p && p->tearing;
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];
	u32 *entry = entry_of(pool), reason;

	if (!entry)
		return 0;
	if (is_refilling(pool))
		reason = RETURN_NUMA;
	else if (is_torn_down(*entry))
		reason = RETURN_TEARDOWN;
	else if (is_flushed(pool))
		reason = RETURN_NID_UPDATE;
	else
		reason = page_reason(netmem);
	count_return(*entry, pool, netmem, reason);
	return 0;
}
