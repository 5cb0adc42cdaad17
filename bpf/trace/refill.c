// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The two ends of a refill, so that a mismatch is told from other returns. */
#include "cpu.h"
#include "program.h"

/* The pool that this CPU refills from here on; 0: none. */
static void note_refill(u64 pool)
{
	struct cpu *c = this_cpu();

	if (c)
		c->refilling = pool;
}

int trace_refill_entry(context *ctx)
{
	note_refill(FIRST_ARGUMENT(ctx));
	return 0;
}

int trace_refill_exit(context *ctx)
{
	note_refill(0);
	return 0;
}
