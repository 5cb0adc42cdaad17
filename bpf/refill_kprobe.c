// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Refill and slow path by kprobe and kretprobe: the return sees no argument, so the entry leaves the pool behind. */

BPF_PERCPU_ARRAY(slow_pool, u64, 1);

#ifndef INLINED_REFILL
int refill_entry(struct pt_regs *ctx)
{
	begin_refill(PT_REGS_PARM1(ctx));
	return 0;
}

int refill_exit(struct pt_regs *ctx)
{
	struct cpu *c = this_cpu();

	if (c && c->refilling)
		end_refill(c->refilling, PT_REGS_RC(ctx) != 0);
	return 0;
}
#endif

int slow_entry(struct pt_regs *ctx)
{
	u32 zero = 0;
	u64 pool = PT_REGS_PARM1(ctx);

#ifdef INLINED_REFILL
	end_refill(pool, false);	/* it gave nothing */
#endif
	slow_pool.update(&zero, &pool);
	return 0;
}

int slow_exit(struct pt_regs *ctx)
{
	u32 zero = 0;
	u64 *pool = slow_pool.lookup(&zero);

	if (pool && *pool)
		end_slow(*pool, PT_REGS_RC(ctx) != 0);
	return 0;
}
