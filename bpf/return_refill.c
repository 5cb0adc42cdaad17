// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Returns, where functions are hooked. */

static bool is_torn_down(struct slot *s)
{
	struct pool *p = pools.lookup(&s->entry);

	return p && p->tearing;
}

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0], netmem = ctx->args[1];
	struct cpu *c = this_cpu();
	struct slot *s = c ? slot_of_return(c, pool) : 0;

	if (s)
		count_return(s, pool, netmem, reason_by_state(c, pool, is_torn_down(s), netmem));
	return 0;
}
