// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The end of a pool by BPF trampoline. */

int destroy_entry(trampoline *ctx)	/* page_pool_destroy(pool), also called with none */
{
	u64 pool = ctx[0];

	if (pool)
		begin_teardown(pool);
	return 0;
}

int release_retry_entry(trampoline *ctx)	/* page_pool_release_retry(work), of the pool's release_dw */
{
	begin_teardown(ctx[0] - PP_RELEASE_DW);
	return 0;
}
