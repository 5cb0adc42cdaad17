// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Fragments by BPF trampoline. */

int fragment_entry(trampoline *ctx)
{
	begin_fragment(ctx[0]);
	return 0;
}

int fragment_exit(trampoline *ctx)	/* page_pool_alloc_frag_netmem(pool, offset, size, gfp) */
{
	end_fragment(ctx[0], ctx[4] != 0);
	return 0;
}
