// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Returns, where functions are hooked. */

/* The pool that this CPU refills from here on; 0: none. */
static void note_refill(u64 pool)
{
	struct cpu *c = this_cpu();

	if (c)
		c->refilling = pool;
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];
	struct cpu *c = this_cpu();

	if (c)
		tell_return(ctx, pool, netmem, reason_by_state(c, pool, tearing.lookup(&pool) != 0, netmem));
	return 0;
}
