// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* New pools by BPF trampoline. */

#ifdef CREATE_PERCPU
EXIT(CREATE_FUNCTION, u64 parameters, u64 cpu, u64 pool)
#else
EXIT(CREATE_FUNCTION, u64 parameters, u64 pool)
#endif
{
	if (!is_error(pool))
		pool_created(ctx, pool);
	return 0;
}
