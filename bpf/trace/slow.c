// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The exit of the slow path: __page_pool_alloc_netmems_slow(pool, gfp). */
#include "program.h"
#include "trace/tell.h"

#ifdef BY_TRAMPOLINE
/*
 * Before 6.11 this returns a struct page *, and the verifier refuses programs that test the bits of a pointer that it
 * knows. The helper reads the page from the context as a number.
 */
int trace_slow_exit(context *ctx)
{
	u64 pool = ctx[0], page = ctx[2];

	if (page)
		tell_slow(ctx, pool, read_u64((u64)&ctx[2]), pp_cache_count(pool) + 1);
	return 0;
}
#else
BPF_PERCPU_ARRAY(traced_pool, u64, 1); /* what the entry leaves behind for the exit */

int trace_slow_entry(context *ctx)
{
	u32 zero = 0;
	u64 pool = PT_REGS_PARM1(ctx);

	traced_pool.update(&zero, &pool);
	return 0;
}

int trace_slow_exit(context *ctx)
{
	u32 zero = 0;
	u64 *pool = traced_pool.lookup(&zero), page = PT_REGS_RC(ctx);

	if (pool && *pool && page)
		tell_slow(ctx, *pool, page, pp_cache_count(*pool) + 1);
	return 0;
}
#endif
