// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Returns, where functions are hooked: the reason is what the pool is going through. A refill of it on this CPU, its
 * end, a move to another node; else the page itself tells.
 */

/* The cache that page_pool_update_nid empties on this CPU: so many of the next returns of that pool are its pages. */
struct flushing {
	u64 pool;
	u64 left;
};
BPF_PERCPU_ARRAY(flushing, struct flushing, 1);

static void begin_flush(u64 pool)
{
	u32 zero = 0;
	struct flushing *f = flushing.lookup(&zero);

	if (!f)
		return;
	f->pool = pool;
	f->left = pp_cache_count(pool);
}

static bool is_flushed(u64 pool)
{
	u32 zero = 0;
	struct flushing *f = flushing.lookup(&zero);

	if (!f || !f->left || f->pool != pool)
		return false;
	f->left--;
	return true;
}

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
