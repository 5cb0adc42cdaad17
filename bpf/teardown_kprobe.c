// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The end of a pool by kprobe. */

int destroy_entry(struct pt_regs *ctx)
{
	if (PT_REGS_PARM1(ctx))
		begin_teardown(PT_REGS_PARM1(ctx));
	return 0;
}

int release_retry_entry(struct pt_regs *ctx)
{
	begin_teardown(PT_REGS_PARM1(ctx) - PP_RELEASE_DW);
	return 0;
}
