// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A new pool, before anyone uses it: those that stay idle are known, too. By kretprobe. */

int create_exit(struct pt_regs *ctx)
{
	u64 pool = PT_REGS_RC(ctx);

	if (!is_error(pool))
		entry_of(pool);
	return 0;
}
