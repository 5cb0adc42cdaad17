// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Allocations by kprobe, on every function that has the fast path in it. */

int alloc_entry(struct pt_regs *ctx)
{
	begin_alloc(PT_REGS_PARM1(ctx));
	return 0;
}

#ifdef INLINED_REFILL			/* what is left of a refill ends with the allocation that it is in */
int alloc_exit(struct pt_regs *ctx)
{
	struct cpu *c = this_cpu();

	if (c && c->refilling)
		end_refill(c->refilling, PT_REGS_RC(ctx) != 0);
	return 0;
}
#endif
