// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Fragments by kprobe. */

int fragment_entry(struct pt_regs *ctx)
{
	begin_fragment(PT_REGS_PARM1(ctx));
	return 0;
}

int fragment_exit(struct pt_regs *ctx)
{
	struct cutting *c = this_cut();

	if (c && c->pool)
		end_fragment(c->pool, PT_REGS_RC(ctx) != 0);
	return 0;
}
