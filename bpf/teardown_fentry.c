// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The end of a pool by BPF trampoline. */

struct work_struct;

KFUNC_PROBE(page_pool_destroy, struct page_pool *pool)
{
	if (pool)
		begin_teardown((u64)pool);
	return 0;
}

KFUNC_PROBE(page_pool_release_retry, struct work_struct *work)
{
	begin_teardown((u64)work - PP_RELEASE_DW);
	return 0;
}
