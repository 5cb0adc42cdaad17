// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Attached to nothing: user space runs it on demand (BPF_PROG_TEST_RUN) to bring one entry of the table up to date. */

int sample_pool(struct bpf_raw_tracepoint_args *ctx)
{
	u32 entry = ctx->args[0];
	struct pool *p = pools.lookup(&entry);

	if (!p || !p->owner || p->owner & 1)
		return 0;
	if (!p->detached_ns) {
		identify(p, p->owner);	/* devices are renamed, and move between namespaces */
		find_consumer(p, p->owner);
	}
	measure(p, p->owner);
	return 0;
}
