// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A destroyed pool gives back what is in its cache and ring: in page_pool_destroy, and once a second in
 * page_pool_release_retry until no page is out. Both end with tracepoint page_pool_release, which clears the mark.
 */

static void begin_teardown(u64 pool)
{
	u32 *entry = entry_of(pool);
	struct pool *p = entry ? pools.lookup(entry) : 0;

	if (!p || pp_is_shared(pool))
		return;
	p->tearing = 1;
	p->frag_page = pp_frag_page(pool);
}
