// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
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
