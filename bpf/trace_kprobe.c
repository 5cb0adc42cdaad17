// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Refill and slow path, traced by kprobe and kretprobe: as much of it as the events asked for need. */

#ifdef HOOK_REFILL
int refill_entry(struct pt_regs *ctx)
{
	note_refill(PT_REGS_PARM1(ctx));
	return 0;
}

int refill_exit(struct pt_regs *ctx)
{
	note_refill(0);
	return 0;
}
#endif

#ifdef HOOK_SLOW
BPF_PERCPU_ARRAY(slow_pool, u64, 1);	/* the return sees no argument, so the entry leaves the pool behind */

int slow_entry(struct pt_regs *ctx)
{
	u32 zero = 0;
	u64 pool = PT_REGS_PARM1(ctx);

	slow_pool.update(&zero, &pool);
	return 0;
}

int slow_exit(struct pt_regs *ctx)
{
	u32 zero = 0;
	u64 *pool = slow_pool.lookup(&zero), page = PT_REGS_RC(ctx);

	if (pool && *pool && page)
		tell_slow(ctx, *pool, page, pp_cache_count(*pool) + 1);
	return 0;
}
#endif
