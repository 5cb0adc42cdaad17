// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Attached to nothing: user space runs them on demand (BPF_PROG_TEST_RUN). */
#include "end.h"

/* Bring one entry of the table up to date, or end it where no program saw that it has ended. */
int sample_pool(struct bpf_raw_tracepoint_args *ctx)
{
	u32 entry = ctx->args[0];
	struct pool *p = pools.lookup(&entry);
	u64 pool = p ? p->owner : 0;

	if (!p || !pool || pool & 1)
		return 0;
	if (is_another(p, pool) || pp_is_over(pool)) {
		fold_pool(ctx, pool, entry, false);
		return 0;
	}
	if (!p->detached_ns) {
		identify(p, p->owner); /* devices are renamed, and move between namespaces */
		find_consumer(p, p->owner);
	}
	measure(p, p->owner);
	return 0;
}

/* A pool that former programs of ours knew, and since when it is detached: its end must not be missed here. */
int adopt_pool(struct bpf_raw_tracepoint_args *ctx)
{
	u32 *entry = entry_of(ctx->args[0]);
	struct pool *p = entry ? pools.lookup(entry) : 0;

	if (p && !p->detached_ns)
		p->detached_ns = ctx->args[1];
	return 0;
}
