// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A destroyed pool gives back what is in its cache and ring: in page_pool_destroy, and once a second in
 * page_pool_release_retry until no page is out. Both end with tracepoint page_pool_release, which clears the mark.
 */
#include "program.h"
#include "table.h"

static void begin_teardown(u64 pool)
{
	u32 *entry = entry_of(pool);
	struct pool *p = entry ? pools.lookup(entry) : 0;

	if (!p || pp_is_shared(pool))
		return;
	p->tearing = 1;
	p->frag_page = pp_frag_page(pool);
}

/* page_pool_destroy(pool), which may be called without one. */
int destroy_entry(context *ctx)
{
	u64 pool = FIRST_ARGUMENT(ctx);

	if (pool)
		begin_teardown(pool);
	return 0;
}

/* page_pool_release_retry(work): the work is inside the pool. */
int release_retry_entry(context *ctx)
{
	begin_teardown(FIRST_ARGUMENT(ctx) - PP_RELEASE_DW);
	return 0;
}
