// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The exit of what makes every pool: page_pool_create(params), and since kernel commit 2b0cfa6e4956 ("net: add generic
 * percpu page_pool allocator", 6.9) page_pool_create_percpu(params, cpuid) (CREATE_PERCPU).
 */
#include "page_pool.h"
#include "program.h"

/* The pool that was made; 0: none was. */
static u64 created_pool(context *ctx)
{
#if !defined(BY_TRAMPOLINE)
	u64 pool = PT_REGS_RC(ctx);
#elif defined(CREATE_PERCPU)
	u64 pool = ctx[2];
#else
	u64 pool = ctx[1];
#endif

	return is_error(pool) ? 0 : pool;
}
