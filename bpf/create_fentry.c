// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* New pools by BPF trampoline. */

int create_exit(trampoline *ctx)
{
#ifdef CREATE_PERCPU			/* page_pool_create_percpu(params, cpuid) */
	u64 pool = ctx[2];
#else					/* page_pool_create(params) */
	u64 pool = ctx[1];
#endif

	if (!is_error(pool))
		pool_created(ctx, pool);
	return 0;
}
