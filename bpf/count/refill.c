// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The two ends of a refill: page_pool_refill_alloc_cache(pool). By trampoline the exit sees the pool, and at level lean
 * needs no entry (REFILL_BY_EXIT).
 */
#include "count/refill.h"
#include "program.h"

#ifndef REFILL_BY_EXIT
int refill_entry(context *ctx)
{
	begin_refill(FIRST_ARGUMENT(ctx));
	return 0;
}
#endif

#ifdef BY_TRAMPOLINE
int refill_exit(context *ctx)
{
	end_refill(ctx[0], ctx[1] != 0);
	return 0;
}
#else
int refill_exit(context *ctx)
{
	struct cpu *c = this_cpu();

	if (c && c->refilling)
		end_refill(c->refilling, PT_REGS_RC(ctx) != 0);
	return 0;
}
#endif
