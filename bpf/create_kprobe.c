// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* New pools by kretprobe. */

int create_exit(struct pt_regs *ctx)
{
	u64 pool = PT_REGS_RC(ctx);

	if (!is_error(pool))
		pool_created(ctx, pool);
	return 0;
}
