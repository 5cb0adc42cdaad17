// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A new pool, before anyone uses it: those that stay idle are known, too. */

static void pool_created(void *ctx, u64 pool)
{
	entry_of(pool);
}
